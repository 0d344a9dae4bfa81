package main

import (
	"errors"
	"io/fs"

	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// readLocks reads mlbuild.lock and each profile's lock, where there is one.
func (p *project) readLocks() error {
	var faults fault.List
	read := func(path string) []byte {
		data, err := fs.ReadFile(p.files, path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			faults = append(faults, fault.New(fault.Lock, "the lock cannot be read: %w", pathCause(err)).In(fault.Position{File: path}))
		}
		return data
	}
	p.systemLock = read(buildlock.FileName)
	for i := range p.variants {
		v := &p.variants[i]
		if len(v.Recipes) == 0 {
			continue
		}
		r := v.Recipes[0]
		v.Lock, v.StageLocks = read(r.Requires.Lock), map[string][]byte{}
		if r.Testing != nil {
			v.StageLocks["testing"] = read(r.Testing.Requires.Lock)
		}
		if r.Dev != nil {
			v.StageLocks["dev"] = read(r.Dev.Requires.Lock)
		}
	}
	return faults.Err()
}
