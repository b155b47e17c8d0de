//go:build withcgo

package main

// static int twice(int x) { return 2 * x; }
import "C"

var _ = C.twice(21)
