// sites leaks at lines that are marked `// LEAK:NAME`, and counts what it leaks there. It takes commands from standard
// input, a line each, and answers each with one line:
//
//	step N      leaks N times at each line, then says of each: NAME=SIZExCOUNT
//	dump FILE   writes its own heap profile (only with -tags pprof)
//	quit
package main

import (
	"bufio"
	"os"
	"runtime"
	"strconv"
	"strings"
)

type leak struct {
	name string
	size int
	one  func()
}

var leaks = []leak{
	{"method", 1024, cache.put},
	{"closure", 4096, register},
	{"generic", 256, func() { events.push(event{}) }},
	{"inlined", 128, chain},
	{"stdlib", 2048, audit},
	{"substring", 4096, remember},
}

var (
	count int
	dump  func(file string) error
	waste [][]byte
)

// What dies young, and what is kept for a while: no leaks.
func noise() {
	for i := 0; i < 32; i++ {
		waste = append(waste, make([]byte, 512+64*i))
	}
	if len(waste) > 1000 {
		waste = nil
	}
}

func step(times int) {
	for i := 0; i < times; i++ {
		for _, leak := range leaks {
			leak.one()
		}
		noise()
		count++
	}
	// The second publishes what was counted up to the first.
	runtime.GC()
	runtime.GC()
	for _, leak := range leaks {
		print(leak.name, "=", strconv.Itoa(leak.size), "x", strconv.Itoa(count), " ")
	}
	print("\n")
}

func print(texts ...string) {
	os.Stdout.WriteString(strings.Join(texts, ""))
}

func main() {
	print("ready\n")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		switch words := strings.Fields(lines.Text()); {
		case len(words) == 2 && words[0] == "step":
			times, _ := strconv.Atoi(words[1])
			step(times)
		case len(words) == 2 && words[0] == "dump" && dump != nil:
			if err := dump(words[1]); err != nil {
				print(err.Error())
			}
			print("dumped\n")
		case len(words) == 1 && words[0] == "quit":
			return
		default:
			print("unknown command\n")
		}
	}
}
