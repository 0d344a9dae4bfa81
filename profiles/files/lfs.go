package files

import (
	"io"
	"io/fs"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// lfsPointer is the file that git holds in place of one in its large file storage (git-lfs, docs/spec.md; the first two hosts are those of its early versions).
var lfsPointer = lazyregexp.New(`^version https?://(?:git-media\.io/v/2|hawser\.github\.com/spec/v1|git-lfs\.github\.com/spec/v1)\r?\n(?:[a-z0-9.-]+ .*\n)*?oid sha256:[0-9a-f]{64}\r?\n`)

// The sizes that a pointer may have, in bytes: the shortest, and what git-lfs itself reads of one.
const (
	minPointer = 110
	maxPointer = 1023
)

// LFSPointer reports whether a file of this size is a pointer of git-LFS: the checkout has it where the file itself was not fetched. What cannot be read is
// none.
func (t Tree) LFSPointer(name string, size int64) bool {
	if size < minPointer || size > maxPointer {
		return false
	}
	f, err := t.FS.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxPointer))
	return err == nil && strings.HasPrefix(string(data), "version http") && lfsPointer.Match(data)
}

// The cures for a pointer: in a checkout, and where a CI makes it.
const (
	lfsPull = "git lfs install && git lfs pull, before the build"
	lfsCI   = "in a CI, have the checkout fetch them (lfs: true of actions/checkout; GIT_LFS_SKIP_SMUDGE unset)"
)

// RefusePointer adds the E-CONTEXT fault of a file, named as what, that cannot be used because it is a pointer of git-LFS, and reports whether it is one.
func (t Tree) RefusePointer(name, what string, at fault.Position) bool {
	info, err := fs.Stat(t.FS, name)
	if err != nil || !info.Mode().IsRegular() || !t.LFSPointer(name, info.Size()) {
		return false
	}
	t.Add(fault.New(fault.Context, "%s%s is a pointer of git-LFS (%d bytes), and not the file itself", what, name, info.Size()).In(at).Hint(lfsPull).Hint(lfsCI))
	return true
}

// NotePointersBelow notes the pointers of git-LFS in a package's directory, without what no image has. Of a very large one only the first files are looked at.
func (t Tree) NotePointersBelow(dir string) {
	const most = 20_000
	left, seen := newMatcher(t.Report, clutter), 0
	var found []string
	// What cannot be read is told where it is sent.
	_ = fs.WalkDir(t.FS, dir, func(name string, d fs.DirEntry, err error) error {
		if seen++; seen > most {
			return fs.SkipAll
		}
		if err != nil || name != "." && left.matches(name) {
			return Skip(d)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		if info, err := d.Info(); err == nil && t.LFSPointer(name, info.Size()) {
			found = append(found, name)
		}
		return nil
	})
	t.notePointers(found)
}

// notePointers says which files of the project are pointers of git-LFS. The project may mean them so: a test's data, a file that nobody reads.
func (t Tree) notePointers(found []string) {
	const most = 5 // names in a note
	if len(found) == 0 {
		return
	}
	more := ""
	if len(found) > most {
		found, more = found[:most], " and more"
	}
	t.Notef("pointers of git-LFS in place of the files: %s%s (for the files: %s)", strings.Join(found, ", "), more, lfsPull)
}
