package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// noteMu guards the notes of a session: profiles are built side by side.
var noteMu sync.Mutex

// note keeps a note until the display has ended. The same note is told once, in a run that has several displays too.
func (s *session) note(format string, args ...any) {
	noteMu.Lock()
	defer noteMu.Unlock()
	if n := fmt.Sprintf(format, args...); !slices.Contains(s.notes, n) && !slices.Contains(s.told, n) {
		s.notes = append(s.notes, n)
	}
}

func join(list []string) string { return strings.Join(list, ", ") }
