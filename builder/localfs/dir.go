package localfs

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// Dir is a project's directory, open: no link leads out of it.
type Dir struct {
	root  *os.Root
	path  string
	above *os.Root // the root of its workspace, nil = nothing above it is sent
	up    int      // how many directories above it that lies
	id    ID
	key   string
	sums  *sums

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
	d := &Dir{root: root, path: dir, id: clientID(state), offered: map[string]Selection{}}
	name := sha256.Sum256(append(d.id[:], dir...))
	d.key = "mlbuild-" + hex.EncodeToString(name[:16])
	d.sums = openSums(state, d.key)
	return d, nil
}

// Key names this directory of this client among all of a daemon's clients: the daemon keeps what it was sent under it.
func (d *Dir) Key() string { return d.key }

// Above opens the directory that lies so many levels above: what packages of the project's workspace are sent from. No link leads out of it.
func (d *Dir) Above(levels int) (err error) {
	if d.above != nil || levels == 0 {
		return nil
	}
	d.up = levels
	d.above, err = os.OpenRoot(filepath.Join(d.path, strings.Repeat("../", levels)))
	return err
}

// rootOf is the directory that a selection is of.
func (d *Dir) rootOf(s Selection) (*os.Root, error) {
	switch {
	case s.Up == 0:
		return d.root, nil
	case d.above == nil || s.Up != d.up:
		return nil, fmt.Errorf("nothing that lies %d directories above the project is offered", s.Up)
	}
	return d.above, nil
}

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

// OpenFile opens a regular file of the project by its path there, or by one that begins with ".." in the root of its workspace. A pipe, which might never say
// anything, is none.
func (d *Dir) OpenFile(path string) (*os.File, error) {
	root, name := d.place(path)
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
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

// place returns the root that a path is in, and its name there: one that begins with ".." is in the root of the workspace, where that is open.
func (d *Dir) place(path string) (root *os.Root, name string) {
	if strings.HasPrefix(path, "../") && d.above != nil {
		if inside, err := filepath.Rel(d.above.Name(), filepath.Join(d.path, path)); err == nil {
			return d.above, inside
		}
	}
	return d.root, path
}

// Close remembers the sums of large files, and closes the directory.
func (d *Dir) Close() error {
	d.sums.save(func(name string) bool {
		root, inside := d.place(name)
		_, err := root.Lstat(inside)
		return err == nil
	})
	if d.above != nil {
		_ = d.above.Close()
	}
	return d.root.Close()
}
