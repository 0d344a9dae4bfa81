package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/containerd/console"
	bkclient "github.com/moby/buildkit/client"

	"github.com/mlbuild/mlbuild/builder/rows"
)

const (
	redrawn   = 100 * time.Millisecond // how often the rows are drawn
	heartbeat = 15 * time.Second       // how often a log says what runs
)

// rowDisplay draws a build as rows: over each other in a terminal, else as a log.
type rowDisplay struct {
	out   io.Writer
	term  console.Console // nil = a log
	begun time.Time
	mu    sync.Mutex // guards what follows
	board rows.Board
	log   rows.Log
	said  []string // that has not been written yet
	drawn int      // lines that stand in the terminal
	asks  bool     // nothing is built: it is only asked what would be
	signs bool     // those before rows are coloured
	wrote bool     // something was written
}

func newRowDisplay(e *env, terminal bool) *rowDisplay {
	d := &rowDisplay{out: raw(e.stderr), begun: time.Now(), log: rows.Log{Every: heartbeat}}
	if terminal {
		d.term, d.signs = terminalOf(d.out), e.coloured()
	}
	return d
}

// take notes what the build of a profile says.
func (d *rowDisplay) take(profile string, s *bkclient.SolveStatus) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.said = append(d.said, d.board.Take(profile, s, time.Now())...)
}

// UpdateFrom draws until done is closed. Nothing comes through that channel: what builds say is taken under their profiles' names.
func (d *rowDisplay) UpdateFrom(_ context.Context, done chan *bkclient.SolveStatus) ([]bkclient.VertexWarning, error) {
	ticker := time.NewTicker(redrawn)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			d.draw(false)
		case <-done:
			d.draw(true)
			return nil, nil
		}
	}
}

// draw writes what is new. The last time everything is told, and of a build that had nothing to do just that.
func (d *rowDisplay) draw(last bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if last {
		d.board.End()
	}
	all := d.board.Rows(now)
	said := d.said
	d.said = nil
	if last && !d.asks && rows.Idle(all) && !d.wrote && len(said) == 0 && d.board.Complete() {
		said, all = []string{rows.Nothing + ", " + rows.Seconds(now.Sub(d.begun))}, nil
	}
	if d.term == nil {
		d.write(append(said, d.log.Lines(all, now, last)...))
		return
	}
	width, height := d.size()
	lines := rows.Frame(all, width-1, height-1)
	if last {
		lines = rows.Frame(all, width-1, 0)
	}
	d.redraw(said, lines)
}

// size is that of the terminal, 80 by 24 where it does not say.
func (d *rowDisplay) size() (width, height int) {
	size, err := d.term.Size()
	if err != nil || size.Width == 0 || size.Height == 0 {
		return 80, 24
	}
	return int(size.Width), int(size.Height)
}

// redraw writes lines that stay, and the rows below them in place of the last ones (ECMA-48: CPL, ED, EL).
func (d *rowDisplay) redraw(said, below []string) {
	var b strings.Builder
	if d.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dF", d.drawn)
	}
	for _, l := range said {
		b.WriteString(l + "\x1b[K\n")
	}
	for _, l := range below {
		b.WriteString(d.coloured(l) + "\x1b[K\n")
	}
	b.WriteString("\x1b[J")
	if d.drawn > 0 || len(said)+len(below) > 0 {
		_, _ = io.WriteString(d.out, b.String())
	}
	d.drawn = len(below)
}

// signColours are the colours of the signs before rows (ECMA-48, SGR).
var signColours = map[string]string{"✓": "32", "✗": "31", "▸": "36"}

// coloured is a line of a row with its sign in colour.
func (d *rowDisplay) coloured(line string) string {
	sign, rest, _ := strings.Cut(line, " ")
	if code := signColours[sign]; code != "" && d.signs {
		return "\x1b[" + code + "m" + sign + "\x1b[0m " + rest
	}
	return line
}

func (d *rowDisplay) write(lines []string) {
	for _, l := range lines {
		d.wrote = true
		fmt.Fprintln(d.out, l)
	}
}
