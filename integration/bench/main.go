// Command bench measures mlbuild beside Dockerfiles on this machine and writes docs/performance.json, docs/performance.md and
// the plots in docs/img. `make bench` runs it; BENCH=full adds torch, more repetitions and more scenarios.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/mlbuild/mlbuild/integration/bench/report"
	"github.com/mlbuild/mlbuild/integration/bench/results"
	"github.com/mlbuild/mlbuild/integration/testbed"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == stopwatchArg {
		if err := stopwatch(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(1)
		}
		return
	}
	full := flag.Bool("full", os.Getenv("BENCH") == "full", "the long form: more repetitions, torch, parallel builds, a slow registry")
	only := flag.String("only", "", "parts to run, separated by commas: "+strings.Join(partNames(), ", ")+" (default all)")
	out := flag.String("out", "docs", "directory for performance.json, performance.md and img/, below the repository's root")
	render := flag.Bool("render", false, "measure nothing; write the report and the plots again from performance.json")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *full, *only, *out, *render); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, full bool, only, out string, render bool) error {
	root, err := testbed.Root()
	if err != nil {
		return err
	}
	if !filepath.IsAbs(out) {
		out = filepath.Join(root, out)
	}
	data := filepath.Join(out, "performance.json")
	if !render {
		if err := measureAll(ctx, full, only, data); err != nil {
			return err
		}
	}
	r, err := load(data)
	if err != nil {
		return err
	}
	return report.Write(out, r)
}

// measureAll runs the parts, saves what they measured and cleans up, whatever happened before.
func measureAll(ctx context.Context, full bool, only, file string) (err error) {
	b, err := newBench(ctx, full)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	for _, p := range parts {
		if !p.wanted(only, full) {
			continue
		}
		if err := p.run(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	b.result.Seconds = b.spent.Seconds()
	say("measured; removing the daemons' states")
	return save(file, b.result)
}

func save(file string, r *results.Run) error {
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}

func load(file string) (*results.Run, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := &results.Run{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}

// say tells on stderr how far the run is.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}
