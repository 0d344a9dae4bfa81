package service

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// What is kept of a service's log, in bytes, and of its end in lines.
const (
	passedOn  = 64 << 10 // to our own output: what records a build cuts off more
	kept      = 64 << 10 // of the end
	lineBytes = 1000     // of a line
	endBytes  = 16 << 10 // of the last lines
	endLines  = 50
)

// journal takes a service's log: the beginning goes on to another writer, the end is kept, what is between is counted. Values of secrets are in neither.
type journal struct {
	mu     sync.Mutex
	out    io.Writer
	hidden *masker
	end    []byte
	seen   int64 // bytes
	passed int64
	last   byte // that was passed on
	read   *os.File
	done   chan struct{}
}

func newJournal(out io.Writer, hidden secrets) *journal {
	j := &journal{out: out, done: make(chan struct{})}
	j.hidden = &masker{to: j.keep, values: hidden}
	return j
}

// pipe returns the end to write to. What comes there is read until all who have it are gone.
func (j *journal) pipe() (*os.File, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	j.read = read
	go func() {
		defer close(j.done)
		buf := make([]byte, 64<<10)
		for {
			n, err := read.Read(buf)
			j.mu.Lock()
			j.hidden.write(buf[:n])
			j.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return write, nil
}

// keep takes what has no secrets in it any more.
func (j *journal) keep(p []byte) {
	j.seen += int64(len(p))
	if n := min(int64(len(p)), passedOn-j.passed); n > 0 {
		_, _ = j.out.Write(p[:n]) // who does not listen misses it
		j.passed, j.last = j.passed+n, p[n-1]
	}
	if len(p) > kept {
		p = p[len(p)-kept:]
	}
	if j.end = append(j.end, p...); len(j.end) > 2*kept {
		j.end = append(j.end[:0], j.end[len(j.end)-kept:]...)
	}
}

// close takes the rest, for a second at most: a process that nobody can kill may hold the pipe. It says how much was left out.
func (j *journal) close() {
	if j.read != nil {
		select {
		case <-j.done:
		case <-time.After(time.Second):
		}
		_ = j.read.Close()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.hidden.flush()
	if j.passed > 0 && j.last != '\n' {
		_, _ = j.out.Write([]byte("\n"))
	}
	if left := j.seen - j.passed; left > 0 {
		fmt.Fprintf(j.out, "mlbuild: %s of log left out\n", size(left))
	}
}

// size is a number of bytes for people.
func size(n int64) string {
	if n < 100_000 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// lastLines returns the end of the log.
func (j *journal) lastLines() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return lastLines(j.end)
}

// lastLines returns the last lines of a text, long ones cut.
func lastLines(text []byte) string {
	lines := bytes.Split(bytes.TrimRight(text, "\n"), []byte("\n"))
	lines = lines[max(0, len(lines)-endLines):]
	from, total := len(lines), 0
	for from > 0 && total < endBytes {
		from--
		line := bytes.TrimRight(lines[from], "\r")
		if len(line) > lineBytes {
			line = append(bytes.Clone(line[:lineBytes]), "…"...)
		}
		lines[from] = line
		total += len(line) + 1
	}
	return strings.ToValidUTF8(string(bytes.Join(lines[from:], []byte("\n"))), "�")
}

// beginning is the first bytes of a text on one line, for a message.
func beginning(text []byte, n int) string {
	cut := len(text) > n
	if cut {
		text = text[:n]
	}
	line := strings.Join(strings.Fields(strings.ToValidUTF8(string(text), "�")), " ")
	if cut {
		line += "…"
	}
	return line
}
