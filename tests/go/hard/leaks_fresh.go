package main

import (
	"math"
	"time"
)

// Leaks beside the programs of healthy_fresh.go: half of them are fast and plain, the others slow. Half of each, by name, were
// never tuned on.

// losing calls lost, which keeps about n bytes for ever and says how many, as often as comes to that many KiB a second.
func (w *world) losing(rate float64, lost func() int) {
	due := 0.0
	w.every(20*time.Millisecond, func() {
		for due += rate * 1024 * 0.02; due > 0; {
			n := lost()
			w.leak(n)
			due -= float64(n)
		}
	})
}

// leakFastMap never deletes a request that is over.
func leakFastMap(w *world) {
	w.service()
	r := w.chance(90)
	requests := map[int][]byte{}
	w.losing(w.spread(512, 3072), func() int {
		request := make([]byte, 512+r.Intn(8<<10))
		requests[len(requests)] = request
		return len(request)
	})
}

// leakFastHooks registers a callback with each connection, and none goes.
func leakFastHooks(w *world) {
	w.service()
	r := w.chance(91)
	var hooks []func() int
	w.losing(w.spread(512, 3072), func() int {
		connection := make([]byte, 4096+r.Intn(16<<10))
		hooks = append(hooks, func() int { return len(connection) })
		return len(connection)
	})
}

// leakFastTails keeps the last bytes of each file that it reads, and with them all of it.
func leakFastTails(w *world) {
	w.service()
	r := w.chance(92)
	var tails [][]byte
	w.losing(w.spread(512, 3072), func() int {
		file := make([]byte, 16<<10+r.Intn(64<<10))
		tails = append(tails, file[len(file)-16:])
		return len(file)
	})
}

// leakFastTimers starts a timer with each request, for a day, and stops none.
func leakFastTimers(w *world) {
	w.service()
	r := w.chance(93)
	w.losing(w.spread(512, 3072), func() int {
		request := make([]byte, 2048+r.Intn(8<<10))
		time.AfterFunc(24*time.Hour, func() { request[0]++ })
		return len(request)
	})
}

// leakSlowIndex indexes each document by a key that no one else has, and forgets none.
func leakSlowIndex(w *world) {
	w.service()
	type entry struct {
		next *entry
		data [1000]byte
	}
	var all *entry
	w.losing(w.between(180, 360), func() int {
		all = &entry{next: all}
		return 1024
	})
}

// leakSlowBatch works in batches, each larger or smaller than the one before, and a part of each is never let go.
func leakSlowBatch(w *world) {
	w.service()
	r := w.chance(94)
	length := w.seconds(2, 8)
	sizes := make([]float64, 1000)
	for i := range sizes {
		sizes[i] = 3 + 7*r.Float64()
	}
	go w.follow(95, 16<<10, 0.05, func(now float64) float64 {
		batch := now / length
		return sizes[int(batch)%len(sizes)] * math.Mod(batch, 1)
	})
	w.lose(w.between(180, 360), 0, nil)
}

// leakSlowTTL has a cache with a time to live that fills meanwhile.
func leakSlowTTL(w *world) {
	w.service()
	go expiring(w, w.seconds(15, 30), 1, w.between(0.2, 0.5))
	w.lose(w.between(200, 360), 0, nil)
}

// leakSlowLog appends to one log, which the next array has to hold as well while it is copied.
func leakSlowLog(w *world) {
	w.service()
	var log []byte
	line := make([]byte, 1024)
	w.losing(w.between(180, 360), func() int {
		log = append(log, line...)
		return len(line)
	})
}
