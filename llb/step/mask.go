package step

import (
	"bytes"
	"io"
)

// masker writes a stream on with every secret's value replaced by stars. It holds back only what may be the beginning of a value.
type masker struct {
	to      io.Writer
	needles []needle
	held    []byte
}

var stars = []byte("***")

// Write implements io.Writer.
func (m *masker) Write(p []byte) (int, error) {
	m.held = append(m.held, p...)
	for _, n := range m.needles {
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
