package runner

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// find returns the paths below In that a pattern matches, in order of their names; none is no error. Links on the way are followed inside of In,
// as if it were the root; the last name is left as it is.
func (w *collector) find(pattern string) ([]string, error) {
	found := []string{"/"}
	for part := range strings.SplitSeq(strings.Trim(pattern, "/"), "/") {
		var next []string
		for _, dir := range found {
			names, err := w.matching(dir, part)
			if err != nil {
				return nil, err
			}
			for _, name := range names {
				next = append(next, filepath.Join(dir, name))
			}
		}
		found = next
	}
	return found, nil
}

// matching returns the names in a directory that match one part of a pattern.
func (w *collector) matching(dir, part string) ([]string, error) {
	at, err := resolve(w.In, dir, true)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	at = filepath.Join(w.In, at)
	if !strings.ContainsAny(part, "*?[") {
		if _, err := os.Lstat(filepath.Join(at, part)); err != nil {
			return nil, nil //nolint:nilerr // a file on the way, or nothing there: no match
		}
		return []string{part}, nil
	}
	entries, err := os.ReadDir(at)
	if err != nil {
		return nil, nil //nolint:nilerr // no directory: no match
	}
	var names []string
	for _, e := range entries {
		ok, err := filepath.Match(part, e.Name())
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", part, err)
		}
		if ok {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// resolve follows the symbolic links in a path inside of root, as if it were the root of the file system. last says whether the path's last
// name is followed too.
func resolve(root, name string, last bool) (string, error) {
	done, rest, links := "/", strings.Trim(filepath.Clean("/"+name), "/"), 0
	for rest != "" {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		next := filepath.Join(done, part)
		info, err := os.Lstat(filepath.Join(root, next))
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 || rest == "" && !last {
			done = next
			continue
		}
		if links++; links > 40 { // as the kernel
			return "", fmt.Errorf("%s: too many links", name)
		}
		to, err := os.Readlink(filepath.Join(root, next))
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(done, to)
		}
		done, rest = "/", strings.Trim(filepath.Join(filepath.Clean("/"+to), rest), "/")
	}
	return done, nil
}
