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

// topLinks are the symbolic links in the root directory of the base, by name: bin → usr/bin.
type topLinks []topLink

type topLink struct{ name, target string }

// names lists every way in which a script may write a path: /usr/bin/mawk is /bin/mawk too, and the other way round.
func (l topLinks) names(p string) []string {
	all := []string{p}
	p = strings.TrimPrefix(p, "/")
	for _, link := range l {
		if rest, ok := strings.CutPrefix(p, link.target+"/"); ok {
			all = append(all, "/"+link.name+"/"+rest)
		}
		if rest, ok := strings.CutPrefix(p, link.name+"/"); ok {
			all = append(all, "/"+link.target+"/"+rest)
		}
	}
	return all
}

// presence lists the paths of the base in every way.
func presence(dir string, links topLinks) ([]string, error) {
	root := os.DirFS(dir)
	var all []string
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case p == "proc" || p == "sys" || p == "dev":
			return fs.SkipDir
		}
		all = append(all, links.names("/"+p)...)
		return nil
	})
	if err != nil {
		return nil, fault.New(fault.Base, "read the files of the base: %w", err)
	}
	return all, nil
}

func newTopLinks(root fs.FS) topLinks {
	var links topLinks
	entries, _ := fs.ReadDir(root, ".") // a directory that cannot be read fails the walk
	for _, e := range entries {
		if e.Type() != fs.ModeSymlink {
			continue
		}
		if target, err := fs.ReadLink(root, e.Name()); err == nil {
			links = append(links, topLink{e.Name(), strings.TrimPrefix(path.Clean("/"+target), "/")})
		}
	}
	return links
}

// system is what the base has that decides a package's way.
type system struct {
	links   topLinks
	paths   []string // in every way
	watches []script.Watch
}

func newSystem(dir string) (system, error) {
	links := newTopLinks(os.DirFS(dir))
	paths, err := presence(dir, links)
	if err != nil {
		return system{}, err
	}
	text, err := os.ReadFile(filepath.Join(dir, "var/lib/dpkg/triggers/File"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return system{}, fault.New(fault.Base, "read the triggers of the base: %w", err)
	}
	return system{links, paths, script.Watches(string(text))}, nil
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
			there = append(there, d.Effects.Conflicts(s.links.paths(other.Files))...)
		}
	}
	if len(there) > 0 {
		w.Way, w.Reason = script.Dpkg, fmt.Sprintf("its scripts look at %s, which the image has", there[0])
	}
	return w
}

// paths lists the files of a package in every way.
func (l topLinks) paths(files []deb.File) []string {
	all := make([]string, 0, len(files))
	for _, f := range files {
		all = append(all, l.names(f.Path)...)
	}
	return all
}
