package query

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// resolveProject is the pyproject.toml that mlbuild writes for uv: the packages that the project file names, and the bindings of packages
// to indexes. uv binds direct requirements only, so a bound package that is needed at all stands here as one.
func resolveProject(r *recipe.Recipe, direct []string) (string, error) {
	type source struct {
		Index string `toml:"index"`
	}
	type metadata struct {
		Name         string   `toml:"name"`
		Version      string   `toml:"version,omitempty"`
		RequiresDist []string `toml:"requires-dist"`
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
				Metadata []metadata `toml:"dependency-metadata,omitempty"`
			} `toml:"uv"`
		} `toml:"tool"`
	}
	doc.Project.Name, doc.Project.Version = "requirements-of-"+r.Profile, "0"
	doc.Project.RequiresPython = ">=" + r.Python.Version
	doc.Project.Dependencies = append(renameAll(named(r.Requires.Packages), r.Requires.Rename), direct...)
	for _, ix := range r.Requires.Indexes {
		bound := len(ix.Packages) > 0 || ix.Name == r.Requires.Torch
		doc.Tool.UV.Index = append(doc.Tool.UV.Index, index{Name: ix.Name, URL: ix.URL, Explicit: bound && !ix.Default, Default: ix.Default})
	}
	bindings := Bindings(r)
	doc.Tool.UV.Sources = map[string]source{}
	for _, d := range direct {
		doc.Tool.UV.Sources[d] = source{Index: bindings[d]}
	}
	for _, p := range r.Requires.Metadata {
		doc.Tool.UV.Metadata = append(doc.Tool.UV.Metadata, metadata{p.Name, unknownIf(byPlace(r, p.Name)), append([]string{}, p.Requires...)})
	}
	for _, name := range r.Requires.NoDeps {
		doc.Tool.UV.Metadata = append(doc.Tool.UV.Metadata, metadata{name, unknownIf(byPlace(r, name)), []string{}})
	}
	out, err := toml.Marshal(doc)
	if err != nil {
		return "", fmt.Errorf("encode the requirements of %s: %w", r.Profile, err)
	}
	return string(out), nil
}

// unknownVersion is the version that uv is told of a package which only its build could tell. uv wants one for what does not come from an index.
const unknownVersion = "0+unknown"

func unknownIf(unknown bool) string {
	if unknown {
		return unknownVersion
	}
	return ""
}

// byPlace tells whether the project requires a package by a URL or a path.
func byPlace(r *recipe.Recipe, name string) bool {
	return slices.ContainsFunc(requirementLines(r), func(line string) bool {
		m := RequirementName.FindStringSubmatch(line)
		return m != nil && m[4] == "@" && pypi.Normalize(m[2]) == name
	}) || slices.ContainsFunc(r.Requires.Local, func(l recipe.LocalSource) bool { return l.Name == name })
}

// Bindings says for each package that must come from one index which index that is: the torch family of the profile, and what the
// project file binds. The file wins.
func Bindings(r *recipe.Recipe) map[string]string {
	b := map[string]string{}
	if r.Requires.Torch != "" {
		for _, p := range compat.TorchFamily {
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

// Named lists the bound packages that the project's requirements name themselves, sorted: they are direct from the start.
func Named(r *recipe.Recipe) []string {
	named := map[string]bool{}
	for _, line := range requirementLines(r) {
		if m := RequirementName.FindStringSubmatch(line); m != nil {
			named[pypi.Normalize(m[2])] = true
		}
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(Bindings(r))), func(p string) bool { return !named[p] })
}

var (
	// RequirementName is the name that starts a requirement line (PEP 508), with what stands before it, its extras and how the
	// rest begins. A path or a URL does not start with a name.
	RequirementName = lazyregexp.New(`^(\s*)([A-Za-z0-9][A-Za-z0-9._-]*)(\s*\[[^\]]*\])?\s*([<>=!~;@#(\\]|\s-|$)`)
	// tomlString is a basic or literal string of TOML on one line.
	tomlString = lazyregexp.New(`(["'])([^"'\n]*)["']`)
)

// NameOf is the normalized name that a requirement starts with, "" = none.
func NameOf(requirement string) string {
	if m := RequirementName.FindStringSubmatch(requirement); m != nil {
		return pypi.Normalize(m[2])
	}
	return ""
}

// renameOne gives a requirement the accelerator's name of its package; extras of the old name go with it. One that names its file by a
// URL stays: the file is of the old name.
func renameOne(requirement string, names map[string]string) string {
	m := RequirementName.FindStringSubmatchIndex(requirement)
	if m == nil || requirement[m[8]:m[9]] == "@" {
		return requirement
	}
	to, ok := names[pypi.Normalize(requirement[m[4]:m[5]])]
	if !ok {
		return requirement
	}
	return requirement[:m[3]] + to + requirement[max(m[5], m[7]):]
}

func renameAll(requirements []string, names map[string]string) []string {
	out := make([]string, len(requirements))
	for i, r := range requirements {
		out[i] = renameOne(r, names)
	}
	return out
}

func renameLines(text string, names map[string]string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(renameOne(line, names))
	}
	return b.String()
}

// renameStrings renames inside the strings of a TOML file, which is where its requirements stand.
func renameStrings(text string, names map[string]string) string {
	if len(names) == 0 {
		return text
	}
	return tomlString.ReplaceAllStringFunc(text, func(s string) string {
		return s[:1] + renameOne(s[1:len(s)-1], names) + s[len(s)-1:]
	})
}

// Requested lists every package that the project's requirements name themselves, under the names of its accelerator, sorted.
func Requested(r *recipe.Recipe) []string {
	named := map[string]bool{}
	for _, f := range r.Requires.Files {
		for line := range strings.Lines(f.Data) {
			addName(named, line, r.Requires.Rename)
		}
	}
	for _, p := range r.Requires.Packages {
		addName(named, p, r.Requires.Rename)
	}
	return slices.Sorted(maps.Keys(named))
}

func addName(named map[string]bool, requirement string, names map[string]string) {
	requirement, _, _ = strings.Cut(requirement, " #")
	if strings.Contains(requirement, ";") { // a marker may leave it out
		return
	}
	if m := RequirementName.FindStringSubmatch(renameOne(requirement, names)); m != nil {
		named[pypi.Normalize(m[2])] = true
	}
}
