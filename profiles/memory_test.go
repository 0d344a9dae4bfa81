package profiles

import (
	"testing"
	"testing/fstest"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// memory is a project in memory: contents by path.
type memory map[string]string

func (m memory) fs() fstest.MapFS {
	files := fstest.MapFS{}
	for name, data := range m {
		files[name] = &fstest.MapFile{Data: []byte(data), Mode: 0o644}
	}
	return files
}

// faultsOf returns the faults of an error and wants n of them.
func faultsOf(t *testing.T, err error, n int) fault.List {
	t.Helper()
	list := fault.All(err)
	if len(list) != n {
		t.Fatalf("got %d faults, want %d: %v", len(list), n, err)
	}
	return list
}
