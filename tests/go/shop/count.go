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
	{"method", 1024, answers.put},
	{"closure", 6144, register},
	{"generic", 512, func() { events.push(event{}) }},
	{"inlined", 512, chain},
	{"stdlib", 1024, audit},
	{"substring", 4096, remember},
}

var (
	steps int
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
		steps++
	}
	// The second publishes what was counted up to the first.
	runtime.GC()
	runtime.GC()
	for _, leak := range leaks {
		print(leak.name, "=", strconv.Itoa(leak.size), "x", strconv.Itoa(steps), " ")
	}
	print("\n")
}

func print(texts ...string) {
	os.Stdout.WriteString(strings.Join(texts, ""))
}

// count leaks as often as it is told, and says how often that was.
func count() {
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
