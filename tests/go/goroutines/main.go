// goroutines starts 300 goroutines that wait for ever, says so, and waits for the end of its standard input.
package main

import (
	"os"
	"runtime"
)

type hub struct{}

//go:noinline
func (hub) subscribe(events chan int) {
	go func() { // LEAK:goroutine
		<-events
	}()
}

func main() {
	done := make(chan bool)
	for i := 0; i < 100; i++ {
		go func() { <-done }()
	}
	close(done)
	for i := 0; i < 300; i++ {
		hub{}.subscribe(make(chan int))
	}
	for runtime.NumGoroutine() > 301 {
		runtime.Gosched()
	}
	os.Stdout.WriteString("ready\n")
	os.Stdin.Read(make([]byte, 1))
}
