package requirements

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/tomltext"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// uvTool is what [tool.uv] of a pyproject.toml says of its packages. uv reads it from the directory in which it runs, which is mlbuild's own, and
// so these settings are taken over; [tool.uv.sources] it reads from each pyproject.toml.
type uvTool struct {
	Index       []uvIndex      `toml:"index"`
	Sources     map[string]any `toml:"sources"`
	Overrides   []string       `toml:"override-dependencies"`
	Constraints []string       `toml:"constraint-dependencies"`
	FindLinks   []string       `toml:"find-links"`
	Strategy    string         `toml:"index-strategy"`
	Package     *bool          `toml:"package"`
	Workspace   *struct {
		Members []string `toml:"members"`
		Exclude []string `toml:"exclude"`
	} `toml:"workspace"`

	Prerelease       string           `toml:"prerelease"`
	Resolution       string           `toml:"resolution"`
	Newer            any              `toml:"exclude-newer"`
	NewerPackage     map[string]any   `toml:"exclude-newer-package"`
	NoBinary         []string         `toml:"no-binary-package"`
	NoBuild          bool             `toml:"no-build"`
	NoBuildPackage   []string         `toml:"no-build-package"`
	BuildConstraints []any            `toml:"build-constraint-dependencies"`
	ExtraBuild       map[string][]any `toml:"extra-build-dependencies"`
	Metadata         []uvMetadata     `toml:"dependency-metadata"`
	DefaultGroups    any              `toml:"default-groups"`

	IndexURL     string             `toml:"index-url"`
	Extra        []string           `toml:"extra-index-url"`
	Environments any                `toml:"environments"`
	Conflicts    [][]map[string]any `toml:"conflicts"`
	Pip          *uvPip             `toml:"pip"`
}

// uvPip is [tool.uv.pip], whose settings count for uv pip alone, before those of [tool.uv].
type uvPip struct {
	IndexURL     string           `toml:"index-url"`
	Extra        []string         `toml:"extra-index-url"`
	FindLinks    []string         `toml:"find-links"`
	Strategy     string           `toml:"index-strategy"`
	Prerelease   string           `toml:"prerelease"`
	Resolution   string           `toml:"resolution"`
	Newer        any              `toml:"exclude-newer"`
	NewerPackage map[string]any   `toml:"exclude-newer-package"`
	NoBinary     any              `toml:"no-binary"`
	ExtraBuild   map[string][]any `toml:"extra-build-dependencies"`
}

// uvMetadata is an entry of dependency-metadata: it stands in place of what a package says of itself.
type uvMetadata struct {
	Name     string   `toml:"name"`
	Version  string   `toml:"version"`
	Requires []string `toml:"requires-dist"`
	Python   string   `toml:"requires-python"`
	Extras   []string `toml:"provides-extra"`
}

type uvIndex struct {
	Name     string `toml:"name"`
	URL      string `toml:"url"`
	Default  bool   `toml:"default"`
	Explicit bool   `toml:"explicit"`
}

// uv is what [tool.uv] says; nil = there is none.
func (p *Pyproject) uv() *uvTool {
	if p == nil {
		return nil
	}
	return p.Tool.UV
}

// uvIndexURL is the key of an index's URL in the file.
func uvIndexURL(i int) string { return tomltext.Element("tool.uv.index", i) + ".url" }

// source are the tables of [tool.uv.sources] for a package, by its normalized name: one, or several with markers.
func (t *uvTool) source(name string) []map[string]any {
	if t == nil {
		return nil
	}
	var tables []map[string]any
	for _, key := range recipe.SortedKeys(t.Sources) {
		if pypi.Normalize(key) != name {
			continue
		}
		list, several := t.Sources[key].([]any)
		if !several {
			list = []any{t.Sources[key]}
		}
		for _, one := range list {
			if table, ok := one.(map[string]any); ok {
				tables = append(tables, table)
			}
		}
	}
	return tables
}

// repos are the URLs of git repositories from which [tool.uv.sources] takes what the lines require.
func (t *uvTool) repos(lines []pypi.Line) []string {
	var repos []string
	for _, l := range lines {
		for _, table := range t.source(l.Required.Name) {
			if git, ok := table["git"].(string); ok {
				repos = append(repos, gitURL(git))
			}
		}
	}
	return repos
}

// uvTorch is the index of PyTorch to which [tool.uv.sources] binds torch in an image that has the extras and groups that p asks for, if it is one in every case.
func uvTorch(py *Pyproject, p Spec) (torch TorchLine) {
	tool := py.uv()
	if tool == nil {
		return TorchLine{}
	}
	var names []any
	for _, source := range tool.source("torch") {
		if inImages(source) && among(source["extra"], p.extras) && among(source["group"], p.groups) && !slices.Contains(names, source["index"]) {
			names = append(names, source["index"])
		}
	}
	if len(names) != 1 {
		return TorchLine{}
	}
	for i, ix := range tool.Index {
		if m := torchIndex.FindStringSubmatch(ix.URL); m != nil && names[0] == ix.Name {
			torch = TorchLine{m[1], m[2], py.at(uvIndexURL(i))}
		}
	}
	return torch
}

// inImages reports whether the marker of a source may hold in an image.
func inImages(source map[string]any) bool {
	text, _ := source["marker"].(string)
	m, err := pypi.ParseMarker(text)
	return err == nil && mayHold(pypi.Requirement{Marker: m})
}

// among reports whether an extra or a group of a source is asked for; a source without one always counts.
func among(name any, wanted []yamldoc.String) bool {
	text, named := name.(string)
	return !named || slices.ContainsFunc(wanted, func(s yamldoc.String) bool { return pypi.Normalize(s.Value) == pypi.Normalize(text) })
}

// withUVSettings takes over what the settings of uv say. What mlbuild.yaml says of the same wins; own are its indexes.
func withUVSettings(t files.Tree, own []indexSpec, s uvSettings, w Wanted) Wanted {
	if s.options != nil {
		w = withUVOptions(t, own, s, w)
	}
	if s.project != nil && !s.pip {
		noteDefaultGroups(t.Report, s.project, w.Requires.Project)
	}
	py := s.limits
	if py.uv() == nil {
		return w
	}
	tool := py.Tool.UV
	read := newReader(t, own)
	read.items(py.strings(itemsOf("tool.uv.override-dependencies", tool.Overrides)))
	w.Requires = WithSources(w.Requires, read.Asked)
	before := w.replaced
	w.replaced = nil
	w = w.replacing(slices.Concat(read.Direct, read.placed)).replacing(before)
	if len(tool.Constraints) > 0 {
		text := strings.Join(tool.Constraints, "\n") + "\n"
		w.Requires.Constraints = append(w.Requires.Constraints, recipe.File{Path: t.InRoot(py.path) + ".constraints.txt", Data: text, Top: true})
	}
	return w
}

// withUVOptions takes over what says how packages are looked for and chosen.
func withUVOptions(t files.Tree, own []indexSpec, s uvSettings, w Wanted) Wanted {
	py, tool := s.options, s.options.Tool.UV
	w.Requires.Strategy = cmp.Or(w.Requires.Strategy, s.pipTable().Strategy, tool.Strategy)
	if w.Requires.Strategy == strategies[0] {
		w.Requires.Strategy = ""
	}
	w.Requires = withUVChoices(t.Report, s, w.Requires)
	if s.pip {
		return w // withUVPlaces has its indexes and links
	}
	for _, page := range tool.FindLinks {
		if strings.Contains(page, "://") {
			w.Requires.FindLinks = append(w.Requires.FindLinks, page)
		}
	}
	w.Requires.Indexes = withUVIndexes(t.Report, own, py, w.Torch, w.Requires.Indexes)
	read := newReader(t, own)
	read.wheelhouses(py.strings(itemsOf("tool.uv.find-links", tool.FindLinks)))
	for _, l := range read.indexes {
		w.Requires.FindLinks = append(w.Requires.FindLinks, l.url)
	}
	w.Requires = WithSources(w.Requires, read.Asked)
	return w
}

// withUVIndexes takes over the indexes that are not explicit: these are found through the sources that name them.
func withUVIndexes(report *yamldoc.Report, own []indexSpec, py *Pyproject, torch TorchLine, indexes []recipe.Index) []recipe.Index {
	for i, ix := range py.uv().Index {
		if ix.Explicit || ix.URL == "" || yamldoc.HasUserInfo(ix.URL) || indexAt(own, ix.URL) >= 0 || torch.Tag != "" && torchIndex.MatchString(ix.URL) {
			continue
		}
		if !report.CheckURL(yamldoc.String{Value: ix.URL, At: py.at(uvIndexURL(i)), Set: true}, "the index "+ix.Name) {
			continue
		}
		standard := ix.Default && !slices.ContainsFunc(indexes, func(other recipe.Index) bool { return other.Default })
		name := ix.Name
		if name == "" || slices.ContainsFunc(indexes, func(other recipe.Index) bool { return other.Name == name }) {
			name = freeName(ix.URL, indexes)
		}
		indexes = append(indexes, recipe.Index{Name: name, URL: ix.URL, Default: standard})
	}
	return indexes
}

// projectText is a pyproject.toml for uv that says what the project asks for in this profile: with Poetry's dependencies in the standard's terms, without
// other sources of the torch family than the profile's (bound), and with the packages of the project's own code (own) where uv sees them, and what else is
// to stand among its requirements (more). It is the project's own where that says just this.
func projectText(report *yamldoc.Report, py *Pyproject, above *recipe.Above, own []ownPackage, more []string, bound bool) string {
	var virtual []string
	for _, p := range own {
		if p.virtual() {
			virtual = append(virtual, p.name)
		}
	}
	var family []string
	if bound {
		family = familySources(py.uv())
	}
	doc := map[string]any{}
	if !py.rewritten && len(own) == 0 && len(family) == 0 || toml.Unmarshal(py.data, &doc) != nil { // an error was reported when it was read
		return string(py.data)
	}
	if py.Project != nil {
		doc["project"] = standardProject(tableOf(doc["project"]), py.Project, virtual, append(ownRequirements(py, own), more...))
	}
	if py.DependencyGroups != nil {
		doc["dependency-groups"] = py.DependencyGroups
	}
	uv := tableOf(tableOf(doc["tool"])["uv"])
	sources := tableOf(uv["sources"])
	for _, name := range ownSources(py.uv()) {
		if elsewhere := py.uv().elsewhere(pypi.Normalize(name)); len(elsewhere) > 0 {
			sources[name] = elsewhere
		} else {
			delete(sources, name)
		}
	}
	for _, name := range slices.Concat(family, ownNames(py.uv(), own)) {
		delete(sources, name)
	}
	for _, p := range own {
		if !p.virtual() {
			sources[p.name] = map[string]any{"path": strings.Repeat("../", strings.Count(py.path, "/")+1) + above.InStep(p.dir)}
		}
	}
	left := map[string]any{"sources": sources}
	if uv["index"] != nil {
		left["index"] = uv["index"]
	}
	doc["tool"] = map[string]any{"uv": left}
	text, err := toml.Marshal(doc)
	if err != nil {
		report.Add(fault.New(fault.Internal, "write pyproject.toml: %w", err))
		return string(py.data)
	}
	return string(text)
}

// ownRequirements are what the packages of the project's own code add to what it requires: others of them, and what those require that are no packages.
func ownRequirements(py *Pyproject, own []ownPackage) []string {
	var more []string
	for _, p := range own {
		switch {
		case !p.virtual():
			if !slices.ContainsFunc(requiredBy(py), func(q pypi.Requirement) bool { return q.Name == p.name }) {
				more = append(more, p.name)
			}
		case p.py.HasProject():
			more = append(more, p.py.Project.Dependencies...)
		}
	}
	return more
}

// standardProject writes what p says into the table [project] of a file, without some packages and with more requirements.
func standardProject(table map[string]any, p *projectTable, own, more []string) map[string]any {
	table["name"], table["version"] = cmp.Or(recipe.CleanName(p.Name), "project"), "0"
	table["dependencies"] = append(withoutNames(p.Dependencies, own), withoutNames(more, own)...)
	optional := map[string]any{}
	for _, extra := range recipe.SortedKeys(p.OptionalDependencies) {
		optional[extra] = withoutNames(p.OptionalDependencies[extra], own)
	}
	table["optional-dependencies"] = optional
	delete(table, "dynamic")
	return table
}

// tableOf returns a table of TOML, an empty one if it is none.
func tableOf(v any) map[string]any {
	if m, ok := v.(map[string]any); ok {
		return m
	}
	return map[string]any{}
}

// ownSources are dependencies whose source is a directory of the project or of its workspace, as [tool.uv.sources] names them.
func ownSources(tool *uvTool) []string {
	if tool == nil {
		return nil
	}
	var own []string
	for _, name := range recipe.SortedKeys(tool.Sources) {
		if slices.ContainsFunc(tool.source(pypi.Normalize(name)), func(source map[string]any) bool { return source["workspace"] == true || source["path"] != nil }) {
			own = append(own, name)
		}
	}
	return own
}

// elsewhere are the sources of a package that are none of the project's own code: those that count where the project's own do not.
func (t *uvTool) elsewhere(name string) []any {
	var left []any
	for _, source := range t.source(name) {
		if source["workspace"] != true && source["path"] == nil {
			left = append(left, source)
		}
	}
	return left
}

// ownNames are the names by which [tool.uv.sources] has packages of the project's own code.
func ownNames(tool *uvTool, own []ownPackage) []string {
	return slices.DeleteFunc(ownSources(tool), func(name string) bool {
		return !slices.ContainsFunc(own, func(p ownPackage) bool { return p.name == pypi.Normalize(name) })
	})
}

// familySources are the entries of [tool.uv.sources] for packages of the torch family.
func familySources(tool *uvTool) []string {
	if tool == nil {
		return nil
	}
	var family []string
	for _, name := range recipe.SortedKeys(tool.Sources) {
		if slices.Contains(compat.Torch().Index.Family, pypi.Normalize(name)) {
			family = append(family, name)
		}
	}
	return family
}

// withoutNames leaves out requirements of the named packages.
func withoutNames(lines, names []string) []string {
	left := []string{}
	for _, line := range lines {
		q, err := pypi.ParseRequirement(line)
		if errors.Is(err, pypi.ErrNoRequirement) || !slices.ContainsFunc(names, func(name string) bool { return pypi.Normalize(name) == q.Name }) {
			left = append(left, line)
		}
	}
	return left
}
