//go:build pprof

package main

import (
	"os"
	"runtime"
	"runtime/pprof"
)

func init() {
	// Most is sampled, and all is scaled.
	runtime.MemProfileRate = 1024
	dump = func(name string) error {
		file, err := os.Create(name)
		if err != nil {
			return err
		}
		if err := pprof.Lookup("heap").WriteTo(file, 0); err != nil {
			return err
		}
		return file.Close()
	}
}
