//go:build withcgo

package main

// static int twice(int number) { return 2 * number; }
import "C"

var twice = int(C.twice(21))
