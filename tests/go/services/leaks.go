package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"time"
)

func init() {
	modes["leak-append"] = leakAppend
	modes["leak-bursts"] = leakBursts
	modes["leak-cache"] = leakCache
	modes["leak-errors"] = leakErrors
	modes["leak-goroutines"] = leakGoroutines
	modes["leak-http-body"] = leakHTTPBody
	modes["leak-late"] = leakLate
	modes["leak-retention"] = leakRetention
	modes["leak-sawtooth"] = leakSawtooth
	modes["leak-slow"] = leakSlow
	modes["leak-steps"] = leakSteps
	modes["leak-subscribers"] = leakSubscribers
	modes["leak-subslices"] = leakSubslices
}

var lost [][]byte

// lose allocates so many bytes a second and keeps them for ever.
func (r *run) lose(b *budget, amount float64) {
	b.spend(amount, func() int {
		size := 200 + r.Intn(1800)
		lost = append(lost, make([]byte, size))
		return size
	})
}

// A log of all requests in memory.
func leakAppend(r *run) {
	type request struct {
		id   int
		body []byte
	}
	var log []*request
	var b budget
	r.garbage(20e6)
	r.every(10*time.Millisecond, func(seconds float64) {
		b.spend(400e3*seconds, func() int {
			size := 100 + r.Intn(900)
			log = append(log, &request{len(log), make([]byte, size)})
			return size + 48
		})
	})
}

// Only under load, which comes for 3 s of every 6.
func leakBursts(r *run) {
	keep := data(6)
	var requests [][]byte
	var b budget
	r.garbage(6e6)
	r.every(10*time.Millisecond, func(seconds float64) {
		if int(r.age()/3)%2 == 1 {
			requests = nil
			return
		}
		for i := 0; i < 6 && len(requests) < 1800; i++ {
			requests = append(requests, make([]byte, 8192))
		}
		r.lose(&b, 1000e3*seconds)
	})
	runtime.KeepAlive(keep)
}

// A cache without eviction, whose keys are ever new.
func leakCache(r *run) {
	cache := map[string][]byte{}
	var b budget
	r.sessions(500, 50000, 300)
	r.garbage(20e6)
	r.every(10*time.Millisecond, func(seconds float64) {
		b.spend(1000*seconds, func() int {
			cache[fmt.Sprintf("user:%d", len(cache))] = make([]byte, 200+r.Intn(1000))
			return 1
		})
	})
}

// One request in thirty fails, and is not taken off the list of those in flight.
func leakErrors(r *run) {
	keep := data(8)
	inFlight := map[int][]byte{}
	request := 0
	var b budget
	r.sessions(150, 30000, 150)
	r.every(10*time.Millisecond, func(seconds float64) {
		b.spend(400*seconds, func() int {
			request++
			inFlight[request] = make([]byte, 40000)
			if request%30 != 0 {
				delete(inFlight, request)
			}
			return 1
		})
	})
	runtime.KeepAlive(keep)
}

// A request that times out leaves the goroutine behind that works for it.
func leakGoroutines(r *run) {
	var b budget
	r.sessions(200, 20000, 200)
	r.garbage(12e6)
	r.every(10*time.Millisecond, func(seconds float64) {
		b.spend(60*seconds, func() int {
			answer := make(chan []byte)
			go func(size int) {
				buffer := make([]byte, size)
				time.Sleep(4 * time.Millisecond)
				answer <- buffer
			}(4096 + r.Intn(4096))
			go func() {
				select {
				case <-answer:
				case <-time.After(time.Millisecond):
				}
			}()
			return 1
		})
	})
}

// Responses whose body nobody closes.
func leakHTTPBody(r *run) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write(make([]byte, 20000))
	}))
	client := &http.Client{Transport: &http.Transport{}}
	r.garbage(6e6)
	var b budget
	r.every(30*time.Millisecond, func(seconds float64) {
		b.spend(25*seconds, func() int {
			if response, err := client.Get(server.URL); err == nil {
				_ = response
			}
			return 1
		})
	})
}

// A feature that is turned on after a while.
func leakLate(r *run) {
	var b budget
	r.sessions(400, 50000, 250)
	r.garbage(20e6)
	r.every(10*time.Millisecond, func(seconds float64) {
		if r.age() > 20 {
			r.lose(&b, 900e3*seconds)
		}
	})
}

// Nothing but retention: the heap doubles from cycle to cycle.
func leakRetention(r *run) {
	var b budget
	r.every(20*time.Millisecond, func(seconds float64) { r.lose(&b, 1500e3*seconds) })
}

// Under a batch that grows to 30 MB every 3 s.
func leakSawtooth(r *run) {
	var batch [][]byte
	var b, fill budget
	last := 0
	r.garbage(10e6)
	r.every(10*time.Millisecond, func(seconds float64) {
		if turn := int(r.age() / 3); turn != last {
			batch, last = nil, turn
		}
		fill.spend(10e6*seconds, func() int {
			batch = append(batch, make([]byte, 8192))
			return 8192
		})
		r.lose(&b, 700e3*seconds)
	})
}

// A slow leak in a large noisy heap.
func leakSlow(r *run) {
	keep := data(20)
	var b budget
	r.sessions(800, 40000, 400)
	r.garbage(30e6)
	r.every(50*time.Millisecond, func(seconds float64) { r.lose(&b, 350e3*seconds) })
	runtime.KeepAlive(keep)
}

// Every 4 s a reload keeps the old configuration.
func leakSteps(r *run) {
	keep := data(10)
	var old [][][]byte
	r.garbage(25e6)
	r.sessions(100, 20000, 150)
	r.every(50*time.Millisecond, func(float64) {
		if r.age() > 4*float64(len(old)+1) {
			old = append(old, data(5))
		}
	})
	runtime.KeepAlive(keep)
}

// Sessions that subscribe to a bus and never leave it.
func leakSubscribers(r *run) {
	var bus []func(int)
	var b budget
	r.garbage(15e6)
	r.every(10*time.Millisecond, func(seconds float64) {
		b.spend(200*seconds, func() int {
			state := make([]byte, 3000)
			bus = append(bus, func(event int) { state[0] = byte(event) })
			return 1
		})
		for _, listener := range bus[:len(bus)/100] {
			listener(1)
		}
	})
}

// Headers of 16 bytes that keep their whole message.
func leakSubslices(r *run) {
	keep := data(12)
	var headers [][]byte
	var b budget
	r.garbage(8e6)
	r.every(50*time.Millisecond, func(seconds float64) {
		b.spend(80*seconds, func() int {
			message := make([]byte, 65536)
			if r.Intn(5) == 0 {
				headers = append(headers, message[:16])
			}
			return 1
		})
	})
	runtime.KeepAlive(keep)
}
