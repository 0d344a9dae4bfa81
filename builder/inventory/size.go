package inventory

import (
	"io/fs"
	"path"
	"strings"
	"time"
)

// batch is how many entries of a directory are read between two looks at the clock.
const batch = 256

// count adds up what lies in the directories of a list. Each may take its share of the time that is left.
func count(fsys fs.FS, all []Left, budget time.Duration) {
	end := time.Now().Add(budget)
	dirs := 0
	for _, l := range all {
		if strings.HasSuffix(l.Path, "/") {
			dirs++
		}
	}
	for i, l := range all {
		if !strings.HasSuffix(l.Path, "/") {
			continue
		}
		now := time.Now()
		c := counter{fs: fsys, until: now.Add(end.Sub(now) / time.Duration(dirs))}
		all[i].Partial = !c.dir(strings.TrimSuffix(l.Path, "/"))
		all[i].Size = c.bytes
		dirs--
	}
}

// counter adds up files until its time is over.
type counter struct {
	fs    fs.FS
	until time.Time
	bytes int64
}

// dir adds what lies in a directory, and reports whether that was all. What cannot be read counts as nothing.
func (c *counter) dir(name string) (all bool) {
	f, err := c.fs.Open(name)
	if err != nil {
		return true
	}
	var below []string
	for all = false; !all; {
		if !time.Now().Before(c.until) {
			break
		}
		entries, err := read(f)
		for _, e := range entries {
			if e.IsDir() {
				below = append(below, path.Join(name, e.Name()))
			} else if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
				c.bytes += info.Size()
			}
		}
		all = err != nil || len(entries) == 0
	}
	_ = f.Close()
	for _, dir := range below {
		all = all && c.dir(dir)
	}
	return all
}

// read returns the next entries of a directory.
func read(f fs.File) ([]fs.DirEntry, error) {
	if dir, ok := f.(fs.ReadDirFile); ok {
		return dir.ReadDir(batch)
	}
	return nil, nil
}
