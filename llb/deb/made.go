package deb

import (
	"bytes"
	"os"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Made is a file that no package has, but a rule makes.
type Made struct {
	File
	Data []byte // of a regular file
}

// Place writes files below root as Install writes those of a package: through the base's links, with the modes of its
// directories, every time o.DirTime. Kinds other than regular files, directories and symbolic links are refused.
func Place(root *os.Root, files []Made, o Options) error {
	links, err := NewLinkTable(o.Links)
	if err != nil {
		return fault.New(fault.Usage, "links of the base: %w", err)
	}
	w := &writer{root: root, options: o, links: links, rep: &report{deb: "system state"}, dirs: map[string]*Dir{}, seen: map[string]Kind{}, done: &Installed{}}
	w.options.SlimDocs = false
	for _, f := range files {
		p, err := cleanPath(strings.TrimPrefix(f.Path, "/"))
		if err == nil && f.Kind == Hardlink {
			return fault.New(fault.Internal, "%s: a hard link cannot be made", f.Path)
		}
		if err == nil {
			f.Path = p
			err = w.write(&entry{File: f.File, time: clamp(o.DirTime)}, bytes.NewReader(f.Data))
		}
		if err != nil {
			return w.rep.fault(f.Path, err)
		}
	}
	return w.finishDirs()
}
