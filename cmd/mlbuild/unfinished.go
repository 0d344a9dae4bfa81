package main

import (
	"os"
	"sync"
)

// unfinished are the files that a run has begun and not finished. The zero value has none.
type unfinished struct {
	mu    sync.Mutex
	files map[string]bool
}

func (u *unfinished) begin(path string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.files == nil {
		u.files = map[string]bool{}
	}
	u.files[path] = true
}

func (u *unfinished) end(path string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.files, path)
}

// remove removes them all.
func (u *unfinished) remove() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for path := range u.files {
		_ = os.Remove(path)
	}
}
