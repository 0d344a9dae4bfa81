package runner

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/mlbuild/mlbuild/llb/step"
)

// masker writes a stream on with every secret's value replaced by stars. It holds back only what may be the beginning of a value.
type masker struct {
	to      io.Writer
	needles []needle
	held    []byte
	printed []string // ids of the secrets that were masked
}

var stars = []byte("***")

// Write implements io.Writer.
func (m *masker) Write(p []byte) (int, error) {
	m.held = append(m.held, p...)
	for _, n := range m.needles {
		if bytes.Contains(m.held, n.text) && !slices.Contains(m.printed, n.id) {
			m.printed = append(m.printed, n.id)
		}
		m.held = bytes.ReplaceAll(m.held, n.text, stars)
	}
	ready := len(m.held) - m.beginning()
	if _, err := m.to.Write(m.held[:ready]); err != nil {
		return 0, err
	}
	m.held = append(m.held[:0], m.held[ready:]...)
	return len(p), nil
}

// beginning is the length of the longest end of what is held that a value begins with.
func (m *masker) beginning() int {
	longest := 0
	for _, n := range m.needles {
		for k := min(len(n.text)-1, len(m.held)); k > longest; k-- {
			if bytes.HasSuffix(m.held, n.text[:k]) {
				longest = k
			}
		}
	}
	return longest
}

// Close writes what is held.
func (m *masker) Close() error {
	_, err := m.to.Write(m.held)
	m.held = nil
	return err
}

// warn ends the streams of a step and tells which secrets were masked in them: what prints a secret here prints it elsewhere too, where nobody masks it.
func warn(w io.Writer, streams ...*masker) {
	var printed []string
	for _, m := range streams {
		_ = m.Close()
		printed = append(printed, m.printed...)
	}
	slices.Sort(printed)
	for _, id := range slices.Compact(printed) {
		fmt.Fprintf(w, "%s: the commands print the value of the secret %q, which is masked here\n", step.PrintedCode, id)
	}
}
