package main

import (
	"fmt"
	"maps"

	"github.com/mlbuild/mlbuild/profiles/pylock"
)

// change is what happened to one package of a lock.
type change struct{ name, before, after string }

// String renders "+ name version", "- name version" or "~ name old → new".
func (c change) String() string {
	switch {
	case c.before == "":
		return fmt.Sprintf("+ %s %s", c.name, c.after)
	case c.after == "":
		return fmt.Sprintf("- %s %s", c.name, c.before)
	}
	return fmt.Sprintf("~ %s %s → %s", c.name, c.before, c.after)
}

// lockChanges compares two locks by package, sorted by name. An old lock that cannot be read counts as empty. place is the project's directory in its workspace
// (pylock.ParseBelow).
func lockChanges(place, path string, old []byte, lock *pylock.Lock) []change {
	before, after := map[string]string{}, versions(lock)
	if parsed, err := pylock.ParseBelow(place, path, old); err == nil {
		before = versions(parsed)
	}
	return differences(before, after)
}

// differences lists the names whose values differ, sorted.
func differences(before, after map[string]string) []change {
	all := maps.Clone(before)
	maps.Copy(all, after)
	var changes []change
	for _, name := range sortedKeys(all) {
		if before[name] != after[name] {
			changes = append(changes, change{name, before[name], after[name]})
		}
	}
	return changes
}

// versions returns each package's version; a lock may hold several under different markers.
func versions(l *pylock.Lock) map[string]string {
	all := map[string]string{}
	if l == nil {
		return all
	}
	for _, p := range l.Packages {
		v := p.Version
		if v == "" {
			v = "(no version)"
		}
		if all[p.Name] != "" && all[p.Name] != v {
			v = all[p.Name] + ", " + v
		}
		all[p.Name] = v
	}
	return all
}
