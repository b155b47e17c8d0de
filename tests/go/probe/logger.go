package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A style makes the n-th piece of the log. The same seed gives the same log in every run.
type style func(n int, dice *rand.Rand) []byte

// began is fixed, as the dice are: a log that fails can be made again.
var began = time.Date(2026, 11, 22, 13, 0, 0, 0, time.UTC)

func instant(n int) time.Time { return began.Add(time.Duration(n) * 137 * time.Microsecond) }

var styles = map[string]style{
	"date": func(n int, _ *rand.Rand) []byte {
		return []byte(instant(n).Format("2006/01/02 15:04:05.000000") + fmt.Sprintf(" GET /item/%d 200\n", n))
	},
	"rfc3339": func(n int, _ *rand.Rand) []byte {
		return []byte(instant(n).Format(time.RFC3339Nano) + fmt.Sprintf(" INFO request=%d\n", n))
	},
	"json": func(n int, _ *rand.Rand) []byte {
		return []byte(fmt.Sprintf(`{"time":%q,"level":"info","n":%d}`+"\n", instant(n).Format(time.RFC3339Nano), n))
	},
	// Digits at the start of a line could go on with a number of a torn trace line.
	"digits": func(n int, dice *rand.Rand) []byte {
		return []byte(strconv.Itoa(dice.Intn(1e6)) + []string{"\n", " MB goal\n", ".5 ms\n", "+3\n", "->4 items\n"}[n%5])
	},
	// Progress bars: a line ends only now and then, so trace lines begin behind unfinished ones.
	"unfinished": func(n int, _ *rand.Rand) []byte {
		switch n % 50 {
		case 49:
			return []byte("done\n")
		case 0:
			return []byte("loading ")
		default:
			return []byte(".")
		}
	},
	"colours": func(n int, _ *rand.Rand) []byte {
		return []byte(fmt.Sprintf("\x1b[3%dm%d\x1b[0m \x1b[1mrequest\x1b[22m\r\n", 1+n%7, n))
	},
	"random": func(_ int, dice *rand.Rand) []byte {
		// A lone digit or newline may be just the token that is due in a torn trace line: then nobody can tell which
		// of the two is the log's, and the one may stand in the place of the other.
		piece := make([]byte, 8+dice.Intn(200))
		dice.Read(piece)
		return piece
	},
	// Longer than the 4096 bytes that a pipe writes in one go.
	"long": func(n int, dice *rand.Rand) []byte {
		return append(bytes.Repeat([]byte{byte('a' + n%26)}, 30_000+dice.Intn(100)), '\n')
	},
	"lookalike": func(n int, _ *rand.Rand) []byte {
		const trace = "gc 3 @0.112s 2%: 0.018+1.3+0.076 ms clock, 0.036+0.35/1.2/0+0.15 ms cpu, 4->4->1 MB, 4 MB goal, 0 MB stacks, 0 MB globals, 2 P"
		return []byte([]string{
			"gc 12 things happened\n",
			`{"msg":"` + trace + `"}` + "\n",
			"[svc] " + trace + "\n", // relayed from another service
			"gc 3 @0.1s\n",
			"gc 777\n",
			trace[:1+n%(len(trace)-1)] + "\n", // cut short anywhere, but no lone newline: see random
			"gc\n",
			"GC forced? no\n",
			strings.ToUpper(trace) + "\n",
			"g",
			"gc 5 @2026/11/22 13:00:00 hello\n",
		}[n%11])
	},
}

// runLogger writes the log from one goroutine, flat out, while others make garbage.
func runLogger(name, amount string) {
	next, ok := styles[name]
	if !ok {
		die("unknown style: " + name)
	}
	count, err := strconv.Atoi(amount)
	var deadline time.Time
	if err != nil {
		length, err := time.ParseDuration(amount)
		if err != nil {
			die(usage)
		}
		count, deadline = math.MaxInt, time.Now().Add(length)
	}

	quiet := makeGarbage(2, 0)
	dice := rand.New(rand.NewSource(1))
	hash := sha256.New()
	written := 0
	for n := 0; n < count && (deadline.IsZero() || time.Now().Before(deadline)); n++ {
		piece := next(n, dice)
		write(piece)
		hash.Write(piece)
		written += len(piece)
	}
	quiet()
	// Waits for the cycle that runs, however long it takes: at the end of the program its line would be cut short.
	runtime.GC()
	fmt.Printf("{\"num_gc\": %d, \"sha256\": %q, \"bytes\": %d}\n", cycles(), hex.EncodeToString(hash.Sum(nil)), written)
}

// write makes one write(2) of a piece, as a logger does. (A signal may end a long one early: the
// rest follows.)
func write(piece []byte) {
	for len(piece) > 0 {
		n, err := syscall.Write(2, piece)
		if err != nil && err != syscall.EINTR && err != syscall.EAGAIN {
			die("stderr: " + err.Error())
		}
		if n > 0 {
			piece = piece[n:]
		}
	}
}
