package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestNotesOnce: a note that was told when one display ended is not told again when the next one does.
func TestNotesOnce(t *testing.T) {
	var stderr bytes.Buffer
	e := &env{stderr: &stderr}
	s := &session{progress: &progress{}}
	s.note("first")
	s.end(e)
	s.note("first")
	s.note("second")
	s.end(e)
	if n := strings.Count(stderr.String(), "first"); n != 1 || strings.Count(stderr.String(), "second") != 1 {
		t.Errorf("told:\n%s", stderr.String())
	}
}
