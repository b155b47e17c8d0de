// Leaky is a small session service with the classic Go leak: a map that is only ever added to.
//
// Run it under gcwatch, which names the leak within a minute:
//
//	go build -o leaky . && gcwatch --on-leak stop -- ./leaky
//
// The other modes are healthy, and gcwatch calls them clean: sessions that expire (steady),
// a journal that is written out every few seconds (sawtooth), a store that fills up to its limit
// and stays there (warmup).
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

const (
	catalogueSize = 96 << 20 // what the service loads at its start and keeps
	cartSize      = 8 << 10  // what a session keeps
	pageSize      = 16 << 10 // what a request allocates and drops

	// Requests are answered at this pace, with a login among them whenever the rate asks for one.
	// It makes about 100 MiB of garbage a second, and so a GC cycle a second with GOGC=100.
	requestsPerSecond = 6400
	tick              = 10 * time.Millisecond

	sessionTTL   = 2 * time.Second // steady: sessions expire
	journalEvery = 7 * time.Second // sawtooth: the journal is written out
	fillTime     = 8 * time.Second // warmup: the store is full
)

// A session is what the service remembers of a visitor.
type session struct {
	user string
	cart []byte
	seen time.Time
}

// sessions is the store. It keeps the order of arrival to find the oldest.
type sessions struct {
	mu    sync.Mutex
	byID  map[uint64]*session
	first uint64 // the oldest that is still here
	next  uint64
}

func newSessions() *sessions {
	return &sessions{byID: make(map[uint64]*session)}
}

// put stores a copy of the cart: the caller uses its buffer again.
func (s *sessions) put(user string, cart []byte, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := make([]byte, len(cart))
	copy(kept, cart)
	s.byID[s.next] = &session{user: user, cart: kept, seen: now}
	s.next++
}

// expire forgets the sessions that nobody has used since the given time.
// This is what a leaking service never calls.
func (s *sessions) expire(before time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.first < s.next && s.byID[s.first].seen.Before(before) {
		delete(s.byID, s.first)
		s.first++
	}
}

// limit forgets the oldest sessions until no more than this many are left.
func (s *sessions) limit(count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.byID) > count {
		delete(s.byID, s.first)
		s.first++
	}
}

func (s *sessions) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byID)
}

// A journal collects entries and writes them out together.
type journal struct {
	entries [][]byte
	since   time.Time
}

func (j *journal) add(entry []byte, now time.Time) {
	j.entries = append(j.entries, append([]byte(nil), entry...))
	if now.Sub(j.since) >= journalEvery {
		j.entries = nil
		j.since = now
	}
}

// A service answers requests; what it does with a login is its mode.
type service struct {
	mode      string
	rate      byteSize
	catalogue [][]byte
	sessions  *sessions
	journal   journal
	cart      []byte
	served    int
	logins    int
}

func loadCatalogue() [][]byte {
	products := make([][]byte, catalogueSize/cartSize)
	for i := range products {
		products[i] = bytes.Repeat([]byte{byte(i)}, cartSize)
	}
	return products
}

// render answers one request; the page is garbage as soon as it is sent.
func (s *service) render(id int) {
	page := bytes.NewBuffer(make([]byte, 0, pageSize))
	fmt.Fprintf(page, "<title>request %d</title>", id)
	page.Write(s.catalogue[id%len(s.catalogue)])
	_, _ = page.WriteTo(io.Discard)
}

func (s *service) login(now time.Time) {
	s.logins++
	if s.mode == "sawtooth" {
		s.journal.add(s.cart, now)
		return
	}
	s.sessions.put(fmt.Sprintf("visitor-%d", s.logins), s.cart, now)
	switch s.mode {
	case "steady":
		s.sessions.expire(now.Add(-sessionTTL))
	case "warmup":
		s.sessions.limit(int(float64(s.rate) * fillTime.Seconds() / cartSize))
	}
}

// serve works until it is told to stop. Both paces follow the clock, not the ticks, so that a busy
// machine makes the service late but not slow.
func (s *service) serve(stop <-chan struct{}) {
	began := time.Now()
	s.journal.since = began
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
		now := time.Now()
		elapsed := now.Sub(began).Seconds()
		for s.served < int(elapsed*requestsPerSecond) {
			s.render(s.served)
			s.served++
			if s.served%requestsPerSecond == 0 {
				log.Printf("served %d requests, %d logins, %d sessions", s.served, s.logins, s.sessions.len())
			}
		}
		for s.logins < int(elapsed*float64(s.rate)/cartSize) {
			s.login(now)
		}
	}
}

// A byteSize is written as in GOMEMLIMIT: 1048576, 512KiB, 1MiB, 1GiB.
type byteSize int64

func (b *byteSize) String() string { return fmt.Sprint(int64(*b)) }

func (b *byteSize) Set(text string) error {
	var number int64
	var unit string
	if n, _ := fmt.Sscanf(text, "%d%s", &number, &unit); n == 0 || number < 0 {
		return fmt.Errorf("not a size: %q", text)
	}
	shift, ok := map[string]uint{"": 0, "B": 0, "KiB": 10, "MiB": 20, "GiB": 30}[unit]
	if !ok {
		return fmt.Errorf("unknown unit %q: KiB, MiB and GiB are known", unit)
	}
	*b = byteSize(number << shift)
	return nil
}

func main() {
	rate := byteSize(1 << 20)
	mode := flag.String("mode", "leak", "leak, steady, sawtooth or warmup")
	length := flag.Duration("for", 0, "end after this long; 0 means never")
	flag.Var(&rate, "rate", "how much is kept, in bytes a second")
	flag.Parse()
	switch *mode {
	case "leak", "steady", "sawtooth", "warmup":
	default:
		log.Fatalf("unknown mode %q: leak, steady, sawtooth and warmup are known", *mode)
	}

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	var end <-chan time.Time
	if *length > 0 {
		end = time.After(*length)
	}

	web := &service{
		mode:      *mode,
		rate:      rate,
		catalogue: loadCatalogue(),
		sessions:  newSessions(),
		cart:      make([]byte, cartSize),
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		web.serve(stop)
	}()
	log.Printf("serving (mode %s)", *mode)

	select {
	case got := <-signals:
		log.Printf("%s: shutting down", got)
	case <-end:
	}
	close(stop)
	<-done
	log.Printf("served %d requests", web.served)
}
