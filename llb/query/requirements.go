package query

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// resolveProject is the pyproject.toml that mlbuild writes for uv: the packages that the project file names, and the bindings of packages
// to indexes. uv binds direct requirements only, so a bound package that is needed at all stands here as one.
func resolveProject(r *recipe.Recipe, in ResolveInputs) (string, error) {
	type source struct {
		Index string `toml:"index"`
	}
	type index struct {
		Name     string `toml:"name"`
		URL      string `toml:"url"`
		Explicit bool   `toml:"explicit,omitempty"`
		Default  bool   `toml:"default,omitempty"`
	}
	var doc struct {
		Project struct {
			Name           string   `toml:"name"`
			Version        string   `toml:"version"`
			RequiresPython string   `toml:"requires-python"`
			Dependencies   []string `toml:"dependencies"`
		} `toml:"project"`
		Tool struct {
			UV struct {
				Index   []index           `toml:"index,omitempty"`
				Sources map[string]source `toml:"sources,omitempty"`
				// Metadata stands in place of what a package says of itself.
				Metadata []uvMetadata `toml:"dependency-metadata,omitempty"`
				// ExtraBuild is what builds get beside what they ask for.
				ExtraBuild map[string][]string `toml:"extra-build-dependencies,omitempty"`
			} `toml:"uv"`
		} `toml:"tool"`
	}
	doc.Project.Name, doc.Project.Version = "requirements-of-"+r.Profile, "0"
	doc.Project.RequiresPython = ">=" + r.Python.Version
	doc.Project.Dependencies = slices.Concat(named(r, in.boundOverrides(r)), in.Direct, in.overriding(r))
	for _, p := range in.Replaced {
		doc.Project.Dependencies = append(doc.Project.Dependencies, p.requirement())
	}
	for _, ix := range r.Requires.Indexes {
		bound := len(ix.Packages) > 0 || ix.Name == r.Requires.Torch
		doc.Tool.UV.Index = append(doc.Tool.UV.Index, index{Name: ix.Name, URL: ix.URL, Explicit: bound && !ix.Default, Default: ix.Default})
	}
	bindings := Bindings(r)
	doc.Tool.UV.Sources = map[string]source{}
	for _, d := range in.Direct {
		doc.Tool.UV.Sources[d] = source{Index: bindings[d]}
	}
	doc.Tool.UV.ExtraBuild = map[string][]string{}
	for _, p := range r.Requires.BuildExtra {
		doc.Tool.UV.ExtraBuild[p.Name] = append([]string{}, p.Requires...)
	}
	doc.Tool.UV.Metadata = uvMetadataOf(r)
	out, err := toml.Marshal(doc)
	if err != nil {
		return "", fmt.Errorf("encode the requirements of %s: %w", r.Profile, err)
	}
	return string(out), nil
}

// uvMetadata is an entry of uv's dependency-metadata.
type uvMetadata struct {
	Name         string   `toml:"name"`
	Version      string   `toml:"version,omitempty"`
	RequiresDist []string `toml:"requires-dist"`
	Python       string   `toml:"requires-python,omitempty"`
	Extras       []string `toml:"provides-extra,omitempty"`
}

// uvMetadataOf is what uv is told of packages in place of what they say of themselves.
func uvMetadataOf(r *recipe.Recipe) (all []uvMetadata) {
	for _, p := range r.Requires.Metadata {
		all = append(all, uvMetadata{p.Name, cmp.Or(p.Version, unknownIf(byPlace(r, p.Name))), append([]string{}, p.Requires...), p.Python, p.Extras})
	}
	for _, name := range r.Requires.NoDeps {
		all = append(all, uvMetadata{Name: name, Version: unknownIf(byPlace(r, name)), RequiresDist: []string{}})
	}
	return all
}

// unknownVersion is the version that uv is told of a package which only its build could tell. uv wants one for what does not come from an index.
const unknownVersion = "0+unknown"

func unknownIf(unknown bool) string {
	if unknown {
		return unknownVersion
	}
	return ""
}

// byPlace reports whether the project requires a package by a URL or a path.
func byPlace(r *recipe.Recipe, name string) bool {
	return slices.ContainsFunc(slices.Concat(r.Requires.Wanted(), r.Requires.Replacing()), func(a recipe.Asked) bool {
		return a.Name == name && a.URL != ""
	}) || slices.ContainsFunc(r.Requires.Local, func(l recipe.LocalSource) bool { return l.Name == name })
}

// Bindings says for each package that must come from one index which index that is: the torch family of the profile, and what the
// project file binds. The file wins.
func Bindings(r *recipe.Recipe) map[string]string {
	b := map[string]string{}
	if r.Requires.Torch != "" {
		bound := compat.Torch().Index.Family
		if kind := r.Accelerator.Kind; kind == recipe.ROCm || kind == recipe.XPU {
			bound = slices.Concat(bound, compat.Torch().Index.Apart)
		}
		for _, p := range bound {
			b[p] = r.Requires.Torch
		}
	}
	for _, ix := range r.Requires.Indexes {
		for _, p := range ix.Packages {
			b[pypi.Normalize(p)] = ix.Name
		}
	}
	return b
}

// Named lists the bound packages that the project's requirements name themselves for one of the platforms, sorted: they are direct from the start. full is the
// whole version of the image's Python, "" = unknown.
func Named(r *recipe.Recipe, platforms []string, full string) []string {
	bindings, named := Bindings(r), map[string]bool{}
	for _, platform := range platforms {
		env := environment(r, platform, full)
		for _, a := range r.Requires.Wanted() {
			if bindings[a.Name] != "" && a.Holds(env) {
				named[a.Name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(named))
}

// environment is what markers are evaluated against, full being the whole version of the image's Python: without it uv takes the first patch release.
func environment(r *recipe.Recipe, platform, full string) *pypi.Environment {
	return pypi.NewEnvironment(pypi.Target{Python: r.Python.Version, Platform: platform}, cmp.Or(full, r.Python.Version+".0"), nil)
}

// rewritten is a text that holds the requirements of lines, as uv has to read it: packages have the accelerator's names, and files of the project lie where
// uv sees them. Extras of an old name go with it. What names its file by a URL stays: the file is of the old name. Of options that name several packages, as pip has
// them and uv has not, the first is left: buildOptions has all. Packages that are in loose stand without their versions.
func rewritten(text string, lines []pypi.Line, names map[string]string, loose ...string) string {
	var edits []pypi.Edit
	for _, l := range lines {
		q := l.Required
		if free, ok := q.Unversioned(); ok && l.Offset >= 0 && slices.Contains(loose, q.Name) {
			edits = append(edits, free.In(l.Offset))
		}
		e, ok := q.Renamed(names[q.Name])
		switch {
		case l.Offset < 0: // written in a way that has no place
		case ok && names[q.Name] != "":
			edits = append(edits, e.In(l.Offset))
		case q.Path() != "":
			edits = append(edits, q.Moved("./"+localDir+"/"+q.Path()).In(l.Offset))
		}
		if l.Offset >= 0 {
			edits = append(edits, oneName(text, l)...)
		}
	}
	slices.SortFunc(edits, func(a, b pypi.Edit) int { return a.From - b.From })
	return pypi.Apply(text, slices.Compact(edits))
}

// boundOverrides lists the packages that are bound to an index and for which the project says what stands in place of what was said before. uv takes an override from
// any index, so that these are no overrides: what was said before loses its version, and what the project says is required as anything else. One with a URL needs no index.
func (in ResolveInputs) boundOverrides(r *recipe.Recipe) []string {
	var names []string
	for _, l := range r.Requires.OverrideLines {
		if slices.Contains(in.Direct, l.Required.Name) {
			names = append(names, l.Required.Name)
		}
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return slices.ContainsFunc(r.Requires.OverrideLines, func(l pypi.Line) bool { return l.Required.Name == name && l.Required.URL != "" })
	})
}

// overriding are the requirements of boundOverrides.
func (in ResolveInputs) overriding(r *recipe.Recipe) []string {
	var list []string
	bound := in.boundOverrides(r)
	for i, text := range r.Requires.Overrides {
		if l := r.Requires.OverrideLines[i]; slices.Contains(bound, l.Required.Name) {
			list = append(list, rewritten(text, []pypi.Line{l}, r.Requires.Rename))
		}
	}
	return list
}

// oneName leaves one name in options of a line that name several packages.
func oneName(text string, l pypi.Line) (edits []pypi.Edit) {
	for _, o := range l.Options {
		at := strings.Index(text[l.Offset:], o.Text)
		if names := o.Packages(); len(names) > 0 && strings.Contains(o.Value, ",") && at >= 0 {
			edits = append(edits, pypi.Edit{From: at, To: at + len(o.Text), Text: o.Name + " " + names[0]}.In(l.Offset))
		}
	}
	return edits
}

// Requested lists every package that the project's files and its own list name themselves and no marker may leave out, under the names of its accelerator,
// sorted.
func Requested(r *recipe.Recipe) []string {
	named := map[string]bool{}
	for _, a := range r.Requires.Wanted() {
		if p := r.Requires.Project; a.Name != "" && a.Marker == nil && (p == nil || a.File != p.File.Path) {
			named[renamed(a.Name, r.Requires.Rename)] = true
		}
	}
	return slices.Sorted(maps.Keys(named))
}

// NameFor is the name that a package has under the recipe's accelerator.
func NameFor(r *recipe.Recipe, name string) string { return renamed(name, r.Requires.Rename) }

// renamed is the accelerator's name of a package, without the extras that come with it.
func renamed(name string, names map[string]string) string {
	if q, err := pypi.ParseRequirement(names[name]); err == nil {
		return q.Name
	}
	return name
}
