package main

import (
	"math"
	"time"
)

// Programs whose requests come with their load, and with the requests what each of them throws away: what connections
// and sessions do in service, and most programs of the other sets do not.

// serving is a service whose load, from 0 to 1 or so, is what says at each moment: its clients hold up to that many MiB
// of connections, of 48 KiB each, and their requests make up to that much garbage, in MiB a second.
func (w *world) serving(connections, garbage float64, load func(now float64) float64) {
	w.base(w.between(4, 24))
	w.churn(w.between(0.5, 3) * mib)
	r := w.chance(60)
	go w.follow(61, 48<<10, 0.05, func(now float64) float64 { return connections * load(now) })
	go func() {
		ring := make([][]byte, 64)
		due := 0.0
		w.every(10*time.Millisecond, func() {
			for due += garbage * mib * 0.01 * load(w.now()); due > 0; {
				size := 512 + r.Intn(8<<10)
				ring[r.Intn(len(ring))] = make([]byte, size)
				due -= float64(size)
			}
		})
	}()
}

// loadRamp takes client after client until all of them are there.
func loadRamp(w *world) {
	ramp, connections, garbage := w.seconds(28, 50), w.between(15, 45), w.spread(6, 30)
	w.serving(connections, garbage, func(now float64) float64 { return math.Min(1, now/ramp) })
	w.wait()
}

// loadStages is under a load test that goes up in stages, each a short ramp and a hold.
func loadStages(w *world) {
	ramp, hold, count := w.seconds(4, 8), w.seconds(5, 10), float64(4+w.draws.Intn(3))
	connections, garbage := w.between(20, 50), w.spread(6, 30)
	w.serving(connections, garbage, func(now float64) float64 {
		stage := math.Floor(now / (ramp + hold))
		into := math.Min(1, (now-stage*(ramp+hold))/ramp)
		return math.Min(count, stage+into) / count
	})
	w.wait()
}

// loadWave has a load that comes and goes, slowly.
func loadWave(w *world) {
	period, connections, garbage := w.seconds(60, 110), w.between(15, 40), w.spread(6, 30)
	w.serving(connections, garbage, func(now float64) float64 { return wavy(now, period, 0.9) })
	w.wait()
}

// wavy is between 1 and 1 - depth, at its lowest at first.
func wavy(now, period, depth float64) float64 {
	return 1 - depth*(1+math.Cos(2*math.Pi*now/period))/2
}

// loses leaks at that rate in KiB a second under full load, with each request a little.
func (w *world) loses(rate float64, load func(now float64) float64) {
	var lost [][]byte
	due := 0.0
	w.every(50*time.Millisecond, func() {
		for due += rate * 1024 * 0.05 * load(w.now()); due > 0; due -= 1024 {
			lost = append(lost, make([]byte, 1024))
			w.leak(1024)
		}
	})
}

// leakLoadRamp leaks with each request, and takes client after client until all of them are there.
func leakLoadRamp(w *world) {
	ramp := w.seconds(20, 40)
	load := func(now float64) float64 { return math.Min(1, now/ramp) }
	w.serving(w.between(4, 16), w.spread(6, 30), load)
	w.loses(w.between(220, 400), load)
}

// leakLoadWave leaks with each request of a load that comes and goes.
func leakLoadWave(w *world) {
	period := w.seconds(40, 90)
	load := func(now float64) float64 { return wavy(now, period, 0.6) }
	w.serving(w.between(4, 12), w.spread(6, 30), load)
	w.loses(w.between(300, 500), load)
}

// leakLoadNoise leaks with each request of a load that is another every few seconds, by half up and down.
func leakLoadNoise(w *world) {
	r, step := w.chance(62), w.between(2, 9)
	var steps []float64
	for now := 0.0; now <= w.dur.Seconds(); now += step {
		steps = append(steps, 0.5+r.Float64())
	}
	load := func(now float64) float64 { return steps[min(int(now/step), len(steps)-1)] }
	w.serving(w.between(4, 12), w.spread(6, 30), load)
	w.loses(w.between(180, 380), load)
}
