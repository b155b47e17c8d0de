package main

import (
	"math"
	"time"
)

// lose keeps that many KiB a second for ever, from a time on, while on says so.
func (w *world) lose(rate, from float64, on func(now float64) bool) {
	r := w.chance(3)
	var lost [][]byte
	due := 0.0
	w.every(50*time.Millisecond, func() {
		if now := w.now(); now < from || on != nil && !on(now) {
			return
		}
		for due += rate * 1024 * 0.05; due > 0; {
			size := 200 + r.Intn(1800)
			lost = append(lost, make([]byte, size))
			w.leak(size)
			due -= float64(size)
		}
	})
}

// leakPlain leaks from the start.
func leakPlain(w *world) {
	w.service()
	w.lose(w.between(150, 400), 0, nil)
}

// leakNoise leaks slowly beneath requests whose number wanders widely.
func leakNoise(w *world) {
	w.noisy(w.between(6, 14))
	w.lose(w.between(180, 380), 0, nil)
}

// leakWarm leaks from the start too, but warms up first.
func leakWarm(w *world) {
	w.service()
	tau, size := w.seconds(3, 9), w.between(10, 35)
	go w.follow(40, 4<<10, 0.001, func(now float64) float64 { return size * (1 - math.Exp(-now/tau)) })
	w.lose(w.between(200, 380), 0, nil)
}

// leakRamp leaks once all of its connections are there.
func leakRamp(w *world) {
	w.service()
	ramp, size := w.seconds(10, 25), w.between(10, 30)
	go w.follow(41, 32<<10, 0.03, func(now float64) float64 { return size * math.Min(1, now/ramp) })
	w.lose(w.between(200, 400), ramp, nil)
}

// leakLSM leaks beneath the sawtooth of a storage engine.
func leakLSM(w *world) {
	w.service()
	go lsm(w)
	w.lose(w.between(250, 400), 0, nil)
}

// leakBursts leaks while a job runs, which is every few seconds.
func leakBursts(w *world) {
	w.service()
	period := w.seconds(6, 12)
	w.lose(2*w.between(180, 380), 0, func(now float64) bool { return math.Mod(now, period) < period/2 })
}

// leakGoroutines starts one that waits for ever, with what it holds, for each request that timed out.
func leakGoroutines(w *world) {
	w.service()
	rate := w.between(200, 380)
	r := w.chance(4)
	never := make(chan []byte)
	due := 0.0
	w.every(50*time.Millisecond, func() {
		for due += rate * 1024 * 0.05; due > 0; {
			answer := make([]byte, 4096+r.Intn(8192))
			// Its stack is 2 KiB, which the trace counts apart from the heap.
			go func() { never <- answer }()
			w.leak(len(answer))
			due -= float64(len(answer))
		}
	})
}
