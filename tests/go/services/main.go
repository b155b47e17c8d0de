// Command services plays small services, some that leak memory and some that only look like it.
//
//	services MODE SECONDS
//
// It runs for so long and ends with 0; without arguments it lists the modes. The same garbage, sessions and requests
// come in every run.
package main

import (
	"fmt"
	"math/rand"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"
)

// A mode is leak-… or ok-…, and the work of one service, which returns when the run is over.
var modes = map[string]func(*run){}

type run struct {
	*rand.Rand
	start time.Time
	end   time.Time
}

// age is how long the service has run, in seconds.
func (r *run) age() float64 { return time.Since(r.start).Seconds() }

func (r *run) over() bool { return time.Now().After(r.end) }

// every calls step each so often, with the time since the last call, until the run is over. What a step does is to be
// in proportion to that time, since a busy machine delays it.
func (r *run) every(pause time.Duration, step func(seconds float64)) {
	last := time.Now()
	for !r.over() {
		time.Sleep(pause)
		now := time.Now()
		step(now.Sub(last).Seconds())
		last = now
	}
}

// budget turns a rate into whole pieces: what is left over counts in the next step.
type budget struct{ left float64 }

func (b *budget) spend(amount float64, piece func() int) {
	for b.left += amount; b.left > 0; {
		b.left -= float64(piece())
	}
}

// garbage allocates so many bytes a second beside the service, in pieces that live for a moment.
func (r *run) garbage(rate float64) {
	random := rand.New(rand.NewSource(7))
	ring := make([][]byte, 128)
	go r.every(5*time.Millisecond, func(seconds float64) {
		var b budget
		b.spend(rate*seconds, func() int {
			size := 256 + random.Intn(8192)
			ring[random.Intn(len(ring))] = make([]byte, size)
			return size
		})
	})
}

// sessions keeps so many of about that size, and replaces so many a second: a level that wanders.
func (r *run) sessions(count, mean int, rate float64) {
	random := rand.New(rand.NewSource(8))
	session := func() []byte {
		size := float64(mean) * random.ExpFloat64()
		if most := 20 * float64(mean); size > most {
			size = most
		}
		return make([]byte, 16+int(size))
	}
	all := make([][]byte, count)
	for i := range all {
		all[i] = session()
	}
	go r.every(20*time.Millisecond, func(seconds float64) {
		var b budget
		b.spend(rate*seconds, func() int {
			all[random.Intn(count)] = session()
			return 1
		})
	})
}

// data is so many MiB that stay.
func data(mib float64) (all [][]byte) {
	for n := int(mib * (1 << 20) / 4096); n > 0; n-- {
		all = append(all, make([]byte, 4096))
	}
	return all
}

func main() {
	if len(os.Args) != 3 || modes[os.Args[1]] == nil {
		var names []string
		for name := range modes {
			names = append(names, name)
		}
		sort.Strings(names)
		fmt.Fprintln(os.Stderr, "usage: services MODE SECONDS, where MODE is one of", strings.Join(names, ", "))
		os.Exit(2)
	}
	seconds, err := strconv.Atoi(os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "services:", err)
		os.Exit(2)
	}
	now := time.Now()
	modes[os.Args[1]](&run{rand.New(rand.NewSource(1)), now, now.Add(time.Duration(seconds) * time.Second)})
}
