//go:build pprof

package main

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
)

// A build with -tags pprof writes a CPU profile and an allocation profile of each run into the directory that MLBUILD_PPROF names. For
// developers: a run is so short that the profiles of many are read together (go tool pprof DIR/cpu-*).
func init() {
	dir := os.Getenv("MLBUILD_PPROF")
	if dir == "" {
		return
	}
	file := func(kind string) *os.File {
		f, err := os.Create(filepath.Join(dir, kind+"-"+strconv.Itoa(os.Getpid())))
		if err != nil {
			panic(err)
		}
		return f
	}
	cpu := file("cpu")
	runtime.MemProfileRate = 16 << 10
	if err := pprof.StartCPUProfile(cpu); err != nil {
		panic(err)
	}
	atExit = func() {
		pprof.StopCPUProfile()
		_ = cpu.Close()
		allocs := file("allocs")
		_ = pprof.Lookup("allocs").WriteTo(allocs, 0)
		_ = allocs.Close()
	}
}
