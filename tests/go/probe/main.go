// Probe is the Go program that the black-box tests run under gcwatch: each subcommand does one
// thing that a wrapper can get wrong, and makes garbage meanwhile so that the trace is busy.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const usage = `usage: probe COMMAND
  exit N            make garbage, print one line to stdout, exit with N
  segv              die of SIGSEGV, as a signal
  panic             panic in one goroutine of several
  goroutines N      block N goroutines, say "ready" on stderr, wait
  echo              copy stdin to stdout, then its sha256 to stderr
  server            say "listening" on stderr; on SIGTERM say "shutting down", exit 0
  ignore-term       the same, but SIGTERM does nothing
  forced N          call runtime.GC N times, with a log line after each
  logger STYLE N    write N lines (or for a DURATION) to stderr, a report to stdout
  garbage DURATION  make garbage at an easy pace
  trees N           build and drop N trees of 8191 nodes in each of two goroutines: nothing but
                    allocations; then say on stderr what CPU time it took
  sampling WORK N   wait until somebody switches heap sampling on from outside; then do 2N rounds
                    of WORK (trees, documents: JSON, or hashes: few allocations), switching it off
                    for every other one; say on stderr what CPU time each pair of rounds took, and what each allocated
  tree              run two children that make garbage, sharing stderr
  prefork N         run N children at once that make garbage for 50 cycles and more, sharing
                    stderr; each and the parent print {"pid": ..., "num_gc": ..., "kept_mib": ...}`

// easyPace makes some 15 GC cycles a second.
const easyPace = time.Millisecond

func main() {
	if len(os.Args) < 2 {
		die(usage)
	}
	switch command := os.Args[1]; command {
	case "exit":
		code := number(2)
		someCycles()
		fmt.Println("probe: done")
		os.Exit(code)
	case "segv":
		someCycles()
		segv()
	case "panic":
		panicAmongOthers()
	case "goroutines":
		blockMany(number(2))
	case "echo":
		echo()
	case "server", "ignore-term":
		server(command == "ignore-term")
	case "forced":
		forced(number(2))
	case "logger":
		runLogger(argument(2), argument(3))
	case "garbage":
		length, err := time.ParseDuration(argument(2))
		if err != nil {
			die(err.Error())
		}
		quiet := makeGarbage(1, easyPace)
		time.Sleep(length)
		quiet()
	case "trees":
		trees(number(2))
	case "sampling":
		sampling(argument(2), number(3))
	case "tree":
		tree()
	case "prefork":
		prefork(number(2))
	case "preforked":
		preforked(number(2))
	default:
		die(usage)
	}
}

func die(message string) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(64)
}

func argument(index int) string {
	if len(os.Args) <= index {
		die(usage)
	}
	return os.Args[index]
}

func number(index int) int {
	value, err := strconv.Atoi(argument(index))
	if err != nil || value < 0 {
		die(usage)
	}
	return value
}

// makeGarbage starts makers that each allocate 64 KiB per pause (without a pause: flat out).
// The returned function ends them and all further GC cycles, and waits until the runtime has
// written the last trace line: it does so after it has let the world go on, so that a program
// that exits at once may cut it short.
func makeGarbage(makers int, pause time.Duration) (quiet func()) {
	var stop int32
	var all sync.WaitGroup
	for i := 0; i < makers; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			var kept [8][]byte
			for n := 0; atomic.LoadInt32(&stop) == 0; n++ {
				kept[n%len(kept)] = make([]byte, 64<<10)
				if pause > 0 {
					time.Sleep(pause)
				}
			}
		}()
	}
	return func() {
		atomic.StoreInt32(&stop, 1)
		all.Wait()
		debug.SetGCPercent(-1)
		time.Sleep(100 * time.Millisecond)
	}
}

func cycles() uint32 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.NumGC
}

func someCycles() {
	quiet := makeGarbage(2, 0)
	for cycles() < 20 {
		time.Sleep(time.Millisecond)
	}
	quiet()
}

// segv gives SIGSEGV its default action back, past the Go runtime, which would make a panic of it.
func segv() {
	// A core file would land in the test's folder.
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
	// The kernel's struct sigaction, all zero: SIG_DFL, no flags, an empty mask of 8 bytes.
	var action [64]byte
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGSEGV),
		uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	if errno != 0 {
		die("rt_sigaction: " + errno.Error())
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGSEGV)
	time.Sleep(10 * time.Second)
	die("still alive")
}

func panicAmongOthers() {
	for i := 0; i < 5; i++ {
		go func() { select {} }()
	}
	someCycles()
	go func() { panic("probe: something is wrong") }()
	time.Sleep(time.Hour)
}

func blockMany(count int) {
	var started sync.WaitGroup
	for i := 0; i < count; i++ {
		started.Add(1)
		go func() {
			started.Done()
			select {}
		}()
	}
	started.Wait()
	someCycles()
	log.SetFlags(0)
	log.Print("ready")
	for {
		time.Sleep(time.Hour)
	}
}

func echo() {
	quiet := makeGarbage(2, 0)
	hash := sha256.New()
	if _, err := io.Copy(io.MultiWriter(os.Stdout, hash), os.Stdin); err != nil {
		die(err.Error())
	}
	quiet()
	fmt.Fprintln(os.Stderr, hex.EncodeToString(hash.Sum(nil)))
}

func server(ignoring bool) {
	terms := make(chan os.Signal, 8)
	if ignoring {
		signal.Ignore(syscall.SIGTERM)
	} else {
		signal.Notify(terms, syscall.SIGTERM)
	}
	quiet := makeGarbage(1, easyPace)
	log.Print("listening")
	<-terms
	log.Print("shutting down")
	quiet()
	time.Sleep(100 * time.Millisecond)
}

// forced logs while the cycle's line is being written: runtime.GC returns before that is done.
func forced(count int) {
	for i := 1; i <= count; i++ {
		runtime.GC()
		log.Printf("collected %d", i)
	}
	debug.SetGCPercent(-1)
	time.Sleep(100 * time.Millisecond)
}

type node struct{ left, right *node }

func grown(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{grown(depth - 1), grown(depth - 1)}
}

func trees(count int) {
	var all sync.WaitGroup
	for i := 0; i < 2; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for n := 0; n < count; n++ {
				grown(12)
			}
		}()
	}
	all.Wait()
	fmt.Fprintf(os.Stderr, "probe: cpu %.3f s\n", cpuSeconds())
	fmt.Println("probe: done")
}

func tree() {
	var children [2]*exec.Cmd
	for i := range children {
		child := exec.Command("/proc/self/exe", "garbage", "1s")
		child.Stderr = os.Stderr
		if err := child.Start(); err != nil {
			die(err.Error())
		}
		children[i] = child
	}
	quiet := makeGarbage(1, easyPace)
	for _, child := range children {
		if err := child.Wait(); err != nil {
			die(err.Error())
		}
	}
	quiet()
}

// prefork is a server with workers: the same program several times, started at the same moment.
func prefork(count int) {
	children := make([]*exec.Cmd, count)
	for i := range children {
		child := exec.Command("/proc/self/exe", "preforked", strconv.Itoa(i+1))
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		if err := child.Start(); err != nil {
			die(err.Error())
		}
		children[i] = child
	}
	preforked(0)
	for _, child := range children {
		if err := child.Wait(); err != nil {
			die(err.Error())
		}
	}
}

// preforked keeps more and works more slowly the higher its index is.
func preforked(index int) {
	kept := make([][]byte, 4*index)
	for i := range kept {
		kept[i] = make([]byte, 1<<20)
	}
	quiet := makeGarbage(1, easyPace)
	for cycles() < uint32(50+5*index) {
		time.Sleep(time.Millisecond)
	}
	quiet()
	fmt.Printf("{\"pid\": %d, \"num_gc\": %d, \"kept_mib\": %d}\n", os.Getpid(), cycles(), len(kept))
	runtime.KeepAlive(kept)
}
