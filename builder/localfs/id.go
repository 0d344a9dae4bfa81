package localfs

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mlbuild/mlbuild/builder/statefile"
)

// ID names a client among all clients of a daemon, and is known to no other.
type ID [16]byte

// idFile holds a client's ID as hex, in its state.
const idFile = "client-id"

// clientID returns the ID in a state directory, and makes one where there is none. Where it cannot be kept, this run has one of its own.
func clientID(state string) (id ID) {
	if id, ok := readID(state); ok {
		return id
	}
	_, _ = rand.Read(id[:])
	if state == "" || os.MkdirAll(state, 0o700) != nil {
		return id
	}
	path, text := filepath.Join(state, idFile), []byte(hex.EncodeToString(id[:])+"\n")
	if errors.Is(statefile.Put(path, text, os.Link), fs.ErrExist) {
		if other, ok := readID(state); ok {
			return other // a run that began at the same time was first
		}
		_ = statefile.Put(path, text, os.Rename) // it is damaged
	}
	return id
}

func readID(state string) (id ID, ok bool) {
	data, err := os.ReadFile(filepath.Join(state, idFile))
	if err != nil {
		return id, false
	}
	return id, decode(id[:], strings.TrimSpace(string(data)))
}
