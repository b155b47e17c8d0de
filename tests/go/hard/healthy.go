package main

import (
	"container/list"
	"math"
	"time"
)

// rampSteps takes connections in steps, as a load balancer adds clients, then keeps their number.
func rampSteps(w *world) {
	w.service()
	period, steps, height := w.seconds(5, 11), float64(4+w.draws.Intn(4)), w.between(3, 9)
	w.follow(10, 32<<10, 0.03, func(now float64) float64 {
		return height * math.Min(steps, 1+math.Floor(now/period))
	})
}

// lruFill caches what was missed until the cache is full; the keys come from three times as many as fit.
func lruFill(w *world) {
	w.service()
	lru(w, w.between(20, 60), w.seconds(28, 45), 0)
}

// lru fills a cache of that many MiB in about that many seconds, from a time on.
func lru(w *world, size, fill, from float64) {
	r := w.chance(11)
	type entry struct {
		key  int
		data []byte
	}
	const mean = 4 << 10
	entries := int(size * mib / mean)
	order, at := list.New(), map[int]*list.Element{}
	// So that it is full by then although later requests hit more often: ln(3/2) * 3 lookups an entry.
	each := float64(entries) * 1.22 / fill * 0.02
	due := 0.0
	w.every(20*time.Millisecond, func() {
		if w.now() < from {
			return
		}
		for due += each; due >= 1; due-- {
			key := r.Intn(3 * entries)
			if e, hit := at[key]; hit {
				order.MoveToFront(e)
				continue
			}
			at[key] = order.PushFront(&entry{key, make([]byte, mean/2+r.Intn(mean))})
			if order.Len() > entries {
				old := order.Remove(order.Back()).(*entry)
				delete(at, old.key)
			}
		}
	})
}

// ttlFill keeps each answer for a fixed time: a straight rise for that long, then as much goes as comes.
func ttlFill(w *world) {
	w.service()
	expiring(w, w.seconds(28, 50), w.seconds(1, 5), w.between(0.4, 1.2))
}

func expiring(w *world, ttl, sweep, rate float64) {
	r := w.chance(12)
	type item struct {
		until float64
		data  []byte
	}
	cache := map[int]item{}
	next, swept, due := 0, 0.0, 0.0
	w.every(20*time.Millisecond, func() {
		now := w.now()
		for due += rate * mib * 0.02; due > 0; {
			size := 500 + r.Intn(6000)
			cache[next] = item{now + ttl, make([]byte, size)}
			next++
			due -= float64(size)
		}
		if now-swept >= sweep {
			swept = now
			for key, item := range cache {
				if item.until <= now {
					delete(cache, key)
				}
			}
		}
	})
}

// sessions come at an even rate and stay for a time of chance, so their number settles slowly.
func sessions(w *world) {
	w.service()
	mean, level := w.seconds(10, 22), w.between(15, 45)
	r := w.chance(13)
	lasting(w, level, mean, func() float64 { return mean * r.ExpFloat64() })
}

// lasting holds sessions of 40 KiB that come at an even rate and last as long as each call of life says.
func lasting(w *world, level, mean float64, life func() float64) {
	type session struct {
		until float64
		data  []byte
	}
	const size = 40 << 10
	var open []session
	due := 0.0
	w.every(50*time.Millisecond, func() {
		now := w.now()
		left := open[:0]
		for _, s := range open {
			if s.until > now {
				left = append(left, s)
			}
		}
		for i := len(left); i < len(open); i++ {
			open[i] = session{}
		}
		open = left
		for due += level * mib / size / mean * 0.05; due >= 1; due-- {
			open = append(open, session{now + life(), make([]byte, size)})
		}
	})
}

// warm learns ever less: compiled templates, connection pools, interned strings.
func warm(w *world) {
	w.service()
	tau, size := w.seconds(9, 22), w.between(20, 60)
	w.follow(14, 4<<10, 0.001, func(now float64) float64 { return size * (1 - math.Exp(-now/tau)) })
}

// indexRebuilds builds a new index beside the old one, over more documents each time until all are in.
func indexRebuilds(w *world) {
	w.service()
	period, first, growth, rounds := w.seconds(7, 13), w.between(6, 12), w.between(1.15, 1.35), 4+w.draws.Intn(4)
	size := func(round int) float64 { return first * math.Pow(growth, float64(min(round, rounds))) }
	var index, next [][]byte
	round := 0
	w.every(20*time.Millisecond, func() {
		into := w.now() - float64(round)*period
		// Built in the first half of each period.
		want := int(size(round) * mib / 4096 * math.Min(1, into/(period/2)))
		for len(next) < want {
			next = append(next, make([]byte, 4096))
		}
		if into >= period/2 && next != nil {
			index, next = next, nil
		}
		if into >= period {
			round++
		}
		_ = index
	})
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}

// suite runs small tests, then large ones; each frees what it made, fixtures stay.
func suite(w *world) {
	w.base(w.between(1, 8))
	w.churn(w.between(6, 20) * mib)
	r := w.chance(15)
	second := w.between(0.3, 0.5) * w.dur.Seconds()
	small, large := w.between(1, 4), w.between(15, 35)
	quick, slow := w.seconds(0.5, 1.5), w.seconds(6, 14)
	fixture := w.between(0.2, 0.7)
	var fixtures, made [][]byte
	began, length, size := 0.0, 0.0, 0.0
	late := false
	w.every(20*time.Millisecond, func() {
		now := w.now()
		if now >= began+length {
			made = nil
			late = now >= second
			mean, time := small, quick
			if late {
				mean, time = large, slow
			} else if len(fixtures) < 20 {
				fixtures = append(fixtures, make([]byte, int(fixture*mib)))
			}
			began, length, size = now, time*(0.6+0.8*r.Float64()), mean*(0.6+0.8*r.Float64())
		}
		for want := int(size * mib / 8192 * math.Min(1, (now-began)/(0.8*length))); len(made) < want; {
			made = append(made, make([]byte, 8192))
		}
	})
}

// lsm fills memtables that are flushed into tables, whose filters stay until a compaction joins them: a short sawtooth
// on a long one. Its block cache fills meanwhile.
func lsm(w *world) {
	memtable, flush := w.between(3, 8), w.seconds(1.5, 4)
	kept, tables := w.between(0.1, 0.3), 6+w.draws.Intn(7)
	cache, fill := w.between(4, 14), w.seconds(10, 25)
	go w.follow(17, 16<<10, 0.01, func(now float64) float64 { return cache * math.Min(1, now/fill) })
	var table, filters [][]byte
	round := 0
	w.every(20*time.Millisecond, func() {
		into := w.now() - float64(round)*flush
		for want := int(memtable * mib / 4096 * math.Min(1, into/flush)); len(table) < want; {
			table = append(table, make([]byte, 4096))
		}
		if into < flush {
			return
		}
		round++
		table = nil
		for i := 0; i < int(kept*memtable*mib/4096); i++ {
			filters = append(filters, make([]byte, 4096))
		}
		if round%tables == 0 {
			// A tenth of the keys stays apart: a compaction drops what was overwritten.
			filters = append([][]byte(nil), filters[:len(filters)/10]...)
		}
	})
}

// buildTool parses, checks, generates package by package and links, each phase with a heap of its own.
func buildTool(w *world) {
	w.base(w.between(1, 4))
	w.churn(w.between(6, 20) * mib)
	total := w.dur.Seconds()
	parse, check, generate := w.between(0.12, 0.25)*total, w.between(0.15, 0.3)*total, w.between(0.25, 0.35)*total
	trees, types, work := w.between(10, 30), w.between(8, 25), w.between(6, 20)
	unit := w.seconds(2, 6)
	w.follow(18, 8<<10, 0.001, func(now float64) float64 {
		switch {
		case now < parse:
			return trees * now / parse
		case now < parse+check:
			return trees + types*(now-parse)/check
		case now < parse+check+generate:
			return trees + types + work*math.Mod(now, unit)/unit
		default:
			// The trees are gone; the linker maps objects and writes.
			return types + math.Min(trees, (trees+work)*(now-parse-check-generate)/(0.2*total))
		}
	})
}

// queue takes more than it can handle for a while, then works off the backlog.
func queue(w *world) {
	w.service()
	begin, surge := w.seconds(0, 15), w.seconds(20, 35)
	height := w.between(15, 40)
	w.follow(19, 8<<10, 0.01, func(now float64) float64 {
		switch into := now - begin; {
		case into < 0:
			return 1
		case into < surge:
			return 1 + height*into/surge
		default:
			return 1 + height*math.Max(0, 1-(into-surge)/(0.7*surge))
		}
	})
}

// wave follows a load that comes and goes.
func wave(w *world) {
	w.service()
	period, height := w.seconds(45, 90), w.between(12, 35)
	w.follow(20, 16<<10, 0.05, func(now float64) float64 {
		return 1 + height*(1-math.Cos(2*math.Pi*now/period))/2
	})
}

// idleLoad waits for its first clients, then fills its cache under load.
func idleLoad(w *world) {
	w.service()
	lru(w, w.between(15, 45), w.seconds(18, 35), w.seconds(15, 25))
}

// tenants come one after the other, each with a cache that fills.
func tenants(w *world) {
	w.service()
	second, fill := w.seconds(45, 65), w.seconds(12, 28)
	one, two := w.between(8, 25), w.between(8, 25)
	w.follow(21, 8<<10, 0.005, func(now float64) float64 {
		level := one * math.Min(1, now/fill)
		if now > second {
			level += two * math.Min(1, (now-second)/fill)
		}
		return level
	})
}
