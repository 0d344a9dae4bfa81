package deb

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// maxHops bounds how many links one path may go through.
const maxHops = 16

// LinkTable is the base's symbolic links of directories: "/lib" → "/usr/lib". A real directory laid over one of them hides
// what is behind it, so paths go through them before anything is written.
type LinkTable map[string]string

// NewLinkTable cleans Options.Links: names and targets become absolute; a relative target is one beside the link. Links that lead in
// a circle are an error.
func NewLinkTable(links map[string]string) (LinkTable, error) {
	t := LinkTable{}
	for _, name := range slices.Sorted(maps.Keys(links)) {
		at := path.Clean("/" + name)
		target := links[name]
		if !path.IsAbs(target) {
			target = path.Join(path.Dir(at), target)
		}
		t[at] = path.Clean(target)
	}
	for at := range t {
		if _, err := t.Resolve(at); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Resolve takes an absolute path through the links, the last part of it included. The error is NewLinkTable's.
func (t LinkTable) Resolve(p string) (string, error) {
	for range maxHops {
		next := t.step(p)
		if next == p {
			return p, nil
		}
		p = next
	}
	return "", fmt.Errorf("the base's links lead in a circle at %s", p)
}

// step replaces the shortest prefix that is a link.
func (t LinkTable) step(p string) string {
	for i := 1; i <= len(p); i++ {
		if i < len(p) && p[i] != '/' {
			continue
		}
		if target, ok := t[p[:i]]; ok {
			return path.Join(target, p[i:])
		}
	}
	return p
}

// place takes an entry to where it is written. An entry that is itself one of the links must be a directory, or the same
// link again.
func (t LinkTable) place(e *entry) (string, error) {
	to, err := t.Resolve(e.Path)
	if err != nil || to == e.Path || e.Kind == Folder {
		return to, err
	}
	if _, ok := t[e.Path]; !ok {
		return to, nil
	}
	parent, err := t.Resolve(path.Dir(e.Path))
	if err != nil {
		return "", err
	}
	at := path.Join(parent, path.Base(e.Path))
	if e.Kind == Symlink {
		target := e.Link
		if !path.IsAbs(target) {
			target = path.Join(parent, target)
		}
		if got, err := t.Resolve(path.Clean(target)); err == nil && got == to {
			return at, nil
		}
	}
	return "", fmt.Errorf("the base has a link to %s of this name", strings.TrimPrefix(to, "/"))
}
