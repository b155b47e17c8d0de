package main

import (
	"math"
	"math/rand"
	"sync"
	"sync/atomic"
	"time"
)

const mib = 1 << 20

// world is what all programs share: a clock, chance, and a count of what was leaked.
type world struct {
	seed   int64
	start  time.Time
	dur    time.Duration
	scale  float64
	draws  *rand.Rand
	leaked int64
	// The first leaked byte's time in milliseconds since the start, or -1.
	first int64
}

func newWorld(seed int64, dur time.Duration, scale float64) *world {
	return &world{seed: seed, start: time.Now(), dur: dur, scale: scale, draws: rand.New(rand.NewSource(seed)), first: -1}
}

func (w *world) truth() map[string]interface{} {
	truth := map[string]interface{}{"leaked_bytes": atomic.LoadInt64(&w.leaked), "run_s": w.now()}
	if first := atomic.LoadInt64(&w.first); first >= 0 {
		truth["leak_start_s"] = float64(first) / 1000
	}
	return truth
}

// now is the time since the start in seconds.
func (w *world) now() float64 { return time.Since(w.start).Seconds() }

func (w *world) done() bool { return time.Since(w.start) >= w.dur }

func (w *world) wait() {
	for !w.done() {
		time.Sleep(20 * time.Millisecond)
	}
}

// between draws a figure of this run.
func (w *world) between(low, high float64) float64 { return low + (high-low)*w.draws.Float64() }

// spread draws a figure of any magnitude between two.
func (w *world) spread(low, high float64) float64 {
	return math.Exp(w.between(math.Log(low), math.Log(high)))
}

// seconds draws a time, in the run's own scale.
func (w *world) seconds(low, high float64) float64 { return w.scale * w.between(low, high) }

// chance is a source of its own, for one goroutine.
func (w *world) chance(k int64) *rand.Rand { return rand.New(rand.NewSource(w.seed*1000003 + k)) }

// every calls f each d until the run is over.
func (w *world) every(d time.Duration, f func()) {
	ticker := time.NewTicker(d)
	defer ticker.Stop()
	for !w.done() {
		f()
		<-ticker.C
	}
}

// leak counts bytes that are never needed again and never freed.
func (w *world) leak(n int) {
	atomic.CompareAndSwapInt64(&w.first, -1, time.Since(w.start).Milliseconds())
	atomic.AddInt64(&w.leaked, int64(n))
}

// service starts what any service does besides: garbage, a base of data that stays, requests in flight whose number
// wanders. All sizes are drawn.
func (w *world) service() { w.noisy(w.spread(0.4, 6)) }

// noisy is a service whose requests in flight hold about that many MiB, up and down by as much.
func (w *world) noisy(inFlight float64) {
	w.base(w.between(1, 30))
	w.churn(w.spread(4, 40) * mib)
	w.breathe(inFlight)
}

type node struct {
	next *node
	data [48]byte
}

var kept struct {
	sync.Mutex
	all []interface{}
}

func keep(v interface{}) {
	kept.Lock()
	kept.all = append(kept.all, v)
	kept.Unlock()
}

// base keeps that many MiB from the start on, an eighth of it in small linked nodes.
func (w *world) base(size float64) {
	var chunks [][]byte
	for i := 0; i < int(size*mib*7/8/4096); i++ {
		chunks = append(chunks, make([]byte, 4096))
	}
	var nodes *node
	for i := 0; i < int(size*mib/8/64); i++ {
		nodes = &node{next: nodes}
	}
	keep(chunks)
	keep(nodes)
}

// churn makes garbage at that many bytes a second, in waves of some seconds.
func (w *world) churn(rate float64) {
	r, period := w.chance(1), w.between(2, 9)
	go func() {
		ring := make([][]byte, 64)
		w.every(10*time.Millisecond, func() {
			wave := 1 + 0.4*math.Sin(2*math.Pi*w.now()/period)
			for n := int(rate * 0.01 * wave); n > 0; {
				size := 512 + r.Intn(16<<10)
				ring[r.Intn(len(ring))] = make([]byte, size)
				n -= size
			}
		})
	}()
}

// breathe holds requests in flight: about mean MiB, a level that wanders between almost none and twice as much.
func (w *world) breathe(mean float64) {
	r, memory := w.chance(2), w.between(0.5, 3)
	go func() {
		var held [][]byte
		const size = 32 << 10
		level, step := mean, 0.05
		w.every(50*time.Millisecond, func() {
			level += (mean-level)*step/memory + mean*0.6*math.Sqrt(step/memory)*r.NormFloat64()
			level = math.Max(0.1*mean, math.Min(2.5*mean, level))
			want := int(level * mib / size)
			for len(held) < want {
				held = append(held, make([]byte, size))
			}
			for len(held) > want {
				i := r.Intn(len(held))
				held[i] = held[len(held)-1]
				held[len(held)-1] = nil
				held = held[:len(held)-1]
			}
		})
	}()
}

// follow keeps a set of blocks as large as want says, in MiB, at each moment; some are replaced each second.
func (w *world) follow(k int64, block int, replaced float64, want func(now float64) float64) {
	r := w.chance(k)
	var held [][]byte
	w.every(20*time.Millisecond, func() {
		n := int(math.Max(0, want(w.now())) * mib / float64(block))
		for len(held) < n {
			held = append(held, make([]byte, block))
		}
		for len(held) > n {
			held[len(held)-1] = nil
			held = held[:len(held)-1]
		}
		if len(held) > 0 && r.Float64() < replaced*0.02*float64(len(held)) {
			held[r.Intn(len(held))] = make([]byte, block)
		}
	})
}
