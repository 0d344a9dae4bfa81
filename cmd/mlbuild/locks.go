package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// readLocks reads each profile's lock, where there is one.
func (p *project) readLocks() error {
	var faults fault.List
	for i := range p.variants {
		v := &p.variants[i]
		if len(v.Recipes) == 0 {
			continue
		}
		path := v.Recipes[0].Requires.Lock
		data, err := os.ReadFile(filepath.Join(p.dir, filepath.FromSlash(path)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			faults = append(faults, fault.New(fault.Lock, "the lock cannot be read: %w", pathCause(err)).In(fault.Position{File: path}))
			continue
		}
		v.Lock = data
	}
	return faults.Err()
}
