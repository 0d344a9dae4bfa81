package pylock

import (
	"maps"
	"slices"

	"github.com/mlbuild/mlbuild/profiles/pypi"
)

// PathTo returns a shortest dependency path root → … → name, from the packages' own dependencies and from
// [tool.mlbuild.via]; a root is what nobody requires. It is nil where the lock does not tell.
func (l *Lock) PathTo(name string) []string {
	parents := l.parents()
	name = normalName(name)
	if _, known := parents[name]; !known {
		return nil
	}
	next := map[string]string{name: ""} // from a package one step towards name
	for queue := []string{name}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if len(parents[at]) == 0 {
			return follow(next, at)
		}
		for _, parent := range parents[at] {
			if _, seen := next[parent]; !seen {
				next[parent] = at
				queue = append(queue, parent)
			}
		}
	}
	return nil
}

// Needed returns the packages that the roots require, directly or not, and the roots themselves, by normalized name. What a package of without requires does
// not count. A package of which the lock does not say who requires it, or that something outside of the lock requires, such as the project's own
// code, is a root.
func (l *Lock) Needed(roots []string, without map[string]bool) map[string]bool {
	parents, children := l.parents(), map[string][]string{}
	for name, by := range parents {
		for _, parent := range by {
			children[parent] = append(children[parent], name)
		}
	}
	queue, locked := slices.Clone(roots), map[string]bool{}
	for i := range l.Packages {
		locked[l.Packages[i].Name] = true
	}
	for i := range l.Packages {
		name := l.Packages[i].Name
		if len(parents[name]) == 0 || slices.ContainsFunc(parents[name], func(parent string) bool { return !locked[parent] }) {
			queue = append(queue, name)
		}
	}
	needed := map[string]bool{}
	for ; len(queue) > 0; queue = queue[1:] {
		name := queue[0]
		if needed[name] {
			continue
		}
		needed[name] = true
		if !without[name] {
			queue = append(queue, children[name]...)
		}
	}
	return needed
}

// Needs maps every package to those that it needs, sorted, as far as the lock says it.
func (l *Lock) Needs() map[string][]string {
	needs := map[string][]string{}
	for name, parents := range l.parents() {
		for _, parent := range parents {
			needs[parent] = append(needs[parent], name)
		}
	}
	for _, all := range needs {
		slices.Sort(all)
	}
	return needs
}

func follow(next map[string]string, from string) []string {
	var path []string
	for at := from; at != ""; at = next[at] {
		path = append(path, at)
	}
	return path
}

// parents maps every package that the lock says something about to those that require it, sorted.
func (l *Lock) parents() map[string][]string {
	parents := map[string][]string{}
	add := func(name string, by ...string) { parents[name] = append(parents[name], by...) }
	for name, via := range l.Tool.Via {
		for _, v := range via {
			add(normalName(name), normalName(v))
			add(normalName(v))
		}
	}
	for i := range l.Packages {
		p := &l.Packages[i]
		for _, d := range p.Dependencies {
			add(d, p.Name)
			add(p.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(parents)) {
		slices.Sort(parents[name])
		parents[name] = slices.Compact(parents[name])
	}
	return parents
}

// normalName normalises a package's name and leaves other text, such as "-r requirements.txt", as it is.
func normalName(s string) string {
	if pypi.ValidName(s) {
		return pypi.Normalize(s)
	}
	return s
}
