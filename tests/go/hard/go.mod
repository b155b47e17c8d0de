module hard

go 1.19
