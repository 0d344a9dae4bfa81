package localfs

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// Dir is a project's directory, open: no link leads out of it.
type Dir struct {
	root *os.Root
	id   ID
	key  string
	sums *sums

	views views

	mu      sync.Mutex
	offered map[string]Selection
	err     error // the first transfer's that failed
}

// Open opens a project's directory. state is the client's own directory, which keeps its ID and the sums of large files; "" = nothing is kept, so that a daemon is
// sent everything again.
func Open(dir, state string) (*Dir, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	d := &Dir{root: root, id: clientID(state), offered: map[string]Selection{}}
	name := sha256.Sum256(append(d.id[:], dir...))
	d.key = "mlbuild-" + hex.EncodeToString(name[:16])
	d.sums = openSums(state, d.key)
	return d, nil
}

// Key names this directory of this client among all of a daemon's clients: the daemon keeps what it was sent under it.
func (d *Dir) Key() string { return d.key }

// Offer makes a selection known by the name under which a graph asks for it.
func (d *Dir) Offer(name string, s Selection) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.offered[name] = s
}

func (d *Dir) selection(name string) (Selection, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.offered[name]
	return s, ok
}

// OpenFile opens a regular file of the project by its path there. A pipe, which might never say anything, is none.
func (d *Dir) OpenFile(path string) (*os.File, error) {
	f, err := d.root.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &os.PathError{Op: "read", Path: path, Err: errors.New("is not a regular file")}
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// Err returns why files could not be sent, nil if they could: what a daemon says of that is only text.
func (d *Dir) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

func (d *Dir) note(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.err = err
	}
}

// Close remembers the sums of large files, and closes the directory.
func (d *Dir) Close() error {
	d.sums.save(d.root)
	return d.root.Close()
}
