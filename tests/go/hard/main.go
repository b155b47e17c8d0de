// Command hard runs Go programs whose heaps are hard to judge: healthy ones that climb for a while, and slow leaks under
// noise. Which is which is known from their code. They are recorded by `record`, to measure the leak rule with.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"
	"time"
)

func printAll() {
	names := make([]string, 0, len(programs))
	for name := range programs {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		label := "healthy"
		if programs[name].leak {
			label = "leak"
		}
		fmt.Println(name, label, programs[name].set)
	}
}

func main() {
	seed := flag.Int64("seed", 1, "what the sizes and rates are drawn from")
	dur := flag.Duration("dur", 90*time.Second, "run length")
	scale := flag.Float64("scale", 1, "multiplier of the program's own times: fills, ramps, periods")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: hard [-seed N] [-dur D] [-scale X] PROGRAM, or: hard list")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if flag.Arg(0) == "list" {
		printAll()
		return
	}
	p, ok := programs[flag.Arg(0)]
	if !ok {
		fmt.Fprintf(os.Stderr, "hard: no program %q: see hard list\n", flag.Arg(0))
		os.Exit(2)
	}
	w := newWorld(*seed, *dur, *scale)
	p.run(w)
	w.wait()
	truth, err := json.Marshal(w.truth())
	if err != nil {
		panic(err)
	}
	fmt.Println(string(truth))
}
