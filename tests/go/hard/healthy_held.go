package main

import (
	"math"
	"math/rand"
	"time"
)

// Healthy programs that the rule is measured on and was never tuned on.

// stages is under a load test that goes up in stages, each a short ramp and a hold, and down at the end.
func stages(w *world) {
	w.service()
	ramp, hold, height := w.seconds(4, 8), w.seconds(6, 14), w.between(4, 9)
	count := float64(3 + w.draws.Intn(3))
	w.follow(30, 48<<10, 0.1, func(now float64) float64 {
		stage := math.Floor(now / (ramp + hold))
		into := math.Min(1, (now-stage*(ramp+hold))/ramp)
		return height * math.Min(count, stage+into)
	})
}

// rampLine takes one connection after the other until all clients are there.
func rampLine(w *world) {
	w.service()
	ramp, height := w.seconds(28, 45), w.between(18, 45)
	w.follow(31, 64<<10, 0.03, func(now float64) float64 { return height * math.Min(1, now/ramp) })
}

// sessionsHeavy has sessions of very different lengths: most are short, a few stay long.
func sessionsHeavy(w *world) {
	w.service()
	level, mean := w.between(15, 45), w.seconds(8, 14)
	r := w.chance(32)
	// Log-normal with that mean.
	const sigma = 1.1
	mu := math.Log(mean) - sigma*sigma/2
	lasting(w, level, mean, func() float64 { return math.Exp(mu + sigma*r.NormFloat64()) })
}

// etl collects rows for a while, writes them and starts again; no batch is like the one before.
func etl(w *world) {
	w.service()
	r := w.chance(33)
	mean, size := w.seconds(14, 28), w.between(12, 40)
	var rows [][]byte
	began, length, want := 0.0, 0.0, 0.0
	w.every(20*time.Millisecond, func() {
		now := w.now()
		if now >= began+length {
			rows = nil
			began, length, want = now, mean*(0.6+0.8*r.Float64()), size*(0.6+0.8*r.Float64())
		}
		for n := int(want * mib / 2048 * (now - began) / length); len(rows) < n; {
			rows = append(rows, make([]byte, 2048))
		}
	})
}

// raft keeps its log until there are enough entries for a snapshot, and some of them after it.
func raft(w *world) {
	w.service()
	rate, snapshot := w.between(0.3, 0.9), w.seconds(18, 35)
	r := w.chance(34)
	var log [][]byte
	due, limit := 0.0, int(rate*mib/4096*snapshot)
	w.every(20*time.Millisecond, func() {
		for due += rate * mib * 0.02; due > 0; {
			entry := make([]byte, 2048+r.Intn(4096))
			log = append(log, entry)
			due -= float64(len(entry))
		}
		if len(log) >= limit {
			log = append([][]byte(nil), log[len(log)*2/3:]...)
		}
	})
}

// tsdb appends samples to a head that is cut when it holds three blocks' worth.
func tsdb(w *world) {
	w.service()
	series, filling, block := w.between(6, 20), w.seconds(6, 12), w.seconds(12, 22)
	chunks := w.between(5, 14)
	w.follow(35, 2<<10, 0.002, func(now float64) float64 {
		blocks := now / block
		if blocks > 3 {
			blocks = 2 + math.Mod(blocks, 1)
		}
		return series*math.Min(1, now/filling) + chunks*blocks
	})
}

// memo remembers an answer for each key ever asked for; few keys are asked for often, and there are only so many.
func memo(w *world) {
	w.service()
	r := w.chance(36)
	size, fill := w.between(15, 45), w.seconds(14, 30)
	keys := uint64(size * mib / 2048)
	zipf := rand.NewZipf(r, 1.1, float64(keys)/20, keys-1)
	known := make(map[uint64][]byte)
	each, due := 2.2*float64(keys)/fill*0.02, 0.0
	w.every(20*time.Millisecond, func() {
		for due += each; due >= 1; due-- {
			if key := zipf.Uint64(); known[key] == nil {
				known[key] = make([]byte, 2048)
			}
		}
	})
}

// buffers keeps one buffer a worker, each as large as the largest request that it has seen.
func buffers(w *world) {
	w.service()
	r := w.chance(37)
	workers, mean, rate := 60+w.draws.Intn(80), w.between(20, 60)*1024, w.between(1, 3)/w.scale
	pool := make([][]byte, workers)
	w.every(time.Duration(float64(time.Second)/(rate*float64(workers)/4)), func() {
		i := r.Intn(workers)
		if need := int(math.Min(8*mean, mean*math.Exp(r.NormFloat64()))); need > len(pool[i]) {
			pool[i] = make([]byte, need)
		}
	})
}

// crawl remembers where it was until it was everywhere, then looks for changes.
func crawl(w *world) {
	w.service()
	r := w.chance(38)
	span, size := w.seconds(30, 45), w.between(15, 40)
	seen, pages := map[int]string{}, [][]byte{}
	w.every(20*time.Millisecond, func() {
		part := math.Min(1, w.now()/span)
		for want := int(size * mib / 3 / 200 * part); len(seen) < want; {
			seen[len(seen)] = string(make([]byte, 120))
		}
		for want := int(size * mib * 2 / 3 / 8192 * part); len(pages) < want; {
			pages = append(pages, make([]byte, 8192))
		}
		if part == 1 {
			for i := 0; i < 4; i++ {
				pages[r.Intn(len(pages))] = make([]byte, 8192)
			}
		}
	})
}
