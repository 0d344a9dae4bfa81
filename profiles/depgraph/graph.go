package depgraph

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Need is one requirement: who wants which package, and in which words.
type Need struct {
	By      string `json:"by,omitempty"`          // package that requires it, normalized; absent where the project does
	Package string `json:"package"`               // that is required, normalized
	Version string `json:"version,omitempty"`     // of that package in the image
	Text    string `json:"requirement,omitempty"` // as it is written: "torch>=2.0; extra == 'gpu'"; absent where the lock says the name alone
	Marker  string `json:"marker,omitempty"`      // of the requirement
	Extra   string `json:"extra,omitempty"`       // extra of By that the requirement belongs to
	File    string `json:"file,omitempty"`        // of the project, where it is written
	Line    int    `json:"line,omitempty"`        // of File, from 1

	extras string // of Package that it asks for, normalized, with a comma behind each
}

// asksFor reports whether a requirement asks for an extra of its package.
func (n Need) asksFor(extra string) bool {
	return strings.Contains(","+n.extras, ","+pypi.Normalize(extra)+",")
}

// extrasOf are extras as asksFor reads them.
func extrasOf(list ...string) string {
	var b strings.Builder
	for _, x := range list {
		b.WriteString(pypi.Normalize(x) + ",")
	}
	return b.String()
}

// Place says where the project writes a requirement: "requirements.txt:3", "python.packages"; "" for one of a package.
func (n Need) Place() string {
	switch {
	case n.By != "":
		return ""
	case n.File == "":
		return "python.packages"
	case n.Line == 0:
		return n.File
	}
	return fmt.Sprintf("%s:%d", n.File, n.Line)
}

// Sources is what a graph is made of.
type Sources struct {
	Recipe *recipe.Recipe
	Lock   *pylock.Lock
	// Requires are the requirements of packages as their metadata has them ("numpy>=1.24; extra == 'fast'"), by normalized name. What is missing is known by the lock alone.
	Requires map[string][]string
}

// Graph is who wants what, for one profile on one platform.
type Graph struct {
	packages map[string]*pylock.Package
	needs    map[string][]Need // by the package that is wanted; sorted: the project's own first, then by name
	limits   map[string][]Need // constraints and overrides of the project
	env      func(extras []string) *pypi.Environment
	rename   map[string]string
}

// New makes the graph. Requirements whose markers do not hold on the recipe's platform, and those of extras that nobody wants, are left out.
func New(s Sources) *Graph {
	r := s.Recipe
	g := &Graph{packages: map[string]*pylock.Package{}, needs: map[string][]Need{}, limits: map[string][]Need{}, rename: r.Requires.Rename}
	g.env = func(extras []string) *pypi.Environment {
		full := r.Python.Version
		if strings.Count(full, ".") == 1 {
			full += ".0"
		}
		return pypi.NewEnvironment(pypi.Target{Python: r.Python.Version, Platform: r.Platform, Extras: extras}, full, r.Requires.Groups)
	}
	for i := range s.Lock.Packages {
		if p := &s.Lock.Packages[i]; holds(p.Marker, g.env(r.Requires.Extras)) {
			g.packages[p.Name] = p
		}
	}
	extras := g.ofProject(r)
	g.ofMetadata(s.Requires, extras)
	g.ofLock(s.Lock)
	for name := range g.needs {
		slices.SortStableFunc(g.needs[name], func(a, b Need) int { return cmp.Compare(a.By, b.By) })
	}
	return g
}

// holds reports whether a marker holds; one that cannot be read does, since it says nothing against the package.
func holds(marker string, env *pypi.Environment) bool {
	m, err := pypi.ParseMarker(marker)
	return err != nil || m.Holds(env)
}

// ofProject adds what the project asks for, and returns the extras that it wants of each package.
func (g *Graph) ofProject(r *recipe.Recipe) map[string][]string {
	extras, env := map[string][]string{}, g.env(r.Requires.Extras)
	for _, a := range r.Requires.Wanted() {
		name := g.nameOf(a)
		if name == "" || !a.Holds(env) {
			continue
		}
		wanted := slices.Clone(a.Extras)
		if to, err := pypi.ParseRequirement(g.rename[a.Name]); err == nil {
			wanted = append(wanted, to.Extras...)
		}
		extras[name] = append(extras[name], wanted...)
		n := g.asked(r, a, name)
		n.extras = extrasOf(wanted...)
		g.add(n)
	}
	for _, a := range slices.Concat(r.Requires.Limits(), r.Requires.Replacing()) {
		if name := g.nameOf(a); name != "" && a.Holds(env) {
			n := g.asked(r, a, name)
			if a.File == "" {
				n.File = cmp.Or(n.File, "python.overrides")
			}
			g.limits[name] = append(g.limits[name], n)
		}
	}
	return extras
}

// asked is a requirement of the project.
func (g *Graph) asked(r *recipe.Recipe, a recipe.Asked, name string) Need {
	n := Need{Package: name, Text: a.Text, Marker: markerOf(a.Requirement), File: a.File, Line: a.Line}
	if at, ok := r.Requires.Places[a.Text]; ok && a.File == "" {
		n.File, n.Line = at.File, at.Line
	} else if a.File == "" {
		n.Line = 0
	}
	return n
}

// nameOf returns the package that a requirement of the project brings, "" if the lock does not tell.
func (g *Graph) nameOf(a recipe.Asked) string {
	if a.Name != "" {
		if to, err := pypi.ParseRequirement(g.rename[a.Name]); err == nil {
			return to.Name
		}
		return a.Name
	}
	for name, p := range g.packages {
		for _, s := range []*pylock.Source{p.Directory, p.Archive, p.VCS} {
			if s != nil && (a.Path() != "" && s.Path == a.Path() || s.URL != "" && strings.Contains(a.URL, s.URL)) {
				return name
			}
		}
		if slices.ContainsFunc(p.Wheels, func(f pylock.File) bool { return a.Path() != "" && f.Path == a.Path() || f.URL != "" && f.URL == a.URL }) {
			return name
		}
	}
	return ""
}

// ofMetadata follows the requirements of packages, from what the project asks for. An extra of a package counts once somebody wants it.
func (g *Graph) ofMetadata(requires, extras map[string][]string) {
	queue := slices.Sorted(maps.Keys(requires))
	for rounds := 0; len(queue) > 0 && rounds < maxRounds; rounds++ {
		name := queue[0]
		queue = queue[1:]
		for _, n := range g.requirements(name, requires[name], recipe.SortedUnique(extras[name])) {
			q, err := pypi.ParseRequirement(n.Text)
			if err != nil || !g.add(n) {
				continue
			}
			more := slices.DeleteFunc(q.Extras, func(x string) bool { return slices.Contains(extras[n.Package], x) })
			if extras[n.Package] = append(extras[n.Package], more...); len(more) > 0 {
				queue = append(queue, n.Package)
			}
		}
	}
}

// maxRounds bounds the search for extras, which ends by itself: each round but the first of a package adds an extra.
const maxRounds = 100_000

// extraName finds the extra that a requirement of a package belongs to.
var extraName = lazyregexp.New(`extra\s*==\s*['"]([^'"]+)['"]`)

// requirements are those of a package that count with these extras of it.
func (g *Graph) requirements(name string, texts, extras []string) []Need {
	var needs []Need
	without := g.env(nil)
	for _, text := range texts {
		q, err := pypi.ParseRequirement(text)
		if err != nil {
			continue
		}
		n := Need{By: name, Package: q.Name, Text: q.Text, Marker: markerOf(q), extras: extrasOf(q.Extras...)}
		if !q.Holds(without) {
			i := slices.IndexFunc(extras, func(x string) bool { return q.Holds(g.env([]string{x})) })
			if i < 0 {
				continue
			}
			n.Extra = extras[i]
			if m := extraName.FindStringSubmatch(n.Marker); m != nil {
				n.Extra = m[1]
			}
		}
		if to, err := pypi.ParseRequirement(g.rename[q.Name]); err == nil && g.packages[q.Name] == nil {
			n.Package = to.Name
		}
		if g.packages[n.Package] != nil {
			needs = append(needs, n)
		}
	}
	return needs
}

// markerOf is the marker of a requirement as it is written.
func markerOf(q pypi.Requirement) string {
	if q.Marker == nil {
		return ""
	}
	_, marker, _ := strings.Cut(q.Text, ";")
	return strings.TrimSpace(marker)
}

// ofLock adds who wants whom by the lock, where nothing more is known of it.
func (g *Graph) ofLock(lock *pylock.Lock) {
	needs := lock.Needs()
	for _, by := range slices.Sorted(maps.Keys(needs)) {
		for _, name := range needs[by] {
			if !slices.ContainsFunc(g.needs[name], func(n Need) bool { return n.By == by }) {
				g.add(Need{By: by, Package: name})
			}
		}
	}
}

// add adds a need, and reports false for one that is there.
func (g *Graph) add(n Need) bool {
	if p := g.packages[n.Package]; p != nil {
		n.Version = p.Version
	}
	if slices.Contains(g.needs[n.Package], n) {
		return false
	}
	g.needs[n.Package] = append(g.needs[n.Package], n)
	return true
}

// Names are the packages of the lock on this platform, sorted.
func (g *Graph) Names() []string { return slices.Sorted(maps.Keys(g.packages)) }

// Package returns a package of the lock by its normalized name, nil if it has none.
func (g *Graph) Package(name string) *pylock.Package { return g.packages[name] }

// Needs are the requirements that ask for a package, the project's own first.
func (g *Graph) Needs(name string) []Need { return g.needs[name] }

// Limits are the requirements that bear on a package's version: those that ask for it and say which, then the project's constraints and overrides.
func (g *Graph) Limits(name string) []Need {
	var all []Need
	for _, n := range g.needs[name] {
		if q, err := pypi.ParseLine(n.Text); err == nil && (q.Specifiers != nil || q.URL != "") {
			all = append(all, n)
		}
	}
	return append(all, g.limits[name]...)
}
