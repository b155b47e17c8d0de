package main

import "bytes"

// A method.
type cache struct{ entries [][]byte }

var answers = &cache{}

//go:noinline
func (c *cache) put() {
	value := make([]byte, 1024) // LEAK:method
	c.entries = append(c.entries, value)
}

// A closure that is registered and never removed.
var hooks []func() int

//go:noinline
func register() {
	hook := func(size int) func() int {
		captured := make([]byte, size) // LEAK:closure
		return func() int { return len(captured) }
	}
	hooks = append(hooks, hook(6144))
}

// A generic method.
type item[T any] struct {
	value T
	next  *item[T]
}

type stack[T any] struct{ top *item[T] }

//go:noinline
func (s *stack[T]) push(value T) {
	s.top = &item[T]{value: value, next: s.top} // LEAK:generic
}

type event struct{ words [63]int64 }

var events stack[event]

// A function that is inlined, in one that is inlined.
type node struct {
	next *node
	pad  [504]byte
}

func newNode(next *node) *node {
	return &node{next: next} // LEAK:inlined
}

var list *node

func grow() { list = newNode(list) }

//go:noinline
func chain() { grow() }

// The allocation is in the standard library.
var audits []*bytes.Buffer

//go:noinline
func audit() {
	buffer := new(bytes.Buffer)
	buffer.Grow(1024) // LEAK:stdlib
	audits = append(audits, buffer)
}

// A short piece that keeps a long string alive.
var names []string

//go:noinline
func load() string {
	var text [4096]byte
	text[0] = byte(len(names))
	return string(text[:]) // LEAK:substring
}

//go:noinline
func remember() { names = append(names, load()[:8]) }
