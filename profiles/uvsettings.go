package profiles

import (
	"errors"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
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
}

type uvIndex struct {
	Name     string `toml:"name"`
	URL      string `toml:"url"`
	Default  bool   `toml:"default"`
	Explicit bool   `toml:"explicit"`
}

// uvTool returns [tool.uv] of the project whose dependencies are wanted; nil = there is none.
func (r *resolver) uvTool() *uvTool {
	if r.py == nil || r.recipe.Requires.Project == nil {
		return nil
	}
	return r.py.Tool.UV
}

// uvIndexURL is the key of an index's URL in the file.
func uvIndexURL(i int) string { return tomltext.Element("tool.uv.index", i) + ".url" }

// source are the tables of [tool.uv.sources] for a package, by its normalized name: one, or several with markers.
func (t *uvTool) source(name string) []map[string]any {
	if t == nil {
		return nil
	}
	var tables []map[string]any
	for _, key := range sortedKeys(t.Sources) {
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

// uvTorch finds the index of PyTorch to which [tool.uv.sources] binds torch, if it is one in every case.
func (r *resolver) uvTorch() {
	tool := r.uvTool()
	if tool == nil || r.found.torch.tag != "" {
		return
	}
	source := map[string]any{}
	if tables := tool.source("torch"); len(tables) == 1 {
		source = tables[0]
	}
	for i, ix := range tool.Index {
		if m := torchIndex.FindStringSubmatch(ix.URL); m != nil && source["index"] == ix.Name && source["extra"] == nil && source["group"] == nil {
			r.found.torch = torchLine{m[1], m[2], r.py.at(uvIndexURL(i))}
		}
	}
}

// uvSettings takes over what [tool.uv] says. What mlbuild.yaml says of the same wins.
func (r *resolver) uvSettings() {
	tool := r.uvTool()
	if tool == nil {
		return
	}
	req := &r.recipe.Requires
	req.Strategy = orElse(req.Strategy, tool.Strategy)
	if req.Strategy == strategies[0] {
		req.Strategy = ""
	}
	for _, page := range tool.FindLinks {
		if strings.Contains(page, "://") {
			req.FindLinks = append(req.FindLinks, page)
		}
	}
	r.uvIndexes(tool)
	own := r.replaced
	r.replaced = nil
	read := r.reader()
	read.items(r.py.strings(itemsOf("tool.uv.override-dependencies", tool.Overrides)))
	r.takeSources(read.asked)
	r.replace(read.direct)
	r.replace(own)
	if len(tool.Constraints) > 0 {
		text := strings.Join(tool.Constraints, "\n") + "\n"
		req.Constraints = append(req.Constraints, recipe.File{Path: r.py.path + ".constraints.txt", Data: text, Top: true})
	}
}

// uvIndexes takes over the indexes that are not explicit: these are found through the sources that name them.
func (r *resolver) uvIndexes(tool *uvTool) {
	req := &r.recipe.Requires
	for i, ix := range tool.Index {
		if ix.Explicit || ix.URL == "" || yamldoc.HasUserInfo(ix.URL) || indexAt(r.python.indexes, ix.URL) >= 0 || r.found.torch.tag != "" && torchIndex.MatchString(ix.URL) {
			continue
		}
		if !checkURL(r.Report, yamldoc.String{Value: ix.URL, At: r.py.at(uvIndexURL(i)), Set: true}, "the index "+ix.Name) {
			continue
		}
		standard := ix.Default && !slices.ContainsFunc(req.Indexes, func(other recipe.Index) bool { return other.Default })
		name := ix.Name
		if name == "" || slices.ContainsFunc(req.Indexes, func(other recipe.Index) bool { return other.Name == name }) {
			name = freeName(ix.URL, req.Indexes)
		}
		req.Indexes = append(req.Indexes, recipe.Index{Name: name, URL: ix.URL, Default: standard})
	}
}

// projectText gives uv a pyproject.toml that says what the project asks for in this profile: with Poetry's dependencies in the standard's terms, without
// other sources of the torch family than the profile's, and without packages of the project's own code, which are no wheels.
func (r *resolver) projectText() {
	req := &r.recipe.Requires
	if req.Project == nil || r.py == nil {
		return
	}
	own := r.ownPackages()
	family := r.familySources()
	if !r.py.rewritten && len(own) == 0 && len(family) == 0 {
		return
	}
	doc := map[string]any{}
	if err := toml.Unmarshal(r.py.data, &doc); err != nil {
		return // reported when it was read
	}
	project := tableOf(doc["project"])
	if p := r.py.Project; p != nil {
		project["name"], project["version"] = orElse(cleanName(p.Name), "project"), "0"
		project["dependencies"] = withoutNames(p.Dependencies, own)
		optional := map[string]any{}
		for _, extra := range sortedKeys(p.OptionalDependencies) {
			optional[extra] = withoutNames(p.OptionalDependencies[extra], own)
		}
		project["optional-dependencies"] = optional
		delete(project, "dynamic")
		doc["project"] = project
	}
	if r.py.DependencyGroups != nil {
		doc["dependency-groups"] = r.py.DependencyGroups
	}
	tool := tableOf(doc["tool"])
	uv := tableOf(tool["uv"])
	sources := tableOf(uv["sources"])
	for _, name := range append(own, family...) {
		delete(sources, name)
	}
	delete(uv, "workspace")
	doc["tool"] = map[string]any{"uv": map[string]any{"sources": sources, "index": uv["index"]}}
	if uv["index"] == nil {
		doc["tool"] = map[string]any{"uv": map[string]any{"sources": sources}}
	}
	text, err := toml.Marshal(doc)
	if err != nil {
		r.Add(fault.New(fault.Internal, "write pyproject.toml: %w", err))
		return
	}
	req.Project.File.Data = string(text)
}

// tableOf returns a table of TOML, an empty one if it is none.
func tableOf(v any) map[string]any {
	if m, ok := v.(map[string]any); ok {
		return m
	}
	return map[string]any{}
}

// ownPackages are dependencies whose source is a directory of the project or of its workspace, as [tool.uv.sources] names them.
func (r *resolver) ownPackages() []string {
	var own []string
	tool := r.uvTool()
	if tool == nil {
		return nil
	}
	for _, name := range sortedKeys(tool.Sources) {
		source, ok := tool.Sources[name].(map[string]any)
		if ok && (source["workspace"] == true || source["path"] != nil) {
			own = append(own, name)
		}
	}
	return own
}

// familySources are the entries of [tool.uv.sources] for packages that the profile binds to its own index of PyTorch.
func (r *resolver) familySources() []string {
	var family []string
	if tool := r.uvTool(); tool != nil && r.recipe.Requires.Torch != "" {
		for _, name := range sortedKeys(tool.Sources) {
			if slices.Contains(compat.Torch().Index.Family, pypi.Normalize(name)) {
				family = append(family, name)
			}
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
