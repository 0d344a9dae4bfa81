package runner

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mlbuild/mlbuild/llb/step"
)

// mostPlaces is how many places of lost files are told.
const mostPlaces = 3

// lost tells where files lie that were written since a time and are not kept, "" for none. Both times of a file have to say so: that of its inode also changes when another
// build links to the file.
func lost(l step.Lost, since time.Time) string {
	mounts, err := mountPoints()
	if err != nil {
		return "" // nothing depends on it
	}
	since = since.Add(-tick)
	var files []string
	_ = filepath.WalkDir(l.Root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return skip(d)
		}
		inRoot := "/" + strings.TrimPrefix(strings.TrimPrefix(name, l.Root), "/")
		if name != l.Root && (mounts[name] || slices.Contains(l.Drop, inRoot) || kept(l.Kept, inRoot)) {
			return skip(d)
		}
		if d.IsDir() {
			return nil
		}
		if info, err := d.Info(); err == nil && changedAt(info).After(since) && info.ModTime().After(since) {
			files = append(files, inRoot)
		}
		return nil
	})
	return places(files)
}

// kept reports whether a pattern names a path, or a directory above it.
func kept(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		depth := strings.Count(pattern, "/")
		match, _ := filepath.Match(pattern, upTo(path, depth)) // patterns were checked when they were read
		return match || pattern == upTo(path, depth)
	})
}

// upTo returns the first parts of a path.
func upTo(path string, parts int) string {
	all := strings.SplitN(path, "/", parts+2)
	return strings.Join(all[:min(len(all), parts+1)], "/")
}

// places tells directories with the number of files in each, those of installed packages first. Many directories are told by what is above them.
func places(files []string) string {
	counts := map[string]int{}
	for depth := 32; depth > 0; depth-- {
		clear(counts)
		for _, f := range files {
			counts[upTo(filepath.Dir(f), depth)]++
		}
		if len(counts) <= mostPlaces {
			break
		}
	}
	var dirs []string
	for dir := range counts {
		dirs = append(dirs, dir)
	}
	foreign := func(dir string) int {
		if strings.HasPrefix(dir+"/", "/opt/venv/") {
			return 0
		}
		return 1
	}
	slices.SortFunc(dirs, func(a, b string) int { return (foreign(a)-foreign(b))*2 + strings.Compare(a, b) })
	var told []string
	for _, dir := range dirs[:min(len(dirs), mostPlaces)] {
		noun := "files"
		if counts[dir] == 1 {
			noun = "file"
		}
		told = append(told, fmt.Sprintf("%d %s below %s", counts[dir], noun, dir))
	}
	if len(dirs) > mostPlaces {
		told = append(told, "and more elsewhere")
	}
	return strings.Join(told, ", ")
}
