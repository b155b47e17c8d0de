package main

import (
	"math"
	"time"
)

// Leaks that the rule is measured on and was never tuned on.

// leakFill leaks beside a cache that fills.
func leakFill(w *world) {
	w.service()
	go lru(w, w.between(8, 25), w.seconds(12, 25), 0)
	w.lose(w.between(200, 380), 0, nil)
}

// leakLate runs well for a while.
func leakLate(w *world) {
	w.service()
	w.lose(w.between(220, 400), w.seconds(20, 35), nil)
}

// leakLarge loses something large now and then.
func leakLarge(w *world) {
	w.service()
	r := w.chance(50)
	rate, size := w.between(180, 360)*1024, w.between(128, 512)*1024
	var lost [][]byte
	next := 0.0
	w.every(20*time.Millisecond, func() {
		for now := w.now(); next <= now; next += size / rate * r.ExpFloat64() {
			lost = append(lost, make([]byte, int(size)))
			w.leak(int(size))
		}
	})
}

// leakErrors forgets what belongs to a request that fails; how many fail changes from minute to minute.
func leakErrors(w *world) {
	w.service()
	r := w.chance(51)
	rate := w.between(180, 360)
	failed := map[int][]byte{}
	id, share, until, due := 0, 0.0, 0.0, 0.0
	w.every(20*time.Millisecond, func() {
		now := w.now()
		if now >= until {
			share, until = 0.3+1.4*r.Float64(), now+2+4*r.Float64()
		}
		for due += rate * 1024 * 0.02 * share; due > 0; {
			body := make([]byte, 1024+r.Intn(6144))
			failed[id] = body
			id++
			w.leak(len(body))
			due -= float64(len(body))
		}
	})
}

// leakWave leaks beneath a load that comes and goes.
func leakWave(w *world) {
	w.service()
	period, height := w.seconds(12, 30), w.between(4, 10)
	go w.follow(52, 16<<10, 0.05, func(now float64) float64 {
		return 1 + height*(1-math.Cos(2*math.Pi*now/period))/2
	})
	w.lose(w.between(250, 400), 0, nil)
}
