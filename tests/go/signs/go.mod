module signs

go 1.19
