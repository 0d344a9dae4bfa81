// Command bench measures mlbuild beside Dockerfiles on this machine and writes docs/performance.json, docs/performance.md and
// the plots in docs/img. `make bench` runs it; BENCH=full adds torch, more repetitions and
// more scenarios; ONLY=part,part runs some parts and keeps the figures of the others.
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
	var o options
	flag.BoolVar(&o.full, "full", os.Getenv("BENCH") == "full", "the long form: more repetitions, torch, parallel builds, a slow registry")
	flag.StringVar(&o.only, "only", os.Getenv("ONLY"), "parts to run, separated by commas: "+strings.Join(report.Parts, ", ")+
		" (default all); their figures take the place of those that performance.json has of them")
	flag.StringVar(&o.out, "out", "docs", "directory for performance.json, performance.md and img/, below the repository's root")
	flag.BoolVar(&o.prepare, "prepare", false, "measure nothing; make the locks and fetch the wheels")
	flag.BoolVar(&o.render, "render", false, "measure nothing; write the report and the plots again from performance.json")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

type options struct {
	full, prepare, render bool
	only, out             string
}

func run(ctx context.Context, o options) error {
	root, err := testbed.Root()
	if err != nil {
		return err
	}
	if !filepath.IsAbs(o.out) {
		o.out = filepath.Join(root, o.out)
	}
	data := filepath.Join(o.out, "performance.json")
	var failed error
	if !o.render {
		if failed = measureAll(ctx, o, data); o.prepare {
			return failed
		}
	}
	r, err := load(data)
	if err != nil {
		return errors.Join(failed, err)
	}
	return errors.Join(failed, report.Write(o.out, r))
}

// measureAll runs the parts and saves after each of them what it measured; it cleans up, whatever happened before.
func measureAll(ctx context.Context, o options, file string) (err error) {
	if err := known(o.only); err != nil {
		return err
	}
	b, err := newBench(ctx, o.full, o.prepare)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	r, err := earlier(file, o.only, b.machine)
	if err != nil {
		return err
	}
	var errs []error // a part that fails leaves the others
	for _, p := range parts {
		if !p.wanted(o.only, o.full) || ctx.Err() != nil {
			continue
		}
		done, err := b.runPart(ctx, p)
		if err != nil {
			say("%s failed", p.name)
			errs = append(errs, fmt.Errorf("%s: %w", p.name, err))
			continue
		}
		if o.prepare {
			continue
		}
		say("%s: %.0f s measured", p.name, done.Seconds)
		r.Replace(done, b.loads, b.samples, report.Parts)
		errs = append(errs, save(file, r))
	}
	return errors.Join(errs...)
}

// earlier is what the file holds, if only some parts are to run; else an empty run. Figures of another machine are not mixed in.
func earlier(file, only string, m results.Machine) (*results.Run, error) {
	fresh := &results.Run{Machine: m}
	if only == "" {
		return fresh, nil
	}
	r, err := load(file)
	if errors.Is(err, os.ErrNotExist) {
		return fresh, nil
	}
	if err != nil {
		return nil, err
	}
	if !r.Machine.Same(m) {
		return nil, fmt.Errorf("%s is of another machine (%+v, this is %+v): run without -only, or with another -out", file, r.Machine, m)
	}
	r.Machine = m
	return r, nil
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
