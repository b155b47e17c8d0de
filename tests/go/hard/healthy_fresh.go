package main

import (
	"fmt"
	"math"
	"math/rand"
	"time"
)

// Healthy programs whose runs often end while they still fill, or soon after. Half of them, by name, were never tuned on.

// clockCache caches pages in as many slots as fit; what was not asked for since the hand came by makes room.
func clockCache(w *world) {
	w.service()
	type slot struct {
		page uint64
		used bool
		data []byte
	}
	const page = 8 << 10
	count := int(w.between(16, 64) * mib / page)
	fill := w.seconds(30, 60)
	zipf := rand.NewZipf(w.chance(70), 1.05, float64(count), uint64(6*count))
	slots, at := make([]slot, 0, count), map[uint64]int{}
	hand, due, each := 0, 0.0, 1.5*float64(count)/fill*0.02
	w.every(20*time.Millisecond, func() {
		for due += each; due >= 1; due-- {
			wanted := zipf.Uint64()
			if i, hit := at[wanted]; hit {
				slots[i].used = true
				continue
			}
			fresh := slot{page: wanted, data: make([]byte, page)}
			if len(slots) < count {
				at[wanted] = len(slots)
				slots = append(slots, fresh)
				continue
			}
			for slots[hand].used {
				slots[hand].used = false
				hand = (hand + 1) % count
			}
			delete(at, slots[hand].page)
			slots[hand] = fresh
			at[wanted] = hand
			hand = (hand + 1) % count
		}
	})
}

// windowSums keeps the samples of the last so many seconds, one bucket a second, to tell quantiles.
func windowSums(w *world) {
	w.service()
	window, rate := int(w.seconds(30, 60)), w.spread(0.3, 1.2)
	r := w.chance(71)
	buckets := make([][][]byte, window)
	second, due := -1, 0.0
	w.every(20*time.Millisecond, func() {
		if now := int(w.now()); now != second {
			second = now
			buckets[second%window] = nil
		}
		for due += rate * mib * 0.02; due > 0; {
			sample := make([]byte, 64+r.Intn(2048))
			buckets[second%window] = append(buckets[second%window], sample)
			due -= float64(len(sample))
		}
	})
}

// connect starts a connection: a goroutine with its buffers, that answers a request now and then, until the run is over.
func (w *world) connect(k int64, buffer int, requests float64) {
	r := w.chance(k)
	go func() {
		in, out := make([]byte, buffer), make([]byte, buffer/2)
		var answer []byte
		for !w.done() {
			answer = make([]byte, 1024+r.Intn(8<<10))
			out[0], in[0] = answer[0], out[0]
			time.Sleep(time.Duration((0.5 + r.Float64()) / requests * float64(time.Second)))
		}
	}()
}

// rampReaders takes one reader after the other until all are there; each has a goroutine and buffers of its own, and asks for
// something now and then.
func rampReaders(w *world) {
	w.service()
	ramp, size, requests := w.seconds(30, 60), w.between(12, 40), w.spread(0.1, 2)
	const buffer = 64 << 10
	all := size * mib / (buffer * 1.5)
	connected := 0
	w.every(50*time.Millisecond, func() {
		for ; connected < int(all*math.Min(1, w.now()/ramp)); connected++ {
			w.connect(1000+int64(connected), buffer, requests)
		}
	})
}

// rampBatches takes its clients in batches, an even time apart, as a deployment that goes host by host; the batches are as large
// as the hosts.
func rampBatches(w *world) {
	w.service()
	r := w.chance(72)
	apart, batches, height, requests := w.seconds(4, 9), 5+w.draws.Intn(5), w.between(2.5, 7), w.spread(0.1, 2)
	const buffer = 32 << 10
	connected, want, batch := 0, 0.0, 0
	w.every(50*time.Millisecond, func() {
		if batch < batches && w.now() >= float64(batch)*apart {
			want += height * (0.7 + 0.6*r.Float64()) * mib / (buffer * 1.5)
			batch++
		}
		for ; connected < int(want); connected++ {
			w.connect(1000+int64(connected), buffer, requests)
		}
	})
}

// suiteTables tests small cases first, then a table of cases that get larger; the results are kept for the report.
func suiteTables(w *world) {
	w.base(w.between(2, 10))
	w.churn(w.spread(4, 20) * mib)
	r := w.chance(73)
	second := w.seconds(15, 40)
	quick, slow := w.seconds(0.3, 1), w.seconds(2, 6)
	small, first, more := w.between(1, 4), w.between(4, 10), w.between(1, 4)
	cases, report := 6+w.draws.Intn(6), w.between(0.05, 0.3)
	var made, results [][]byte
	began, length, size, done := 0.0, 0.0, 0.0, 0
	w.every(20*time.Millisecond, func() {
		now := w.now()
		if now >= began+length {
			made = nil
			results = append(results, make([]byte, int(report*mib/8)))
			began, length, size = now, quick*(0.5+r.Float64()), small*(0.5+r.Float64())
			if now >= second {
				length, size = slow*(0.7+0.6*r.Float64()), first+more*float64(min(done, cases))
				done++
				results = append(results, make([]byte, int(report*mib)))
			}
			if len(results) > 80 {
				results = results[1:]
			}
		}
		for want := int(size * mib / 4096 * math.Min(1, (now-began)/(0.6*length))); len(made) < want; {
			made = append(made, make([]byte, 4096))
		}
	})
}

// suiteCluster has unit tests, then tests of a cluster that gets node after node and is torn down when all were there, for the
// next test.
func suiteCluster(w *world) {
	w.base(w.between(2, 10))
	w.churn(w.spread(4, 20) * mib)
	r := w.chance(74)
	second, test := w.seconds(12, 35), w.seconds(0.3, 1)
	nodes, apart, node := 4+w.draws.Intn(5), w.seconds(2, 7), w.between(2, 7)
	small := w.between(1, 5)
	w.follow(75, 8<<10, 0.02, func(now float64) float64 {
		if now < second {
			return small * math.Mod(now, test) / test
		}
		// The last node stays for as long as three to come.
		into := math.Mod((now-second)/apart, float64(nodes+3))
		return small + node*math.Min(float64(nodes), 1+math.Floor(into)+0.5*math.Mod(into, 1)) + 0.5*r.Float64()
	})
}

// indexTerms builds an inverted index anew, again and again, over documents that come meanwhile, until all have come.
func indexTerms(w *world) {
	w.service()
	r := w.chance(76)
	pause, all, coming := w.seconds(2, 8), w.between(12, 40), w.seconds(35, 70)
	speed, share := w.between(3, 8), w.between(0.4, 0.9)
	var documents [][]byte
	var index, next map[string][]int32
	size, began := 0, 0.0
	w.every(20*time.Millisecond, func() {
		now := w.now()
		for want := int(share * all * mib / 4096 * math.Min(1, now/coming)); len(documents) < want; {
			documents = append(documents, make([]byte, 4096))
		}
		if next == nil && now >= began+pause {
			next, size = map[string][]int32{}, 0
		}
		if next == nil {
			return
		}
		for i := 0; i < int(speed*mib*0.02/1200); i++ {
			next[fmt.Sprintf("term-%d-%d", size, r.Intn(1<<30))] = make([]int32, 250)
			size++
		}
		if size*1200 >= int((1-share)*all*mib*math.Min(1, now/coming)) {
			index, next, began = next, nil, now
		}
		_ = index
	})
}

// warmInterned interns the names that it meets: nearly all of them new at first, ever fewer later.
func warmInterned(w *world) {
	w.service()
	r := w.chance(77)
	tau, size := w.seconds(12, 30), w.between(15, 50)
	const each = 600
	names := int(size * mib / each)
	interned := map[int][]byte{}
	rate, due := float64(names)/tau*0.02, 0.0
	w.every(20*time.Millisecond, func() {
		for due += rate; due >= 1; due-- {
			if name := r.Intn(names); interned[name] == nil {
				interned[name] = make([]byte, each-100)
			}
		}
	})
}

// wheelTTL keeps each answer until its bucket of a timing wheel comes round, some time between 30 and 60 s later; the load
// wavers.
func wheelTTL(w *world) {
	w.service()
	r := w.chance(78)
	ttl, rate, tick := w.seconds(30, 60), w.spread(0.25, 1), w.between(0.5, 4)
	period := w.between(5, 15)
	type bucket struct {
		until float64
		kept  [][]byte
	}
	var wheel []bucket
	due := 0.0
	w.every(20*time.Millisecond, func() {
		now := w.now()
		for len(wheel) > 0 && wheel[0].until <= now {
			wheel = append([]bucket(nil), wheel[1:]...)
		}
		if last := len(wheel) - 1; last < 0 || now+ttl >= wheel[last].until+tick {
			wheel = append(wheel, bucket{until: now + ttl})
		}
		last := &wheel[len(wheel)-1]
		for due += rate * mib * 0.02 * (1 + 0.3*math.Sin(2*math.Pi*now/period)); due > 0; {
			answer := make([]byte, 256+r.Intn(3<<10))
			last.kept = append(last.kept, answer)
			due -= float64(len(answer))
		}
	})
}

// carts holds shopping carts that grow while their customer shops, each for between half and one and a half of the mean time.
func carts(w *world) {
	w.service()
	r := w.chance(79)
	mean, level := w.seconds(20, 45), w.between(15, 50)
	type cart struct {
		until float64
		items [][]byte
	}
	const item, items = 4 << 10, 8
	open := map[int]*cart{}
	next, due := 0, 0.0
	w.every(50*time.Millisecond, func() {
		now := w.now()
		for due += level * mib / (item * items) / mean * 0.05; due >= 1; due-- {
			open[next] = &cart{until: now + mean*(0.5+r.Float64()), items: [][]byte{make([]byte, item*items/2)}}
			next++
		}
		for id, c := range open {
			if c.until <= now {
				delete(open, id)
			} else if len(c.items) < items/2+1 && r.Float64() < 0.05*items/mean {
				c.items = append(c.items, make([]byte, item))
			}
		}
	})
}

// segments writes small segments that are merged into large ones, and those into one: sawtooth on sawtooth, and what is merged
// loses a part.
func segments(w *world) {
	w.service()
	fill, size := w.seconds(1.5, 4), w.between(2, 6)
	small, large, lost := 4+w.draws.Intn(4), 3+w.draws.Intn(3), w.between(0.3, 0.6)
	const kept = 0.15
	w.follow(80, 4<<10, 0.01, func(now float64) float64 {
		count := int(now / fill)
		level := size * math.Mod(now/fill, 1)
		level += kept * size * float64(count%small)
		level += kept * size * float64(small) * (1 - lost) * float64(count/small%large)
		if count >= small*large {
			level += kept * size * float64(small*large) * (1 - lost) * (1 - lost)
		}
		return level
	})
}

// replica copies what its primary has, at the speed of the network, then follows its changes.
func replica(w *world) {
	w.service()
	r := w.chance(81)
	copying, size, stall := w.seconds(30, 60), w.between(15, 50), w.between(0, 0.3)
	const row = 2 << 10
	all := int(size * mib / row)
	var rows [][]byte
	due, until := 0.0, 0.0
	w.every(20*time.Millisecond, func() {
		now := w.now()
		if now > until && r.Float64() < 0.01*stall {
			until = now + 2*r.Float64()
		}
		if now < until {
			return
		}
		for due += float64(all) / copying * 0.02; due >= 1 && len(rows) < all; due-- {
			rows = append(rows, make([]byte, row))
		}
		if len(rows) == all {
			for i := 0; i < 10; i++ {
				rows[r.Intn(all)] = make([]byte, row)
			}
		}
	})
}
