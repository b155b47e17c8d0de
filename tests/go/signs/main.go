// Command signs does, for some seconds, what a GC trace tells of besides a leak.
//
//	signs stacks|churn|assist|forced|steady SECONDS
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

type node struct {
	next *node
	pad  [48]byte
}

// retain makes a list of so many MiB: much to mark.
func retain(mib int) *node {
	var list *node
	for i := 0; i < mib<<20/64; i++ {
		list = &node{next: list}
	}
	return list
}

var sink []byte

// garbage allocates so many MiB a second until the time is over.
func garbage(mib int, until time.Time) {
	for time.Now().Before(until) {
		for i := 0; i < mib; i++ {
			for j := 0; j < 1<<20/4096/100; j++ {
				sink = make([]byte, 4096)
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// wait blocks for ever, on a stack of some KiB.
func wait(depth int, block chan bool) byte {
	var frame [1024]byte
	frame[depth] = 1
	if depth > 0 {
		return wait(depth-1, block) + frame[depth-1]
	}
	<-block
	return frame[0]
}

func main() {
	seconds, err := strconv.Atoi(os.Args[len(os.Args)-1])
	if err != nil || len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: signs stacks|churn|assist|forced|steady SECONDS")
		os.Exit(2)
	}
	until := time.Now().Add(time.Duration(seconds) * time.Second)
	switch os.Args[1] {
	case "stacks":
		// Some MiB of stacks a second.
		block := make(chan bool)
		go garbage(20, until)
		start := time.Now()
		for waiting := 0; time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
			for ; waiting < int(500*time.Since(start).Seconds()); waiting++ {
				go wait(4, block)
			}
		}
	case "churn":
		// To be run with a small GOGC: a large heap is marked for every bit of garbage.
		list := retain(60)
		garbage(40, until)
		runtime.KeepAlive(list)
	case "assist":
		// To be run with GOMAXPROCS=1: it allocates faster than the background workers mark.
		list := retain(20)
		for time.Now().Before(until) {
			garbage(4000, time.Now().Add(5*time.Millisecond))
			time.Sleep(10 * time.Millisecond)
		}
		runtime.KeepAlive(list)
	case "forced":
		for time.Now().Before(until) {
			runtime.GC()
			time.Sleep(200 * time.Millisecond)
		}
	case "steady":
		list := retain(20)
		garbage(20, until)
		runtime.KeepAlive(list)
	}
}
