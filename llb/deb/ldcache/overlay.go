package ldcache

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// overlay is several roots seen as one tree: what a later one has is in place of what an earlier one has at the same path. Nothing leads out of the roots.
type overlay []*os.Root

// lstat returns what is at a clean absolute path, whose directories are no links, and the root that has it.
func (o overlay) lstat(p string) (fs.FileInfo, *os.Root) {
	for _, root := range slices.Backward(o) {
		if info, err := root.Lstat(rel(p)); err == nil {
			return info, root
		}
	}
	return nil, nil
}

func rel(p string) string {
	if p == "/" {
		return "."
	}
	return strings.TrimPrefix(p, "/")
}

// maxLinks is how many links Linux follows.
const maxLinks = 40

// resolve follows the links of an absolute path. info is nil where it leads to nothing.
func (o overlay) resolve(p string) (real string, info fs.FileInfo, in *os.Root) {
	rest, links := strings.Split(strings.Trim(path.Clean(p), "/"), "/"), 0
	real = "/"
	info, in = o.lstat(real)
	for len(rest) > 0 {
		next := path.Join(real, rest[0])
		rest = rest[1:]
		if info, in = o.lstat(next); info == nil {
			return next, nil, nil
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			real = next
			continue
		}
		target, err := in.Readlink(rel(next))
		if links++; err != nil || links > maxLinks {
			return next, nil, nil
		}
		if path.IsAbs(target) {
			real = "/"
		}
		rest = append(strings.Split(strings.Trim(target, "/"), "/"), rest...)
	}
	return real, info, in
}

// open opens the regular file that a path leads to.
func (o overlay) open(p string) (*os.File, bool) {
	real, info, in := o.resolve(p)
	if info == nil || !info.Mode().IsRegular() {
		return nil, false
	}
	f, err := in.Open(rel(real))
	return f, err == nil
}

// names lists what a directory holds, sorted; real is the directory without links.
func (o overlay) names(real string) []string {
	var all []string
	for _, root := range o {
		dir, err := root.Open(rel(real))
		if err != nil {
			continue
		}
		names, err := dir.Readdirnames(-1)
		_ = dir.Close()
		if err == nil {
			all = append(all, names...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
