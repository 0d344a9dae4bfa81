package requirements

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/tomltext"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// uvSettings are the files whose settings uv obeys in a project.
type uvSettings struct {
	options *Pyproject // uv.toml or a pyproject.toml: what resolves and builds obey; nil = there is none
	limits  *Pyproject // the pyproject.toml whose constraints and overrides count: the workspace's, or where uv pip is meant the options
	project *Pyproject // the project's own, nil = it has none
	pip     bool       // requirements files are wanted: [tool.uv.pip] counts, as with uv pip
}

// settingsOf finds the settings as uv does: those of the workspace's root, or else of the next directory above the project that has some. py is the project's
// pyproject.toml, pip says that its requirements are not wanted.
func settingsOf(t files.Tree, py *Pyproject, pip bool) uvSettings {
	s := uvSettings{project: py, limits: py, pip: pip}
	dir := "."
	if py != nil && !pip {
		dir = path.Dir(py.path)
	}
	if space := findWorkspace(t, dir); space != nil && space.dir != dir {
		s.limits, dir = space.py, space.dir
	}
	for at := t.InRoot(dir); ; at = path.Dir(at) {
		switch name := t.FromRoot(at); {
		case t.Exists(path.Join(name, "uv.toml")):
			s.options = uvTOML(t, path.Join(name, "uv.toml"))
		case py != nil && path.Dir(py.path) == name:
			s.options = py
		default:
			s.options = pyprojectIn(t, name)
		}
		if s.options.uv() != nil || at == "." {
			break
		}
	}
	if s.options.uv() == nil {
		s.options = nil
	}
	if pip {
		s.limits = s.options
	}
	return s
}

// uvTOML reads a uv.toml: the table [tool.uv] of a pyproject.toml by itself. One that is no TOML says nothing, which checkUVTOML reports.
func uvTOML(t files.Tree, name string) *Pyproject {
	data, err := fs.ReadFile(t.FS, name)
	if err != nil {
		return nil
	}
	py := &Pyproject{path: name, data: data, bare: true, places: tomltext.Locate(data)}
	py.Tool.UV = &uvTool{}
	if err := toml.Unmarshal(data, py.Tool.UV); err != nil {
		py.Tool.UV, py.broken = &uvTool{}, err
	}
	return py
}

// saidBy are the settings of a file as they are written.
func saidBy(p *Pyproject) map[string]any {
	doc := map[string]any{}
	if p == nil || toml.Unmarshal(p.data, &doc) != nil { // reported when it was read
		return nil
	}
	if p.bare {
		return doc
	}
	return tableOf(tableOf(doc["tool"])["uv"])
}

// tableOfUV names the settings of a file for people.
func tableOfUV(p *Pyproject) string {
	if p.bare {
		return p.path
	}
	return "[tool.uv] in " + p.path
}

// pipTable is [tool.uv.pip] where uv pip is meant.
func (s uvSettings) pipTable() *uvPip {
	if !s.pip || s.options == nil || s.options.Tool.UV.Pip == nil {
		return &uvPip{}
	}
	return s.options.Tool.UV.Pip
}

// word is a setting that is a text; that of [tool.uv.pip] wins.
func (s uvSettings) word(key, inPip, value string) yamldoc.String {
	if inPip != "" {
		key = "pip." + key
	}
	value = cmp.Or(inPip, value)
	return yamldoc.String{Value: value, At: s.options.at("tool.uv." + key), Set: value != ""}
}

// places are the indexes, and the directories and pages of links, that the settings name by an option of pip's, or where uv pip is meant in any way: as options of
// a requirements file.
func (s uvSettings) places() []indexLine {
	if s.options == nil {
		return nil
	}
	tool, pip := s.options.Tool.UV, s.pipTable()
	var lines []indexLine
	add := func(option, key string, values ...string) {
		for i, value := range values {
			at := s.options.at(key)
			if len(values) > 1 {
				at = s.options.at(tomltext.Element(key, i))
			}
			if value != "" {
				lines = append(lines, indexLine{option, value, at})
			}
		}
	}
	add(pypi.ExtraIndexURL, "tool.uv.pip.extra-index-url", pip.Extra...)
	add(pypi.IndexURL, "tool.uv.pip.index-url", pip.IndexURL)
	add(pypi.FindLinks, "tool.uv.pip.find-links", pip.FindLinks...)
	if s.pip {
		for i, ix := range tool.Index {
			switch {
			case ix.Explicit:
			case ix.Default:
				add(pypi.IndexURL, uvIndexURL(i), ix.URL)
			default:
				add(pypi.ExtraIndexURL, uvIndexURL(i), ix.URL)
			}
		}
		if len(pip.FindLinks) == 0 {
			add(pypi.FindLinks, "tool.uv.find-links", tool.FindLinks...)
		}
	}
	if len(pip.Extra) == 0 {
		add(pypi.ExtraIndexURL, "tool.uv.extra-index-url", tool.Extra...)
	}
	if pip.IndexURL == "" {
		add(pypi.IndexURL, "tool.uv.index-url", tool.IndexURL)
	}
	return lines
}

// withUVPlaces adds where the settings look for packages. A default index of the project file or of a requirements file wins over theirs.
func withUVPlaces(t files.Tree, own []indexSpec, s uvSettings, w Wanted) Wanted {
	read := newReader(t, own)
	for _, l := range s.places() {
		another := slices.ContainsFunc(own, func(i indexSpec) bool { return i.standard }) ||
			slices.ContainsFunc(slices.Concat(w.indexes, read.indexes), func(o indexLine) bool { return o.option == pypi.IndexURL })
		if l.option == pypi.IndexURL && another {
			t.Notef("the default index of %s is not used: there is another one", tableOfUV(s.options))
			continue
		}
		read.indexLine(l)
	}
	return w.with(read.Asked)
}

// checkUVTOML reports a uv.toml that is no TOML or has a wrong value.
func checkUVTOML(report *yamldoc.Report, s uvSettings) {
	if s.options != nil && s.options.broken != nil {
		badTOML(report, s.options.path, s.options.broken)
	}
}

// choosing are the settings that decide which packages are installed, and that uv takes from a directory above.
var choosing = []string{"config-settings", "config-settings-package", "dependency-metadata", "exclude-newer", "exclude-newer-package", "extra-build-dependencies", "extra-build-variables", "extra-index-url",
	"find-links", "fork-strategy", "index", "index-strategy", "index-url", "no-binary", "no-binary-package", "no-build", "no-build-isolation", "no-build-isolation-package", "no-build-package", "no-index",
	"no-sources", "no-sources-package", "pip", "prerelease", "prerelease-package", "resolution", "torch-backend"}

// noteAbove tells of settings above the project that uv would obey: the next ones upwards, where the project has none. Only files of the project, or of its workspace, count.
func (s uvSettings) noteAbove(t files.Tree) {
	up, ok := t.FS.(upwards)
	if !ok || s.options != nil {
		return
	}
	for n := 1; ; n++ {
		root, _, err := up.Up(n)
		if err != nil {
			return
		}
		above := files.Tree{Report: &yamldoc.Report{}, FS: root}
		found := pyprojectIn(above, ".")
		if above.Exists("uv.toml") {
			found = uvTOML(above, "uv.toml")
		}
		if c, ok := root.(io.Closer); ok {
			_ = c.Close()
		}
		if found.uv() == nil {
			continue
		}
		var keys []string
		for _, key := range recipe.SortedKeys(saidBy(found)) {
			if slices.Contains(choosing, key) && (key != "pip" || s.pip) {
				keys = append(keys, key)
			}
		}
		if len(keys) > 0 {
			found.path = strings.Repeat("../", n) + found.path
			t.Notef("%s of %s has no effect here, and has with uv: it lies above the project. Write it into [tool.uv] of the project's own pyproject.toml", strings.Join(keys, ", "), tableOfUV(found))
		}
		return
	}
}

// ofProjects are the settings that uv reads from a pyproject.toml although a uv.toml stands beside it.
var ofProjects = []string{"build-backend", "build-constraint-dependencies", "cache-keys", "conflicts", "constraint-dependencies", "default-groups", "dependency-groups", "dev-dependencies",
	"environments", "exclude-dependencies", "managed", "override-dependencies", "package", "required-environments", "sources", "workspace"}

// ofMembers are the settings that uv reads from the pyproject.toml of each member of a workspace.
var ofMembers = []string{"build-backend", "cache-keys", "default-groups", "dependency-groups", "dev-dependencies", "index", "managed", "package", "sources"}

// noteElsewhere tells which settings uv does not read because others count: those of a member of a workspace, and those beside a uv.toml.
func (s uvSettings) noteElsewhere(report *yamldoc.Report) {
	tell := func(p *Pyproject, counted []string, because string) {
		var keys []string
		for _, key := range recipe.SortedKeys(saidBy(p)) {
			if !slices.Contains(counted, key) {
				keys = append(keys, key)
			}
		}
		if len(keys) > 0 {
			report.Notef("%s of %s has no effect, with uv neither: %s", strings.Join(keys, ", "), tableOfUV(p), because)
		}
	}
	if s.project != nil && s.limits != nil && !s.pip && s.limits != s.project {
		tell(s.project, ofMembers, "the settings of the workspace count, in "+s.limits.path)
	}
	if s.options != nil && s.options.bare {
		beside := pyprojectOf(s, path.Dir(s.options.path))
		if beside != nil {
			counted := ofProjects
			if s.pip {
				counted = []string{"build-backend", "cache-keys", "default-groups", "dependency-groups", "dev-dependencies", "managed", "package", "sources", "workspace"}
			}
			tell(beside, counted, s.options.path+" counts in its place")
		}
	}
}

// pyprojectOf is the pyproject.toml among the settings that lies in a directory, nil = none.
func pyprojectOf(s uvSettings, dir string) *Pyproject {
	for _, p := range []*Pyproject{s.limits, s.project} {
		if p != nil && !p.bare && path.Dir(p.path) == dir {
			return p
		}
	}
	return nil
}

// checkEnvironments refuses what uv refuses: an image that the project's environments leave out, and extras and groups together that it declares to conflict.
func (s uvSettings) checkEnvironments(report *yamldoc.Report, name, platform, python string, source *recipe.ProjectSource) {
	tool := s.limits.uv()
	if tool == nil || s.pip || source == nil {
		return
	}
	if list := textsOf(tool.Environments); len(list) > 0 && !slices.ContainsFunc(list, func(text string) bool { return holdsOn(text, platform, python) }) {
		report.Add(fault.New(fault.Resolve, "environments of %s leave out this image: Python %s on %s", tableOfUV(s.limits), python, platform).In(s.limits.at("tool.uv.environments")).
			Hint("add the environment there, with: sys_platform == 'linux'"))
	}
	for i, set := range tool.Conflicts {
		var asked []string
		for _, item := range set {
			other := pypi.Normalize(fmt.Sprint(item["package"])) != pypi.Normalize(name) && item["package"] != nil
			if other {
				continue
			}
			if text, named := item["extra"].(string); named && containsName(source.Extras, text) {
				asked = append(asked, "extra "+text)
			}
			if text, named := item["group"].(string); named && containsName(source.Groups, text) {
				asked = append(asked, "group "+text)
			}
		}
		if len(asked) > 1 {
			report.Add(fault.New(fault.Resolve, "%s of %s are declared to conflict: one image cannot have them together", strings.Join(asked, " and "), source.File.Path).
				In(s.limits.at(tomltext.Element("tool.uv.conflicts", i))).Hint("name them in profiles of their own: profiles: {cpu: {python: {extras: [cpu]}}, …}"))
		}
	}
}

func containsName(names []string, name string) bool {
	return slices.ContainsFunc(names, func(other string) bool { return pypi.Normalize(other) == pypi.Normalize(name) })
}

// textsOf is a text or a list of texts.
func textsOf(v any) []string {
	list, several := v.([]any)
	if !several {
		list = []any{v}
	}
	var texts []string
	for _, one := range list {
		if text, ok := one.(string); ok {
			texts = append(texts, text)
		}
	}
	return texts
}

// holdsOn reports whether a marker may hold in an image.
func holdsOn(marker, platform, python string) bool {
	m, err := pypi.ParseMarker(marker)
	return err != nil || mayHoldOn(pypi.Requirement{Marker: m}, []string{platform}, []string{python})
}
