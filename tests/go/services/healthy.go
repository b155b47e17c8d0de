package main

import (
	"bytes"
	"container/list"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"time"
)

func init() {
	modes["ok-batch-load"] = okBatchLoad
	modes["ok-bursts"] = okBursts
	modes["ok-connections"] = okConnections
	modes["ok-flat"] = okFlat
	modes["ok-forced"] = okForced
	modes["ok-http"] = okHTTP
	modes["ok-lru"] = okLRU
	modes["ok-map"] = okMap
	modes["ok-memo"] = okMemo
	modes["ok-pool"] = okPool
	modes["ok-sawtooth"] = okSawtooth
	modes["ok-sessions"] = okSessions
	modes["ok-stairs"] = okStairs
	modes["ok-suite"] = okSuite
	modes["ok-tables"] = okTables
}

// Loads 60 MB in its first 6 s, then works with them.
func okBatchLoad(r *run) {
	const most = 15_000
	var all [][]byte
	r.garbage(10e6)
	r.every(10*time.Millisecond, func(float64) {
		for wanted := int(r.age() / 6 * most); len(all) < wanted && len(all) < most; {
			all = append(all, make([]byte, 4096))
		}
		if len(all) > 0 {
			_ = append([]byte(nil), all[r.Intn(len(all))]...)
		}
	})
}

// Requests for 4 s of every 8.
func okBursts(r *run) {
	keep := data(5)
	var requests [][]byte
	r.garbage(3e6)
	r.every(10*time.Millisecond, func(float64) {
		if int(r.age()/4)%2 == 1 {
			requests = requests[:len(requests)*9/10]
			return
		}
		for i := 0; i < 25; i++ {
			requests = append(requests, make([]byte, 2000+r.Intn(8000)))
		}
		if len(requests) > 4000 {
			requests = append([][]byte(nil), requests[1000:]...)
		}
	})
	runtime.KeepAlive(keep)
}

// Connections of 64 KB come for 12 s, then some are replaced.
func okConnections(r *run) {
	const most = 400
	var all [][]byte
	r.garbage(15e6)
	r.every(20*time.Millisecond, func(float64) {
		for wanted := int(r.age() / 12 * most); len(all) < wanted && len(all) < most; {
			all = append(all, make([]byte, 65536))
		}
		if len(all) == most && r.Intn(3) == 0 {
			all[r.Intn(most)] = make([]byte, 65536)
		}
	})
}

// A tiny heap under much garbage: many cycles.
func okFlat(r *run) {
	r.garbage(40e6)
	r.every(100*time.Millisecond, func(float64) {})
}

// An idle service that collects by itself.
func okForced(r *run) {
	keep := data(6)
	ring := make([][]byte, 64)
	r.every(700*time.Millisecond, func(float64) {
		for range [20]int{} {
			ring[r.Intn(len(ring))] = make([]byte, r.Intn(40000))
		}
		runtime.GC()
	})
	runtime.KeepAlive(keep)
}

// A server under steady load.
func okHTTP(r *run) {
	keep := data(4)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write(make([]byte, 4000))
	}))
	for range [4]int{} {
		go r.every(25*time.Millisecond, func(float64) {
			if response, err := http.Get(server.URL); err == nil {
				io.Copy(io.Discard, response.Body)
				response.Body.Close()
			}
		})
	}
	r.garbage(10e6)
	r.every(100*time.Millisecond, func(float64) {})
	runtime.KeepAlive(keep)
}

// A bounded cache fills in 10 s, then goes on at its bound.
func okLRU(r *run) {
	const most = 30e6
	type entry struct {
		key   int
		value []byte
	}
	order := list.New()
	entries := map[int]*list.Element{}
	size, key := 0, 0
	var b budget
	r.garbage(15e6)
	r.every(10*time.Millisecond, func(seconds float64) {
		b.spend(most/10*seconds, func() int {
			length := 500 + r.Intn(3000)
			key++
			entries[key] = order.PushFront(&entry{key, make([]byte, length)})
			for size += length; size > most; {
				oldest := order.Remove(order.Back()).(*entry)
				delete(entries, oldest.key)
				size -= len(oldest.value)
			}
			return length
		})
	})
}

// A map grows for about 10 s and is made anew.
func okMap(r *run) {
	entries := map[uint64][4]uint64{}
	var b budget
	r.garbage(10e6)
	r.every(10*time.Millisecond, func(seconds float64) {
		b.spend(30e3*seconds, func() int {
			entries[r.Uint64()] = [4]uint64{1}
			return 1
		})
		if len(entries) > 300_000 {
			entries = map[uint64][4]uint64{}
		}
	})
}

// Remembers results over a finite space of questions: fills ever more slowly.
func okMemo(r *run) {
	memo := make([][]byte, 25_000)
	var b budget
	r.garbage(15e6)
	r.every(10*time.Millisecond, func(seconds float64) {
		b.spend(float64(len(memo))/6*seconds, func() int {
			if question := r.Intn(len(memo)); memo[question] == nil {
				memo[question] = make([]byte, 1000)
			}
			return 1
		})
	})
}

// Buffers of very different sizes in a sync.Pool.
func okPool(r *run) {
	keep := data(5)
	pool := sync.Pool{New: func() any { return new(bytes.Buffer) }}
	text := make([]byte, 1<<19)
	var held []*bytes.Buffer
	r.garbage(6e6)
	r.every(20*time.Millisecond, func(float64) {
		for range [4]int{} {
			buffer := pool.Get().(*bytes.Buffer)
			buffer.Reset()
			buffer.Write(text[:1<<(8+r.Intn(11))])
			held = append(held, buffer)
		}
		for len(held) > r.Intn(60) {
			last := len(held) - 1
			pool.Put(held[last])
			held = held[:last]
		}
	})
	runtime.KeepAlive(keep)
}

// A batch grows to 40 MB in 8 s and is written out.
func okSawtooth(r *run) {
	var batch [][]byte
	var b budget
	last := 0
	r.garbage(12e6)
	r.every(10*time.Millisecond, func(seconds float64) {
		if turn := int(r.age() / 8); turn != last {
			batch, last = nil, turn
		}
		b.spend(5e6*seconds, func() int {
			batch = append(batch, make([]byte, 8192))
			return 8192
		})
	})
}

// Sessions come by chance and last about 5 s.
func okSessions(r *run) {
	type session struct {
		end  float64
		data []byte
	}
	var all []session
	r.garbage(15e6)
	r.every(10*time.Millisecond, func(seconds float64) {
		now := r.age()
		if r.Float64() < 60*seconds {
			all = append(all, session{now + 5*r.ExpFloat64(), make([]byte, 100+int(60000*r.ExpFloat64()))})
		}
		var live []session
		for _, session := range all {
			if session.end > now {
				live = append(live, session)
			}
		}
		all = live
	})
}

// Six parts start one after the other, in 12 s.
func okStairs(r *run) {
	var parts [][][]byte
	r.garbage(15e6)
	r.sessions(150, 30000, 200)
	r.every(50*time.Millisecond, func(float64) {
		if len(parts) < 6 && r.age() > 2*float64(len(parts)) {
			parts = append(parts, data(2+5*r.Float64()))
		}
	})
}

// Tests that build something of 2 to 30 MB each, and sometimes collect.
func okSuite(r *run) {
	r.garbage(8e6)
	for !r.over() {
		size := 2 + 28*r.Float64()*r.Float64()
		fixture := data(size)
		time.Sleep(time.Duration((0.5 + r.Float64()) * float64(time.Second)))
		runtime.KeepAlive(fixture)
		if r.Intn(3) == 0 {
			runtime.GC()
		}
	}
}

// A table of 40 MB for a second, every now and then.
func okTables(r *run) {
	keep := data(10)
	r.garbage(15e6)
	for !r.over() {
		time.Sleep(time.Duration((3 + 3*r.Float64()) * float64(time.Second)))
		table := data(40)
		time.Sleep(time.Second)
		runtime.KeepAlive(table)
	}
	runtime.KeepAlive(keep)
}
