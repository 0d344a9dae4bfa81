package packages

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/profiles/pypi"
)

// distribution is one that is installed, as its metadata says.
type distribution struct {
	name     string   // normalized
	version  string   // as it is written
	requires []string // Requires-Dist, as they are written
	site     string   // the directory that it is in, one of sys.path
	record   string   // the file that lists its files; "" = none does
	topLevel []string // of old metadata, which has no RECORD: names of modules
}

// maxMetadata is how much of a METADATA is read, in bytes. What is behind its first empty line, the description, is not read at all.
const maxMetadata = 4 << 20

// installed returns what lies in the directories of sys.path, in their order, and by name within each.
func installed(root string, dirs []string) []distribution {
	var all []distribution
	seen := map[string]bool{}
	for _, dir := range dirs {
		real := filepath.Join(root, dir)
		if resolved, err := filepath.EvalSymlinks(real); err == nil {
			real = resolved
		}
		entries, err := os.ReadDir(real)
		if err != nil || seen[real] {
			continue
		}
		seen[real] = true
		for _, e := range entries {
			if d, ok := distributionOf(filepath.Join(root, dir), e.Name()); ok {
				d.site = dir
				all = append(all, d)
			}
		}
	}
	return all
}

// distributionOf reads one, false where a name in a directory stands for none.
func distributionOf(dir, name string) (distribution, bool) {
	at := filepath.Join(dir, name)
	var d distribution
	switch {
	case strings.HasSuffix(name, ".dist-info"):
		readMetadata(filepath.Join(at, "METADATA"), &d)
		d.record = filepath.Join(at, "RECORD")
		if _, err := os.Stat(d.record); err != nil {
			d.record = ""
		}
	case strings.HasSuffix(name, ".egg-info"):
		if info, err := os.Stat(at); err == nil && !info.IsDir() {
			readMetadata(at, &d)
			break
		}
		readMetadata(filepath.Join(at, "PKG-INFO"), &d)
	default:
		return d, false
	}
	if d.record == "" {
		data, _ := os.ReadFile(filepath.Join(at, "top_level.txt"))
		d.topLevel = strings.Fields(string(data))
	}
	return d, d.name != ""
}

// readMetadata reads the fields that count (core metadata: they are as headers of a mail).
func readMetadata(file string, d *distribution) {
	f, err := os.Open(file)
	if err != nil {
		return
	}
	defer f.Close() //nolint:errcheck // it was read
	lines := bufio.NewScanner(io.LimitReader(f, maxMetadata))
	lines.Buffer(nil, maxMetadata)
	for lines.Scan() && strings.TrimSpace(lines.Text()) != "" {
		key, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(key) {
		case "name":
			d.name = pypi.Normalize(value)
		case "version":
			d.version = value
		case "requires-dist":
			d.requires = append(d.requires, value)
		}
	}
}

// byName are the distributions that the interpreter finds, the first of each name.
func byName(all []distribution) map[string]distribution {
	first := map[string]distribution{}
	for _, d := range all {
		if _, ok := first[d.name]; !ok {
			first[d.name] = d
		}
	}
	return first
}

// agreement compares what is installed with what was to be installed.
func agreement(want []check.Package, all []distribution) []check.Fault {
	var faults []check.Fault
	first := byName(all)
	for _, w := range want {
		d, ok := first[w.Name]
		switch {
		case !ok:
			faults = append(faults, check.Fault{Kind: check.Missing, Package: w.Name, Want: w.Version})
		case w.Version != "" && !sameVersion(w.Version, d.version):
			faults = append(faults, check.Fault{Kind: check.Version, Package: w.Name, Want: w.Version, There: d.version})
		}
	}
	return append(faults, twice(all)...)
}

// sameVersion reports whether a version is the one that is wanted, which may leave out what follows a "+".
func sameVersion(want, there string) bool {
	w, err := pypi.ParseVersion(want)
	v, err2 := pypi.ParseVersion(there)
	if err != nil || err2 != nil {
		return want == there
	}
	if w.Local() == "" {
		v = v.Public()
	}
	return w.Compare(v) == 0
}

// twice finds distributions of which one directory has several. In several directories they may well be: the first one counts, as that of an environment over the system's.
func twice(all []distribution) []check.Fault {
	versions := map[[2]string][]string{}
	var order [][2]string
	for _, d := range all {
		k := [2]string{d.name, d.site}
		if versions[k] == nil {
			order = append(order, k)
		}
		versions[k] = append(versions[k], d.version)
	}
	var faults []check.Fault
	for _, k := range order {
		if len(versions[k]) > 1 {
			faults = append(faults, check.Fault{Kind: check.Twice, Package: k[0], File: k[1], There: strings.Join(versions[k], ", ")})
		}
	}
	return faults
}

// conflicts evaluates what distributions require, here. Extras count where another distribution asks for them, or the project does. What is neither to be installed nor requires
// or is required by what is was there before, and is only noted.
func conflicts(q check.Packages, all []distribution, env func(extra string) *pypi.Environment) (faults []check.Fault, notes []string) {
	first, ours := byName(all), map[string]bool{}
	for _, p := range q.Installed {
		ours[p.Name] = true
	}
	for _, todo := range asked(q.Installed, all, env) {
		d := first[todo.name]
		for _, need := range unmet(d, env(todo.extra), first) {
			if slices.Contains(q.Unmet, need.Name) || slices.Contains(q.Loose, d.name) {
				continue
			}
			there := first[need.Name]
			if len(ours) > 0 && !ours[d.name] && !ours[need.Name] {
				notes = append(notes, fmt.Sprintf("%s, which the base has, requires %s: there is %s", d.name, need.Text, cmp.Or(there.version, "none")))
				continue
			}
			faults = append(faults, check.Fault{Kind: check.Conflict, Package: d.name, Requires: need.Text, There: there.version})
		}
	}
	return faults, notes
}

// wanted is a distribution, as it is or with one of its extras.
type wanted struct{ name, extra string }

// asked returns the distributions with the extras that somebody asks for, each once.
func asked(want []check.Package, all []distribution, env func(extra string) *pypi.Environment) []wanted {
	first := byName(all)
	var todo []wanted
	seen := map[wanted]bool{}
	add := func(name, extra string) {
		w := wanted{name, pypi.Normalize(extra)}
		if _, ok := first[name]; ok && !seen[w] {
			seen[w] = true
			todo = append(todo, w)
		}
	}
	for _, d := range all {
		add(d.name, "")
	}
	for _, p := range want {
		for _, extra := range p.Extras {
			add(p.Name, extra)
		}
	}
	for i := 0; i < len(todo); i++ {
		for _, r := range requirements(first[todo[i].name]) {
			if len(r.Extras) > 0 && r.Holds(env(todo[i].extra)) {
				for _, extra := range r.Extras {
					add(r.Name, extra)
				}
			}
		}
	}
	return todo
}

// requirements parses what a distribution requires. What cannot be parsed asks for nothing, as old metadata has forms that PEP 508 does not know.
func requirements(d distribution) []pypi.Requirement {
	var all []pypi.Requirement
	for _, text := range d.requires {
		if r, err := pypi.ParseRequirement(text); err == nil {
			all = append(all, r)
		}
	}
	return all
}

// unmet returns what a distribution requires and is not there, or in another version.
func unmet(d distribution, env *pypi.Environment, first map[string]distribution) []pypi.Requirement {
	var all []pypi.Requirement
	for _, r := range requirements(d) {
		if !r.Holds(env) {
			continue
		}
		there, ok := first[r.Name]
		v, err := pypi.ParseVersion(there.version)
		if !ok || err == nil && !r.Specifiers.Admit(v) {
			all = append(all, r)
		}
	}
	return all
}

// siteFile returns where a file of a RECORD is, absolute in the image, false for one that no RECORD may name.
func siteFile(site, listed string) (string, bool) {
	if listed == "" || path.IsAbs(listed) {
		return listed, listed != ""
	}
	return path.Join(site, listed), true
}
