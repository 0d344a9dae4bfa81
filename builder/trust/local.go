package trust

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mlbuild/mlbuild/builder/statefile"
)

// Local keeps records of what one daemon has made for this user, in the client's own state. The zero value keeps nothing.
type Local struct {
	Dir    string // "" = nothing is kept
	Daemon string // which daemon: its address and the id of its store
}

// Read returns what is kept under a name, nothing where that cannot be read or somebody else may have written it.
func (l Local) Read(name string) Record {
	if l.Dir == "" {
		return Record{}
	}
	path := l.file(name)
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0 {
		return Record{}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return Record{}
	}
	r, err := decode(data)
	if err != nil {
		return Record{}
	}
	return r
}

// Write keeps a record under a name.
func (l Local) Write(name string, r Record) error {
	if l.Dir == "" {
		return nil
	}
	data, err := r.encode()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(l.Dir, 0o700); err != nil {
		return fmt.Errorf("keep the record of layers: %w", err)
	}
	if err := statefile.Put(l.file(name), data, os.Rename); err != nil {
		return fmt.Errorf("keep the record of layers: %w", err)
	}
	return nil
}

// file is where a name is kept. References hold characters that file names must not have.
func (l Local) file(name string) string {
	sum := sha256.Sum256([]byte(l.Daemon + "\n" + name))
	return filepath.Join(l.Dir, hex.EncodeToString(sum[:16])+".json")
}
