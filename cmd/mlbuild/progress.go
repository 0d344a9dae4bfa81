package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	bkclient "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/util/progress/progressui"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// progressModes are the values of --progress.
var progressModes = []string{"auto", "buildkit", "plain", quietMode, "rawjson", "short", "tty"}

// display draws a build until there is nothing more to draw.
type display interface {
	UpdateFrom(context.Context, chan *bkclient.SolveStatus) ([]bkclient.VertexWarning, error)
}

// progress draws what all profiles of a run do on stderr: by our own rows, or with BuildKit's renderer. It is not on the run's context: a cancelled
// build is drawn to its end.
type progress struct {
	display display
	rows    *rowDisplay // what draws rows; nil = BuildKit draws
	prefix  bool        // several profiles: vertices carry the profile's name
	drawing bool        // for people, and not for programs
	start   sync.Once
	stop    sync.Once
	started bool
	in      chan *bkclient.SolveStatus
	sources sync.WaitGroup
	drawn   chan struct{}
}

func newProgress(e *env, mode string, profiles int) (*progress, error) {
	if mode == "auto" {
		mode = cmp.Or(e.get("BUILDKIT_PROGRESS"), mode)
	}
	if !slices.Contains(progressModes, mode) {
		return nil, fault.New(fault.Usage, "--progress: there is no mode %q", mode).Hint("the modes are: %s", strings.Join(progressModes, ", "))
	}
	if (mode == "tty" || mode == "buildkit") && !isTerminal(e.stderr) {
		return nil, fault.New(fault.Usage, "--progress %s: stderr is no terminal", mode).Hint("--progress auto chooses by itself")
	}
	p := &progress{prefix: profiles > 1, drawing: mode != "rawjson", in: make(chan *bkclient.SolveStatus), drawn: make(chan struct{})}
	switch mode {
	case "auto", "short", "tty":
		p.rows = newRowDisplay(e, mode != "short" && isTerminal(e.stderr) && e.get("TERM") != "dumb")
		p.display = p.rows
		return p, nil
	case "buildkit":
		mode = "tty"
	}
	display, err := progressui.NewDisplay(raw(e.stderr), progressui.DisplayMode(mode))
	if err != nil {
		return nil, fault.New(fault.Internal, "draw the progress: %w", err)
	}
	p.display = display
	return p, nil
}

// order has the rows of variants come in their order.
func (p *progress) order(variants []builder.Variant) {
	if p != nil && p.rows != nil {
		var names []string
		for _, v := range variants {
			names = append(names, v.Profile)
		}
		p.rows.board.Order(names)
	}
}

// asks says that nothing is built in the run.
func (p *progress) asks() {
	if p.rows != nil {
		p.rows.asks = true
	}
}

// status returns a channel for one profile; whoever takes it closes it. It implements builder.Request.Status.
func (p *progress) status(profile string) chan<- *bkclient.SolveStatus {
	p.start.Do(func() {
		p.started = true
		go func() {
			defer close(p.drawn)
			_, _ = p.display.UpdateFrom(context.Background(), p.in)
		}()
	})
	source := make(chan *bkclient.SolveStatus)
	p.sources.Go(func() {
		for s := range source {
			if p.prefix && p.rows == nil {
				s = withPrefix(s, profile)
			}
			if p.drawing {
				s = visibleStatus(s)
			}
			if p.rows != nil {
				p.rows.take(profile, s)
				continue
			}
			p.in <- s
		}
	})
	return source
}

// close waits until everything is drawn. Every channel that status gave must be closed, or about to be.
func (p *progress) close() {
	if !p.started {
		return
	}
	p.stop.Do(func() {
		p.sources.Wait()
		close(p.in)
		<-p.drawn
	})
}

// withPrefix names the profile in each vertex: "[wheels] numpy" becomes "[gpu wheels] numpy". The builder keeps the vertices it was given,
// so they are copied.
func withPrefix(s *bkclient.SolveStatus, profile string) *bkclient.SolveStatus {
	named := *s
	named.Vertexes = make([]*bkclient.Vertex, len(s.Vertexes))
	for i, v := range s.Vertexes {
		c := *v
		if rest, ok := strings.CutPrefix(c.Name, "["); ok {
			c.Name = "[" + profile + " " + rest
		} else {
			c.Name = "[" + profile + "] " + c.Name
		}
		named.Vertexes[i] = &c
	}
	return &named
}
