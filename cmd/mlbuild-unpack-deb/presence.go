package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/mlbuild/mlbuild/llb/deb"
	"github.com/mlbuild/mlbuild/llb/deb/script"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// presence lists the paths of the base, each in every way in which a script may write it: /usr/bin/mawk is /bin/mawk too.
type presence []string

func newPresence(dir string) (presence, error) {
	root := os.DirFS(dir)
	links := topLinks(root)
	var all presence
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case p == "proc" || p == "sys" || p == "dev":
			return fs.SkipDir
		}
		all = append(all, "/"+p)
		for link, target := range links {
			if rest, ok := strings.CutPrefix(p, target+"/"); ok {
				all = append(all, "/"+link+"/"+rest)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fault.New(fault.Base, "read the files of the base: %w", err)
	}
	return all, nil
}

// topLinks are the symbolic links in the root directory: bin → usr/bin.
func topLinks(root fs.FS) map[string]string {
	links := map[string]string{}
	entries, _ := fs.ReadDir(root, ".") // a directory that cannot be read fails the walk
	for _, e := range entries {
		if e.Type() != fs.ModeSymlink {
			continue
		}
		if target, err := fs.ReadLink(root, e.Name()); err == nil {
			links[e.Name()] = strings.TrimPrefix(path.Clean("/"+target), "/")
		}
	}
	return links
}

// system is what the base has that decides a package's way.
type system struct {
	paths   presence
	watches []script.Watch
}

func newSystem(dir string) (system, error) {
	paths, err := newPresence(dir)
	if err != nil {
		return system{}, err
	}
	text, err := os.ReadFile(filepath.Join(dir, "var/lib/dpkg/triggers/File"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return system{}, fault.New(fault.Base, "read the triggers of the base: %w", err)
	}
	return system{paths, script.Watches(string(text))}, nil
}

// wayOf decides one package: what its scripts do, whether what they take for absent is, and whether a package of the base has to look at its files.
func (s system) wayOf(info deb.Info, all []deb.Info) way {
	d := script.Decide(info)
	w := way{Package: info.Package, Way: d.Way, Reason: d.Reason}
	if why := script.Watched(s.watches, info); why != "" && w.Way != script.Dpkg {
		w.Way, w.Reason = script.Dpkg, why
	}
	if w.Way == script.Dpkg || len(d.Effects.Absent) == 0 {
		return w
	}
	there := d.Effects.Conflicts(s.paths)
	for _, other := range all {
		if other.Package != info.Package {
			there = append(there, d.Effects.Conflicts(paths(other.Files))...)
		}
	}
	if len(there) > 0 {
		w.Way, w.Reason = script.Dpkg, fmt.Sprintf("its scripts look at %s, which the image has", there[0])
	}
	return w
}

func paths(files []deb.File) []string {
	all := make([]string, len(files))
	for i, f := range files {
		all[i] = f.Path
	}
	return all
}
