package requirements

import (
	"cmp"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// ownPackage is a package whose code lies in the project: of its workspace, or named by a path.
type ownPackage struct {
	name     string // normalized
	dir      string // slash path in the project, of a directory or of a file
	editable bool
	extras   []string // that are asked for
	at       fault.Position

	py *Pyproject // its pyproject.toml, nil = it has none or is a file
}

// virtual reports whether a package says of itself that it is none: what it requires is wanted, and its code is not installed.
func (p ownPackage) virtual() bool {
	return p.py != nil && p.py.Tool.UV != nil && p.py.Tool.UV.Package != nil && !*p.py.Tool.UV.Package
}

// withOwnPackage adds a package of the project's own code to what is built as a wheel. An editable one becomes a copy, which a note says.
func withOwnPackage(t files.Tree, p ownPackage, w Wanted) Wanted {
	dir, ok := p.dir, !leadsUp(t, p.dir)
	if !ok {
		outside(t, p.dir, p.at, "package "+p.name).Hint("or make that directory the root of a workspace of uv: a pyproject.toml there with [tool.uv.workspace] and members = [%q]", cmp.Or(dirBelow(t, p.dir), "name"))
	} else {
		dir, ok = t.Reaches(dir, p.at, "package "+p.name)
	}
	if !ok || slices.ContainsFunc(w.Requires.Local, func(l recipe.LocalSource) bool { return l.Path == dir }) {
		return w
	}
	read := newReader(t, nil)
	read.localSource(dir, p.at)
	if p.editable && len(read.local) > 0 {
		t.Notef("%s (%s) is installed as a wheel of its own, not as a link to its files", p.name, dir)
	}
	w.Requires = WithSources(w.Requires, read.Asked)
	return w
}

// leadsUp reports whether a path leads to a directory above the project, or above the root of its workspace.
func leadsUp(t files.Tree, name string) bool {
	return !path.IsAbs(name) && strings.HasPrefix(t.InRoot(name)+"/", "../")
}

// outside reports a package whose directory lies beside the project's, and says how both are seen.
func outside(t files.Tree, name string, at fault.Position, what string) *fault.Fault {
	f := fault.New(fault.Context, "the %s %q is outside the project", what, name).In(at)
	t.Add(f)
	dir := dirBelow(t, name)
	if dir == "" {
		return f.Hint("run mlbuild in a directory that has both, with the project file there or named by --file")
	}
	up := strings.TrimSuffix(strings.Repeat("../", strings.Count(path.Clean(name), "../")), "/")
	return f.Hint("build from the directory that has both: cd %s && mlbuild build --file %s; paths in mlbuild.yaml then begin with %s/ (python: {project: %s}), and a requirements file names the package as ./%s",
		up, path.Join(dir, files.ProjectFile), dir, dir, strings.TrimLeft(path.Clean(name), "./"))
}

// dirBelow is the project's directory as it is seen from the one to which a path leads up; "" = unknown.
func dirBelow(t files.Tree, name string) string {
	up, ok := t.FS.(upwards)
	if !ok {
		return ""
	}
	root, dir, err := up.Up(strings.Count(path.Clean(name), "../"))
	if err != nil {
		return ""
	}
	if c, ok := root.(io.Closer); ok {
		_ = c.Close()
	}
	return dir
}

// sources are the tables of [tool.uv.sources] for a package, of a project or else of its workspace.
func (s *uvWorkspace) sources(py *Pyproject, name string) (tables []map[string]any, from *Pyproject) {
	if tables = py.uv().source(name); len(tables) == 0 && s != nil {
		return s.py.uv().source(name), s.py
	}
	return tables, py
}

// own returns the package of the project's code that a project means by a name; ok is false where it comes from elsewhere.
// counts says which sources count in the image: the first of these is the package's.
func (s *uvWorkspace) own(t files.Tree, py *Pyproject, name string, counts countsIn) (p ownPackage, ok bool) {
	tables, from := s.sources(py, name)
	for _, source := range tables {
		if !counts(source) {
			continue
		}
		at := from.keyAt("tool.uv.sources." + name)
		if source["workspace"] == true && s != nil {
			if i := slices.IndexFunc(s.members, func(m ownPackage) bool { return m.name == name }); i >= 0 {
				p = s.members[i]
				p.at = at
				p.editable = source["editable"] != false
				return p, true
			}
		}
		if source["workspace"] == true {
			t.Specf(at, "%s is to come from the workspace, which has no package of this name", name).
				Hint("the next pyproject.toml above that of the project has to have [tool.uv.workspace], and to name both directories among its members")
			return ownPackage{}, false
		}
		if text, named := source["path"].(string); named {
			p = ownPackage{name: name, dir: text, editable: source["editable"] == true, at: at}
			if !path.IsAbs(text) {
				p.dir = t.FromRoot(path.Join(t.InRoot(path.Dir(from.path)), text))
			}
			if p.py = pyprojectIn(t, p.dir); p.py != nil {
				fromPoetry(&yamldoc.Report{}, p.py) // what is wrong in it says its build
			}
			return p, true
		}
		return ownPackage{}, false // an index, git, or a URL
	}
	return ownPackage{}, false
}

// countsIn reports whether a table of [tool.uv.sources] counts in an image.
type countsIn func(source map[string]any) bool

// countsOn is that for an image of a platform, with a version of Python.
func countsOn(platform, python string) countsIn {
	return func(source map[string]any) bool {
		text, _ := source["marker"].(string)
		m, err := pypi.ParseMarker(text)
		return err == nil && mayHoldOn(pypi.Requirement{Marker: m}, []string{platform}, []string{python})
	}
}

// ownOf follows the packages of the project's own code from what its pyproject.toml asks for, direct, through each other. The order is that in which they are found.
func ownOf(t files.Tree, s *uvWorkspace, py *Pyproject, direct []Requirement, counts countsIn) []ownPackage {
	var all []ownPackage
	type step struct {
		py       *Pyproject
		requires []pypi.Requirement
	}
	first := step{py: py}
	for _, q := range direct {
		first.requires = append(first.requires, q.Requirement)
	}
	for queue := []step{first}; len(queue) > 0; queue = queue[1:] {
		for _, q := range queue[0].requires {
			if i := slices.IndexFunc(all, func(p ownPackage) bool { return p.name == q.Name }); i >= 0 {
				all[i].extras = recipe.SortedUnique(append(all[i].extras, q.Extras...))
				continue
			}
			p, ok := s.own(t, queue[0].py, q.Name, counts)
			if !ok || q.URL != "" {
				continue
			}
			p.extras = q.Extras
			all = append(all, p)
			if p.py.HasProject() {
				queue = append(queue, step{p.py, requiredBy(p.py)})
			}
		}
	}
	return all
}

// requiredBy is what a project requires, for its extras too.
func requiredBy(py *Pyproject) []pypi.Requirement {
	var all []pypi.Requirement
	for _, line := range slices.Concat(py.Project.Dependencies, slices.Concat(mapValues(py.Project.OptionalDependencies)...)) {
		if q, err := pypi.ParseRequirement(line); err == nil && q.Name != pypi.Normalize(py.Name()) {
			all = append(all, q)
		}
	}
	return all
}

// withOwn adds the packages of the project's own code to what is wanted: each is built as a wheel of its own. Where one of them names sources of its own for what it
// requires, its requirements are told to uv, which would look for the sources in a workspace that is not there: with URLs in them, and indexes bound. bound are
// the packages that come from such an index, which have to stand among the project's own requirements.
func withOwn(t files.Tree, s *uvWorkspace, own []ownPackage, w Wanted, counts countsIn) (wanted Wanted, bound []string) {
	for _, p := range own {
		if p.virtual() {
			t.Notef("%s is code of the project (%s) that is no package, and is not installed: copy it with app.copy", p.name, p.dir)
			continue
		}
		w = withOwnPackage(t, p, w)
		if !p.py.HasProject() || slices.Contains(p.py.Project.Dynamic, "dependencies") || len(p.py.uv().sourceNames())+len(s.sourceNames()) == 0 {
			continue
		}
		meta, indexes, names := s.metadata(p, w.Requires.Indexes, counts)
		w.Requires.Metadata, w.Requires.Indexes = append(w.Requires.Metadata, meta), indexes
		bound = append(bound, names...)
	}
	return w, bound
}

// metadata is what one of the project's own packages requires, in every extra, by the places that its sources name. It returns also the indexes with its packages
// bound to theirs, and those of them that are wanted.
func (s *uvWorkspace) metadata(p ownPackage, indexes []recipe.Index, counts countsIn) (meta recipe.Metadata, all []recipe.Index, bound []string) {
	meta.Name = p.name
	add := func(lines []string, marker string, wanted bool) {
		for _, line := range lines {
			text, index := s.sourced(p.py, line, counts)
			meta.Requires = append(meta.Requires, withMarker(text, marker))
			if index.URL == "" {
				continue
			}
			if indexes = withBound(indexes, index); wanted {
				bound = append(bound, line)
			}
		}
	}
	add(p.py.Project.Dependencies, "", true)
	for _, extra := range recipe.SortedKeys(p.py.Project.OptionalDependencies) {
		asked := slices.ContainsFunc(p.extras, func(e string) bool { return pypi.Normalize(e) == pypi.Normalize(extra) })
		add(p.py.Project.OptionalDependencies[extra], "extra == '"+extra+"'", asked)
	}
	return meta, indexes, bound
}

func (t *uvTool) sourceNames() []string {
	if t == nil {
		return nil
	}
	return recipe.SortedKeys(t.Sources)
}

func (s *uvWorkspace) sourceNames() []string {
	if s == nil {
		return nil
	}
	return s.py.uv().sourceNames()
}

// sourced writes a requirement of one of the project's own packages with the place that its sources name, or returns the index that they name, with the package
// bound to it.
func (s *uvWorkspace) sourced(py *Pyproject, line string, counts countsIn) (text string, index recipe.Index) {
	q, err := pypi.ParseRequirement(line)
	if err != nil || q.URL != "" {
		return line, recipe.Index{}
	}
	tables, from := s.sources(py, q.Name)
	for _, source := range tables {
		if !counts(source) {
			continue
		}
		url, _ := source["url"].(string)
		if git, ok := source["git"].(string); ok {
			url = gitSource(git, source)
		}
		if url != "" {
			return withMarker(q.Name+q.ExtrasText()+" @ "+url, markerText(line)), recipe.Index{}
		}
		if name, ok := source["index"].(string); ok && !slices.Contains(compat.Torch().Index.Family, q.Name) {
			return line, s.index(from, name, q.Name)
		}
	}
	return line, recipe.Index{}
}

// gitSource writes a source from git as a URL of a requirement.
func gitSource(git string, source map[string]any) string {
	url := "git+" + gitURL(git)
	for _, key := range []string{"rev", "tag", "branch"} {
		if at, ok := source[key].(string); ok {
			url += "@" + at
			break
		}
	}
	if dir, ok := source["subdirectory"].(string); ok {
		url += "#subdirectory=" + dir
	}
	return url
}

// index is the index of a project or of its workspace, with a package bound to it; the zero value where there is none of the name.
func (s *uvWorkspace) index(py *Pyproject, name, bound string) recipe.Index {
	tables := py.uv().Index
	if s != nil {
		tables = slices.Concat(tables, s.py.uv().Index)
	}
	for _, ix := range tables {
		if ix.Name == name && !yamldoc.HasUserInfo(ix.URL) {
			return recipe.Index{Name: recipe.CleanName(name), URL: ix.URL, Packages: []string{bound}}
		}
	}
	return recipe.Index{}
}

// withBound adds an index with its package, or the package to the index that is there: one that serves every package stays as it is.
func withBound(indexes []recipe.Index, index recipe.Index) []recipe.Index {
	indexes = slices.Clone(indexes)
	if at := slices.IndexFunc(indexes, func(ix recipe.Index) bool { return ix.URL == index.URL }); at >= 0 {
		if ix := &indexes[at]; len(ix.Packages) > 0 {
			ix.Packages = recipe.SortedUnique(slices.Concat(ix.Packages, index.Packages))
		}
		return indexes
	}
	return append(indexes, index)
}

// markerText is the marker of a requirement as it is written, "" = none.
func markerText(line string) string {
	_, marker, _ := strings.Cut(line, ";")
	return strings.TrimSpace(marker)
}

// withMarker adds a marker to a requirement.
func withMarker(line, marker string) string {
	head, own, found := strings.Cut(line, " ;")
	if !found && !strings.Contains(line, " @ ") {
		head, own, _ = strings.Cut(line, ";")
	}
	switch own = strings.TrimSpace(own); {
	case marker == "":
		return line
	case own != "":
		return strings.TrimSpace(head) + " ; (" + own + ") and " + marker
	}
	return strings.TrimSpace(head) + " ; " + marker
}
