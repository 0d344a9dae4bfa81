package localfs

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"
	"github.com/tonistiigi/fsutil/types"
)

// views are what was seen of selections, by their names, while the directory was open.
type views struct {
	mu    sync.Mutex
	seen  map[string]digest.Digest
	moved map[string]bool // it was not the same each time
}

// Contents returns the digest of what a selection holds: names, kinds, permissions, links, bytes and extended attributes, which is all that a daemon is sent of it.
func (d *Dir) Contents(ctx context.Context, s Selection) (digest.Digest, error) {
	list, sums, err := d.walk(ctx, s)
	if err != nil {
		return "", err
	}
	return d.views.note(s, list, sums), nil
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
