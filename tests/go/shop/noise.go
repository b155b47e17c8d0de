package main

var sink []byte

// What dies young.
//
//go:noinline
func churn() {
	for i := 0; i < 64; i++ {
		sink = make([]byte, 512+16*i) // NOISE:churn
	}
}

// What is bounded: a ring of 4 MiB.
var ring [512][]byte

//go:noinline
func turn(tick int) {
	for i := 0; i < 4; i++ {
		ring[(4*tick+i)%len(ring)] = make([]byte, 8192) // NOISE:ring
	}
}

// What falls back now and then: a sawtooth of 1.6 MiB.
var journal [][]byte

//go:noinline
func write() {
	journal = append(journal, make([]byte, 4096)) // NOISE:journal
	if len(journal) == 400 {
		journal = nil
	}
}
