package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
)

// sampling measures what sampling costs a program: with it and without in turn, in one process, so that what else the machine
// does is the same for both.
func sampling(work string, pairs int) {
	round, known := map[string]func(){"trees": manyTrees, "documents": manyDocuments, "hashes": manyHashes}[work]
	if !known {
		die(usage)
	}
	for waited := 0; runtime.MemProfileRate == 0; waited++ {
		if waited == 1000 {
			die("probe: nobody switched sampling on in 10 s")
		}
		time.Sleep(10 * time.Millisecond)
	}
	// Whoever switched it on may look at what it costs, and is done with that after the first seconds of work.
	for began := cpuSeconds(); cpuSeconds() < began+5; {
		round()
		runtime.GC()
	}
	rate := runtime.MemProfileRate
	timed := func(rate int) float64 {
		runtime.MemProfileRate = rate
		before := cpuSeconds()
		round()
		// What was sampled is freed in the round, too.
		runtime.GC()
		return cpuSeconds() - before
	}
	timed(rate)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for pair := 0; pair < pairs; pair++ {
		var on, off float64
		// Each first every other time.
		if pair%2 == 0 {
			on = timed(rate)
			off = timed(0)
		} else {
			off = timed(0)
			on = timed(rate)
		}
		fmt.Fprintf(os.Stderr, "probe: off %.6f s, on %.6f s\n", off, on)
	}
	runtime.MemProfileRate = rate
	runtime.ReadMemStats(&after)
	fmt.Fprintf(os.Stderr, "probe: %d bytes a round, %d to a sample\n", (after.TotalAlloc-before.TotalAlloc)/uint64(2*pairs), rate)
	fmt.Println("probe: done")
}

func manyTrees() {
	for n := 0; n < 1000; n++ {
		grown(12)
	}
}

// manyHashes computes, and allocates little.
func manyHashes() {
	block := make([]byte, 1<<20)
	for n := 0; n < 100; n++ {
		block[n] = sha256.Sum256(block)[n%sha256.Size]
		grown(5)
	}
}

// manyDocuments reads and writes a document as services do, without types of its own.
func manyDocuments() {
	type item struct {
		ID    int               `json:"id"`
		Name  string            `json:"name"`
		Tags  []string          `json:"tags"`
		Price float64           `json:"price"`
		Attrs map[string]string `json:"attrs"`
	}
	var items []item
	for i := 0; i < 50; i++ {
		items = append(items, item{i, fmt.Sprint("item ", i), []string{"red", "round", "new"}, float64(i) * 1.5, map[string]string{"size": "large", "from": "somewhere"}})
	}
	for n := 0; n < 400; n++ {
		text, err := json.Marshal(items)
		if err != nil {
			die(err.Error())
		}
		var read any
		if err := json.Unmarshal(text, &read); err != nil {
			die(err.Error())
		}
	}
}

// cpuSeconds is the CPU time of the whole process.
func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		die(err.Error())
	}
	seconds := func(time syscall.Timeval) float64 { return float64(time.Sec) + float64(time.Usec)/1e6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}
