package profiles

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/pypi"
)

// TestVersionsOfGitTags: a project whose version a plugin reads off git's tags is told it as the plugin's settings have it.
func TestVersionsOfGitTags(t *testing.T) {
	no, tagged := false, pypi.Tagged{Tag: "v1.2.3", Distance: 4, Commit: "abc1234"}
	const poetry = "[tool.poetry]\nname = 'kit'\nversion = '0.0.0'\n[tool.poetry.dependencies]\npython = '^3.11'\n[build-system]\nrequires = ['poetry-core', 'poetry-dynamic-versioning']\n"
	const hatch = "[project]\nname = 'kit'\ndynamic = ['version']\n[build-system]\nrequires = ['hatchling', 'uv-dynamic-versioning']\n"
	for name, c := range map[string]struct {
		pyproject string
		tags      *pypi.Dunamai
		version   string // "" = the tags do not count
		note      string
	}{
		"poetry, as it comes": {poetry + "[tool.poetry-dynamic-versioning]\nenable = true\n", &pypi.Dunamai{}, "1.2.3.post4.dev0+abc1234", ""},
		"poetry's style":      {poetry + "[tool.poetry-dynamic-versioning]\nenable = true\nstyle = 'semver'\n", &pypi.Dunamai{Style: "semver"}, "1.2.3-post.4+abc1234", ""},
		"poetry, bumped":      {poetry + "[tool.poetry-dynamic-versioning]\nenable = true\nbump = {enable = true, index = -1}\nmetadata = false\n", &pypi.Dunamai{Bump: true, Metadata: &no}, "1.2.4.dev4", ""},
		"poetry's format":     {poetry + "[tool.poetry-dynamic-versioning]\nenable = true\nformat = '{base}.{distance}'\n", &pypi.Dunamai{Format: "{base}.{distance}"}, "1.2.3.4", ""},
		"not followed": {poetry + "[tool.poetry-dynamic-versioning]\nenable = true\nformat-jinja = '{{ base }}'\npattern = 'default-unprefixed'\n", &pypi.Dunamai{}, "1.2.3.post4.dev0+abc1234",
			"the version of the project is told to its build as git's tags have it, without format-jinja"},
		"of a branch":    {poetry + "[tool.poetry-dynamic-versioning]\nenable = true\nformat = '{base}+{branch}'\n", &pypi.Dunamai{}, "1.2.3.post4.dev0+abc1234", "without format with a branch or a time"},
		"from a file":    {poetry + "[tool.poetry-dynamic-versioning]\nenable = true\nfrom-file = {source = 'VERSION'}\n", nil, "", ""},
		"not enabled":    {poetry + "[tool.poetry-dynamic-versioning]\nstyle = 'semver'\n", nil, "", ""},
		"uv's":           {hatch + "[tool.uv-dynamic-versioning]\nstyle = 'pvp'\n", &pypi.Dunamai{Style: "pvp"}, "1.2.3-post-4-abc1234", ""},
		"setuptools-scm": {"[project]\nname = 'kit'\ndynamic = ['version']\n[build-system]\nrequires = ['setuptools-scm']\n", nil, "1.2.4.dev4+gabc1234", ""},
		"pdm":            {"[project]\nname = 'kit'\ndynamic = ['version']\n[build-system]\nrequires = ['pdm-backend']\n[tool.pdm.version]\nsource = 'scm'\n", nil, "1.2.4.dev4+gabc1234", ""},
		"none":           {"[project]\nname = 'kit'\nversion = '1.0'\n", nil, "", ""},
	} {
		r, err := asked(t, memory{FileName: "python: {project: ., install: true}\napp: {command: [x]}\n", "pyproject.toml": c.pyproject})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		own, version := r.Builder.Project, ""
		if own.Git {
			version = own.TaggedVersion(tagged)
		}
		if own.Tags != nil && own.Version != "" {
			t.Errorf("%s: the version %s is said already", name, own.Version)
		}
		if d := cmp.Diff(c.tags, own.Tags); d != "" || version != c.version {
			t.Errorf("%s: %q, want %q; (-want +got):\n%s", name, version, c.version, d)
		}
		told := slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "git's tags") })
		if told != (c.note != "") || told && !strings.Contains(strings.Join(r.Notes, "\n"), c.note) {
			t.Errorf("%s: notes %q", name, r.Notes)
		}
	}
}

// TestVersionInAnotherSpelling: the project's version is taken in its normal form, as builds write it.
func TestVersionInAnotherSpelling(t *testing.T) {
	for text, want := range map[string]string{"1.10.0-dev": "1.10.0.dev0", "1.0-RC.1": "1.0rc1", "1.0": "1.0", "${odd}": "${odd}"} {
		r, err := asked(t, memory{FileName: "python: {project: ., install: true}\napp: {command: [x]}\n", "pyproject.toml": "[project]\nname = 'kit'\nversion = '" + text + "'\n"})
		if err != nil || r.Builder.Project.Version != want {
			t.Errorf("%s: %+v, %v", text, r.Builder.Project, err)
		}
	}
}
