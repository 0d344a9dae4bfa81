package requirements

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// prereleases and resolutions are uv's own words for what it may choose; the first of each is its default.
var (
	prereleases = []string{"if-necessary-or-explicit", "disallow", "allow", "if-necessary", "explicit"}
	resolutions = []string{"highest", "lowest", "lowest-direct"}
)

// oneOf reads a key of the project file whose values are words of uv. The default is left out of the recipe.
func oneOf(report *yamldoc.Report, s yamldoc.String, words []string) string {
	switch {
	case !s.Set || s.Value == words[0]:
		return ""
	case !slices.Contains(words, s.Value):
		f := fault.New(fault.Spec, "%q is none of %s", s.Value, strings.Join(words, ", ")).In(s.At)
		yamldoc.DidYouMean(f, s.Value, words)
		report.Add(f)
		return ""
	}
	return s.Value
}

// excludeNewer reads python.exclude_newer, a date or a time (RFC 3339): python.cooldown with another name and a clock.
func excludeNewer(report *yamldoc.Report, p Spec) string {
	s := p.newer
	_, noDate := time.Parse(time.DateOnly, s.Value)
	_, noTime := time.Parse(time.RFC3339, s.Value)
	switch {
	case !s.Set:
		return ""
	case p.cooldown.Set:
		report.Specf(s.At, "python.exclude_newer and python.cooldown both say how new a version may be").Hint("take one of the two away")
	case noDate != nil && noTime != nil:
		report.Specf(s.At, "python.exclude_newer %q is neither a date nor a time", s.Value).Hint("for example 2026-01-31, or 2026-01-31T12:00:00Z; a number of days is python.cooldown: 7d")
	default:
		return s.Value
	}
	return ""
}

// withUVChoices takes over what [tool.uv] says of the versions that may be chosen, where the project file does not say it, and tells what of it does not count.
func withUVChoices(report *yamldoc.Report, py *Pyproject, req recipe.Requirements) recipe.Requirements {
	tool := py.uv()
	word := func(key, value string, words []string) string {
		return oneOf(report, yamldoc.String{Value: value, At: py.at("tool.uv." + key), Set: value != ""}, words)
	}
	if req.Prerelease == "" {
		req.Prerelease = word("prerelease", tool.Prerelease, prereleases)
	}
	if req.Resolution == "" {
		req.Resolution = word("resolution", tool.Resolution, resolutions)
	}
	if req.Cooldown == "" {
		req.Cooldown = tomlTime(tool.Newer)
		for _, name := range recipe.SortedKeys(tool.NewerPackage) {
			if req.Ages == nil {
				req.Ages = map[string]string{}
			}
			req.Ages[pypi.Normalize(name)] = tomlTime(tool.NewerPackage[name])
		}
	}
	noteUnheeded(report, py, req.Project)
	return req
}

// tomlTime is a time as uv takes it: written as a text, a time of TOML's own, or false; "" = none.
func tomlTime(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case time.Time:
		return v.Format(time.RFC3339)
	}
	return fmt.Sprint(v)
}

// unheeded are settings of [tool.uv] that say what is installed and that mlbuild does not take over, with what to write in their place.
var unheeded = []struct{ key, instead string }{
	{"config-settings", ""},
	{"config-settings-package", ""},
	{"exclude-dependencies", "python.no_deps leaves out what one package requires"},
	{"extra-build-variables", "python: {build: {name: {env: {…}}}}"},
	{"extra-index-url", "a table [[tool.uv.index]]"},
	{"fork-strategy", ""},
	{"index-url", "a table [[tool.uv.index]] with default = true"},
	{"no-binary", "no-binary-package names the packages"},
	{"no-build", ""},
	{"no-build-isolation", "python: {build: {name: {isolation: false, requires: […]}}}"},
	{"no-build-isolation-package", "python: {build: {name: {isolation: false, requires: […]}}}"},
	{"no-build-package", ""},
	{"no-index", ""},
	{"no-sources", ""},
	{"no-sources-package", ""},
	{"prerelease-package", "python.prerelease holds for all packages; a requirement such as name>=2.0rc1 admits those of one"},
	{"torch-backend", "the profile decides: accelerator: {cuda: …}"},
}

// noteUnheeded tells which settings of [tool.uv] do not count, and which default groups are not installed.
func noteUnheeded(report *yamldoc.Report, py *Pyproject, project *recipe.ProjectSource) {
	var doc struct {
		Tool struct {
			UV map[string]any `toml:"uv"`
		} `toml:"tool"`
	}
	if toml.Unmarshal(py.data, &doc) != nil { // reported when it was read
		return
	}
	for _, u := range unheeded {
		if v, given := doc.Tool.UV[u.key]; !given || v == false {
			continue
		}
		note := fmt.Sprintf("%s of [tool.uv] in %s has no effect here", u.key, py.path)
		if u.instead != "" {
			note += ": " + u.instead
		}
		report.Notef("%s", note)
	}
	groups, _ := py.uv().DefaultGroups.([]any)
	for _, g := range groups {
		if name := fmt.Sprint(g); name != "dev" && (project == nil || !slices.Contains(project.Groups, name)) {
			report.Notef("the default group %s of [tool.uv] in %s is not installed: python: {groups: [%s]}", name, py.path, name)
		}
	}
}

// withUVBuilds takes over what [tool.uv] says of builds from source: packages that are built, and what builds get beside what they ask for.
func withUVBuilds(report *yamldoc.Report, py *Pyproject, w Wanted) Wanted {
	tool := py.uv()
	if tool == nil {
		return w
	}
	for _, name := range tool.NoBinary {
		w.Requires.Source = append(w.Requires.Source, pypi.Normalize(name))
	}
	for _, name := range recipe.SortedKeys(tool.ExtraBuild) {
		extra := recipe.Metadata{Name: pypi.Normalize(name)}
		for _, v := range tool.ExtraBuild[name] {
			table := tableOf(v)
			if text, ok := v.(string); ok {
				table["requirement"] = text
			}
			if text, ok := table["requirement"].(string); ok {
				extra.Requires = append(extra.Requires, text)
			}
			if table["match-runtime"] == true {
				report.Notef("match-runtime of [tool.uv] in %s has no effect here: python: {build: {%s: {isolation: false, requires: […]}}} shows the build the locked packages", py.path, name)
			}
		}
		w.Requires.BuildExtra = append(w.Requires.BuildExtra, extra)
	}
	return w
}

// uvBuildConstraints are build-constraint-dependencies of [tool.uv] as a file, where the dependencies of the project are wanted.
func uvBuildConstraints(p Spec, py *Pyproject) []recipe.File {
	tool := py.uv()
	if tool == nil || !p.Project.Set {
		return nil
	}
	text := ""
	for _, v := range tool.BuildConstraints {
		if line, ok := v.(string); ok {
			text += line + "\n"
		}
	}
	if text == "" {
		return nil
	}
	return []recipe.File{{Path: py.path + ".build-constraints.txt", Data: text, Top: true}}
}
