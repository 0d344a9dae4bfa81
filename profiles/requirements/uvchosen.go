package requirements

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// uvDependency is what a package of a uv.lock requires. Version and source stand there where the lock has several packages of the name.
type uvDependency struct {
	Name    string   `toml:"name"`
	Version string   `toml:"version"`
	Source  uvSource `toml:"source"`
	Marker  string   `toml:"marker"`
	Extra   []string `toml:"extra"`
}

// uvQuestion is what a project wants of a uv.lock.
type uvQuestion struct {
	dir            string // of the project, relative to the lock's
	extras, groups []string
	python         string // "3.11"
}

// uvChosen are the packages that uv takes for a project, as it would install them: on each of recipe.Platforms, by their places in the lock.
type uvChosen map[string][]bool

// chosen follows what the project requires through the lock: forks by marker, by extra and by group are decided as uv decides them. It is nil where the lock
// does not know the project, as one that has groups alone.
func (l *uvLock) chosen(q uvQuestion) uvChosen {
	root := slices.IndexFunc(l.Packages, func(p uvPackage) bool {
		dir, ok := p.Source.local()
		return ok && path.Clean(dir) == q.dir
	})
	if root < 0 {
		return nil
	}
	all := uvChosen{}
	for _, platform := range recipe.Platforms {
		all[platform] = make([]bool, len(l.Packages))
		for _, patch := range []string{".0", ".99"} { // the base decides which it is
			for i, seen := range l.walked(root, q, platform, q.python+patch) {
				all[platform][i] = all[platform][i] || seen
			}
		}
	}
	return all
}

// walked are the packages that are taken on a platform with a release of Python, by their places.
func (l *uvLock) walked(root int, q uvQuestion, platform, full string) []bool {
	w := &uvWalk{lock: l, active: map[string]bool{}}
	w.activate(root, q.extras, q.groups)
	for before := -1; before != len(w.active); { // an extra that was found on the way may decide a fork that was passed before
		before = len(w.active)
		w.from(root, q, platform, full)
	}
	return w.seen
}

// chosen is what the project takes of the lock for a version of Python.
func (u *foundUV) chosen(t files.Tree, p *recipe.ProjectSource, python string) uvChosen {
	dir := t.InRoot(path.Dir(p.File.Path))
	if u.root != "." {
		dir = path.Join(".", strings.TrimPrefix(strings.TrimPrefix(dir, u.root), "/"))
	}
	return u.lock.chosen(uvQuestion{dir: path.Clean(dir), extras: p.Extras, groups: p.Groups, python: python})
}

// uvWalk is one way through a lock.
type uvWalk struct {
	lock   *uvLock
	active map[string]bool // extras and groups of packages, as the markers of uv's conflicts name them
	seen   []bool          // packages that were reached, by their places
}

// activate notes extras and groups of a package that are wanted.
func (w *uvWalk) activate(at int, extras, groups []string) {
	name := w.lock.Packages[at].Name
	w.active[fmt.Sprintf("project-%d-%s", len(name), name)] = true
	for kind, names := range map[string][]string{"extra": extras, "group": groups} {
		for _, n := range names {
			w.active[fmt.Sprintf("%s-%d-%s-%s", kind, len(name), name, pypi.Normalize(n))] = true
		}
	}
}

// from walks from the project on.
func (w *uvWalk) from(root int, q uvQuestion, platform, full string) {
	w.seen = make([]bool, len(w.lock.Packages))
	env := pypi.NewEnvironment(pypi.Target{Python: q.python, Platform: platform, Extras: recipe.SortedKeys(w.active)}, full, nil)
	type step struct {
		at            int
		extra, groups []string
	}
	done := map[string]bool{}
	queue := []step{{root, q.extras, q.groups}}
	for ; len(queue) > 0; queue = queue[1:] {
		at := queue[0].at
		p := &w.lock.Packages[at]
		w.seen[at] = true
		for _, d := range p.wants(queue[0].extra, queue[0].groups) {
			next := w.lock.find(d)
			key := fmt.Sprint(next, d.Extra)
			if next < 0 || done[key] || !uvHolds(d.Marker, env) {
				continue
			}
			done[key] = true
			w.activate(next, d.Extra, nil)
			queue = append(queue, step{at: next, extra: d.Extra})
		}
	}
}

// wants are the requirements of a package with extras and groups.
func (p *uvPackage) wants(extras, groups []string) []uvDependency {
	all := slices.Clone(p.Dependencies)
	for _, table := range []struct {
		wanted []string
		lists  map[string][]uvDependency
	}{{extras, p.Optional}, {groups, p.Dev}} {
		for _, name := range table.wanted {
			for _, key := range recipe.SortedKeys(table.lists) {
				if pypi.Normalize(key) == pypi.Normalize(name) {
					all = append(all, table.lists[key]...)
				}
			}
		}
	}
	return all
}

// find returns the place of the package that a requirement means, -1 = there is none.
func (l *uvLock) find(d uvDependency) int {
	return slices.IndexFunc(l.Packages, func(p uvPackage) bool {
		return p.Name == d.Name && (d.Version == "" || p.Version == d.Version) && (d.Source == uvSource{} || p.Source == d.Source)
	})
}

func uvHolds(marker string, env *pypi.Environment) bool {
	m, err := pypi.ParseMarker(marker)
	return err == nil && m.Holds(env)
}

// on lists the platforms on which a package is taken.
func (c uvChosen) on(at int) []string {
	var platforms []string
	for _, platform := range recipe.Platforms {
		if c[platform] != nil && c[platform][at] {
			platforms = append(platforms, platform)
		}
	}
	return platforms
}
