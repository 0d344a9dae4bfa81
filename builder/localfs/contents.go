package localfs

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/tonistiigi/fsutil/types"
)

// views are what was seen of selections, by their names, while the directory was open.
type views struct {
	mu    sync.Mutex
	seen  map[string]digest.Digest
	moved map[string]bool // it was not the same each time
	next  map[string]view // what the next transfer sends: the files need not be read twice for it
}

// view is a selection as it was found. Who opens a file of it later holds the file against its sum.
type view struct {
	list []*types.Stat
	sums map[string]sum
	at   time.Time
}

// keptFor is how long a view is as good as another look. Later, files that were edited meanwhile would end the build, and need not.
const keptFor = time.Second

// Contents returns the digest of what a selection holds: names, kinds, permissions, links, bytes and extended attributes, which is all that a daemon is sent of it.
func (d *Dir) Contents(ctx context.Context, s Selection) (digest.Digest, error) {
	list, sums, err := d.walk(ctx, s)
	if err != nil {
		return "", err
	}
	found := d.views.note(s, list, sums)
	d.views.keep(s, view{list, sums, time.Now()})
	return found, nil
}

// keep has the next transfer of a selection send what was found.
func (v *views) keep(s Selection, found view) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.next == nil {
		v.next = map[string]view{}
	}
	v.next[s.Name()] = found
}

// take returns what was kept for a transfer.
func (v *views) take(s Selection) (found view, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	found, ok = v.next[s.Name()]
	delete(v.next, s.Name())
	return found, ok && time.Since(found.at) < keptFor
}

// Steady reports whether a selection held the same whenever it was looked at or sent since the directory was opened. A daemon asks once in a session: what it has may be
// older than what Contents found.
func (d *Dir) Steady(s Selection) bool {
	d.views.mu.Lock()
	defer d.views.mu.Unlock()
	return !d.views.moved[s.Name()]
}

// note remembers what a walk has found.
func (v *views) note(s Selection, list []*types.Stat, sums map[string]sum) digest.Digest {
	found, name := contentsOf(list, sums), s.Name()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.seen == nil {
		v.seen, v.moved = map[string]digest.Digest{}, map[string]bool{}
	}
	if was, ok := v.seen[name]; ok && was != found {
		v.moved[name] = true
	}
	v.seen[name] = found
	return found
}

// contentsOf is the digest of a list of files.
func contentsOf(list []*types.Stat, sums map[string]sum) digest.Digest {
	h := sha256.New()
	for _, st := range list {
		sum := sums[st.Path]
		fmt.Fprintf(h, "%q %o %d %q %x", st.Path, st.Mode, st.Size, st.Linkname, sum[:])
		for _, name := range slices.Sorted(maps.Keys(st.Xattrs)) {
			fmt.Fprintf(h, " %q=%q", name, st.Xattrs[name])
		}
		fmt.Fprintln(h)
	}
	return digest.NewDigest(digest.SHA256, h)
}
