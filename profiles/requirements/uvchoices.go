package requirements

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
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

// withUVChoices takes over what the settings of uv say of the versions that may be chosen, where the project file does not say it, and tells what of them does not
// count.
func withUVChoices(report *yamldoc.Report, s uvSettings, req recipe.Requirements) recipe.Requirements {
	tool, pip := s.options.Tool.UV, s.pipTable()
	if req.Prerelease == "" {
		req.Prerelease = oneOf(report, s.word("prerelease", pip.Prerelease, tool.Prerelease), prereleases)
	}
	if req.Resolution == "" {
		req.Resolution = oneOf(report, s.word("resolution", pip.Resolution, tool.Resolution), resolutions)
	}
	if req.Cooldown == "" {
		req.Cooldown = cmp.Or(tomlTime(pip.Newer), tomlTime(tool.Newer))
		for _, ages := range []map[string]any{tool.NewerPackage, pip.NewerPackage} {
			for _, name := range recipe.SortedKeys(ages) {
				if req.Ages == nil {
					req.Ages = map[string]string{}
				}
				req.Ages[pypi.Normalize(name)] = tomlTime(ages[name])
			}
		}
	}
	for _, m := range tool.Metadata {
		if !slices.Contains(req.NoDeps, pypi.Normalize(m.Name)) {
			req.Metadata = append(req.Metadata, recipe.Metadata{Name: pypi.Normalize(m.Name), Version: m.Version, Requires: m.Requires, Python: m.Python, Extras: m.Extras})
		}
	}
	noteUnheeded(report, s)
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
	{"fork-strategy", ""},
	{"no-binary", "no-binary-package names the packages"},
	{"no-build-isolation", "python: {build: {name: {isolation: false, requires: […]}}}"},
	{"no-build-isolation-package", "python: {build: {name: {isolation: false, requires: […]}}}"},
	{"no-index", ""},
	{"no-sources", ""},
	{"no-sources-package", ""},
	{"prerelease-package", "python.prerelease holds for all packages; a requirement such as name>=2.0rc1 admits those of one"},
	{"torch-backend", "the profile decides: accelerator: {cuda: …}"},
}

// ofPip are the settings of [tool.uv.pip] that are taken over or that choose no packages; mlbuild writes the lock, and the image has one environment.
var ofPip = []string{
	"annotation-style", "break-system-packages", "compile-bytecode", "custom-compile-command", "emit-build-options", "emit-find-links", "emit-index-annotation", "emit-index-url",
	"emit-marker-expression", "exclude-newer", "exclude-newer-package", "extra-build-dependencies", "extra-index-url", "find-links", "generate-hashes", "index-strategy", "index-url",
	"keyring-provider", "link-mode", "no-annotate", "no-header", "no-strip-extras", "no-strip-markers", "output-file", "prefix", "prerelease", "python", "reinstall", "reinstall-package",
	"resolution", "strict", "system", "target", "universal", "upgrade", "upgrade-package", "verify-hashes",
}

// ofPipElse are settings of [tool.uv.pip] with what to write in their place.
var ofPipElse = map[string]string{
	"no-deps": "python.no_deps names the packages", "python-platform": "--platform", "python-version": "python: {version: …}",
	"require-hashes": "the lock has the hashes", "torch-backend": "the profile decides: accelerator: {cuda: …}",
}

// noteUnheeded tells which settings do not count.
func noteUnheeded(report *yamldoc.Report, s uvSettings) {
	said := saidBy(s.options)
	for _, u := range unheeded {
		v, given := said[u.key]
		if !given || v == false {
			continue
		}
		noteSetting(report, u.key, tableOfUV(s.options), u.instead)
	}
	pip := tableOf(said["pip"])
	if len(pip) > 0 && !s.pip {
		report.Notef("the table pip of %s has no effect here: uv reads it where requirements files are installed", tableOfUV(s.options))
		return
	}
	for _, key := range recipe.SortedKeys(pip) {
		v := pip[key]
		if key == "no-binary" {
			if _, all := noBinaryOf(v); !all {
				continue
			}
		} else if slices.Contains(ofPip, key) || v == false {
			continue
		}
		noteSetting(report, "pip."+key, tableOfUV(s.options), ofPipElse[key])
	}
}

func noteSetting(report *yamldoc.Report, key, table, instead string) {
	note := key + " of " + table + " has no effect here"
	if instead != "" {
		note += ": " + instead
	}
	report.Notef("%s", note)
}

// noBinaryOf is the value of no-binary of [tool.uv.pip]: packages, or all of them.
func noBinaryOf(v any) (names []string, all bool) {
	for _, text := range textsOf(v) {
		if text == ":all:" {
			return nil, true
		}
		if text != ":none:" {
			names = append(names, pypi.Normalize(text))
		}
	}
	return names, false
}

// noteDefaultGroups tells which default groups of a project are not installed.
func noteDefaultGroups(report *yamldoc.Report, py *Pyproject, project *recipe.ProjectSource) {
	if py.uv() == nil {
		return
	}
	groups, _ := py.Tool.UV.DefaultGroups.([]any)
	for _, g := range groups {
		if name := fmt.Sprint(g); name != "dev" && (project == nil || !slices.Contains(project.Groups, name)) {
			report.Notef("the default group %s of [tool.uv] in %s is not installed: python: {groups: [%s]}", name, py.path, name)
		}
	}
}

// withUVBuilds takes over what the settings of uv say of builds from source: packages that are built, or may not be, and what builds get beside what they ask for.
func withUVBuilds(report *yamldoc.Report, s uvSettings, w Wanted) Wanted {
	if s.options == nil {
		return w
	}
	tool, pip := s.options.Tool.UV, s.pipTable()
	names, _ := noBinaryOf(pip.NoBinary)
	for _, name := range append(names, tool.NoBinary...) {
		w.Requires.Source = append(w.Requires.Source, pypi.Normalize(name))
	}
	if tool.NoBuild {
		w.Requires.NoBuild = []string{":all:"}
	}
	for _, name := range tool.NoBuildPackage {
		w.Requires.NoBuild = append(w.Requires.NoBuild, pypi.Normalize(name))
	}
	builds := tool.ExtraBuild
	if len(pip.ExtraBuild) > 0 {
		builds = pip.ExtraBuild
	}
	for _, name := range recipe.SortedKeys(builds) {
		extra := recipe.Metadata{Name: pypi.Normalize(name)}
		for _, v := range builds[name] {
			table := tableOf(v)
			if text, ok := v.(string); ok {
				table["requirement"] = text
			}
			if text, ok := table["requirement"].(string); ok {
				extra.Requires = append(extra.Requires, text)
			}
			if table["match-runtime"] == true {
				report.Notef("match-runtime of %s has no effect here: python: {build: {%s: {isolation: false, requires: […]}}} shows the build the locked packages", tableOfUV(s.options), name)
			}
		}
		w.Requires.BuildExtra = append(w.Requires.BuildExtra, extra)
	}
	return w
}

// uvBuildConstraints are build-constraint-dependencies of the settings of uv as a file.
func uvBuildConstraints(t files.Tree, s uvSettings) []recipe.File {
	tool := s.limits.uv()
	if tool == nil {
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
	return []recipe.File{{Path: t.InRoot(s.limits.path) + ".build-constraints.txt", Data: text, Top: true}}
}
