// stacks allocates for ever from 2^BITS different stacks (the first argument), and collects garbage often.
package main

import (
	"os"
	"strconv"
)

type leaf struct{ words [8]*leaf }

var (
	kept [1 << 15]*leaf
	next int
)

//go:noinline
func left(path uint, depth int) *leaf { return down(path, depth) }

//go:noinline
func right(path uint, depth int) *leaf { return down(path, depth) }

func down(path uint, depth int) *leaf {
	switch {
	case depth == 0:
		return &leaf{}
	case path&1 == 0:
		return left(path>>1, depth-1)
	default:
		return right(path>>1, depth-1)
	}
}

func main() {
	depth, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	random := uint(12345)
	for i := 0; ; i++ {
		random = random*1664525 + 1013904223
		kept[next%len(kept)] = left(random>>8, depth)
		next++
		if i == 1000000 {
			os.Stdout.WriteString("ready\n")
		}
	}
}
