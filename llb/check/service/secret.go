package service

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/mlbuild/mlbuild/llb/check"
)

// shortest is the shortest value that is hidden, in bytes: shorter ones stand in any text by chance.
const shortest = 6

// secrets are texts that nobody may see, the longest first.
type secrets [][]byte

// readSecrets reads files. A value is hidden whole, in base64, and each of its lines; a file that is not there is a secret that was not given.
func readSecrets(files []string) (all secrets, err error) {
	for _, file := range files {
		data, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("a secret cannot be read: %w", err)
		}
		value := bytes.TrimSpace(data)
		whole := value[:len(value)/3*3] // what follows would change the last characters
		all = append(all, value, []byte(base64.StdEncoding.EncodeToString(whole)))
		for line := range bytes.Lines(value) {
			all = append(all, bytes.TrimSpace(line))
		}
	}
	all = slices.DeleteFunc(all, func(text []byte) bool { return len(text) < shortest })
	slices.SortStableFunc(all, func(a, b []byte) int { return len(b) - len(a) })
	return all, nil
}

// hide returns a text with stars in place of secrets.
func (s secrets) hide(text []byte) []byte {
	for _, value := range s {
		text = bytes.ReplaceAll(text, value, []byte("***"))
	}
	return text
}

// inReport hides secrets in all texts of a report.
func (s secrets) inReport(r check.Report) check.Report {
	text := func(t *string) { *t = string(s.hide([]byte(*t))) }
	for i := range r.Faults {
		f := &r.Faults[i]
		for _, t := range []*string{&f.Text, &f.Output, &f.File, &f.Program} {
			text(t)
		}
		for i := range f.Hints {
			text(&f.Hints[i])
		}
	}
	for i := range r.Notes {
		text(&r.Notes[i])
	}
	return r
}

// masker passes a stream on with stars in place of secrets. It holds back only what may be the beginning of one.
type masker struct {
	to     func([]byte)
	values secrets
	held   []byte
}

func (m *masker) write(p []byte) {
	if len(m.values) == 0 {
		m.to(p)
		return
	}
	m.held = m.values.hide(append(m.held, p...))
	ready := len(m.held) - m.begun()
	m.to(m.held[:ready])
	m.held = append(m.held[:0], m.held[ready:]...)
}

// flush passes on what was held back.
func (m *masker) flush() {
	m.to(m.held)
	m.held = nil
}

// begun is the length of the longest end of what is held that a value begins with.
func (m *masker) begun() (longest int) {
	for _, value := range m.values {
		for n := min(len(value)-1, len(m.held)); n > longest; n-- {
			if bytes.HasSuffix(m.held, value[:n]) {
				longest = n
			}
		}
	}
	return longest
}
