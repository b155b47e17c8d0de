// shop is a service with leaks at lines that are marked `// LEAK:NAME`, beside lines marked `// NOISE:NAME` that allocate
// more and leak nothing. It runs until it gets SIGTERM.
//
//	shop leak         25 KiB every 10 ms, the half of it sessions
//	shop goroutines   ten goroutines every 10 ms that wait for ever
//	shop quiet        the noise alone
//
// Without an argument it leaks as often as it is told, and counts it. It takes commands from standard input, a line each, and
// answers each with one line:
//
//	step N      leaks N times at each line but those of sessions, then says of each: NAME=SIZExCOUNT
//	dump FILE   writes its own heap profile (only with -tags pprof)
//	quit
package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"example.com/shop/sessions"
)

type hub struct{ subscribers int }

//go:noinline
func (h *hub) subscribe(events chan int) {
	h.subscribers++
	go func() { // LEAK:goroutine
		<-events
	}()
}

// base is what a service holds anyway; nobody touches it, so it takes no memory.
var base []byte

func main() {
	if len(os.Args) == 1 {
		count()
		return
	}
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: shop [leak|goroutines|quiet]")
		os.Exit(64)
	}
	terms := make(chan os.Signal, 1)
	signal.Notify(terms, syscall.SIGTERM)
	go func() {
		// Enough cycles for a verdict, at little cost.
		for range time.Tick(200 * time.Millisecond) {
			runtime.GC()
		}
	}()
	if os.Args[1] == "leak" {
		// A leak that adds to a heap is flagged sooner than one that multiplies it.
		base = make([]byte, 256<<20)
	}
	store, subscriptions := sessions.NewStore(), &hub{}
	ticks := time.NewTicker(10 * time.Millisecond)
	for tick := 0; ; tick++ {
		select {
		case <-terms:
			fmt.Println("shop: closed")
			return
		case <-ticks.C:
		}
		switch os.Args[1] {
		case "leak":
			for i := 0; i < 6; i++ {
				store.New(tick*6 + i)
			}
			register()
			for i := 0; i < 6; i++ {
				events.push(event{})
			}
			for i := 0; i < 4; i++ {
				chain()
			}
			audit()
			audit()
		case "goroutines":
			for i := 0; i < 5; i++ {
				subscriptions.subscribe(make(chan int))
			}
		}
		churn()
		turn(tick)
		write()
	}
}
