//go:build pprof

package main

import (
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"runtime"
	"runtime/pprof"
)

func init() {
	if len(os.Args) == 1 {
		// Most is sampled, and all is scaled.
		runtime.MemProfileRate = 1024
	}
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

// It serves its profiles where it is told to.
func init() {
	address := os.Getenv("SHOP_LISTEN")
	if address == "" {
		return
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go http.Serve(listener, nil)
}
