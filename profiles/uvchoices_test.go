package profiles

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// choicesOf resolves a project without a lock of uv's.
func choicesOf(t *testing.T, yaml, tool string) (*recipe.Recipe, string, error) {
	t.Helper()
	p, err := Load(fstest.MapFS{
		"main.py": {}, "limits.txt": {Data: []byte("wheel<1\n")}, FileName: {Data: []byte("python: {version: \"3.11\", project: ., " + yaml + "}\n")},
		"pyproject.toml": {Data: []byte("[project]\nname = \"u\"\nversion = \"1\"\ndependencies = [\"idna\"]\n[dependency-groups]\ndev = [\"six\"]\nserve = [\"six\"]\n[tool.uv]\n" + tool)},
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Resolve(Selection{Platform: "linux/amd64"})
	if err != nil {
		return nil, "", err
	}
	return r, strings.Join(r.Notes, "\n"), nil
}

// TestUVChoices: what [tool.uv] says of the versions that may be chosen counts where the project file does not say it.
func TestUVChoices(t *testing.T) {
	const tool = "prerelease = \"allow\"\nresolution = \"lowest-direct\"\nexclude-newer = \"2024-03-01T00:00:00Z\"\nexclude-newer-package = {Set_uptools = false, idna = 2024-04-01T00:00:00Z}\n"
	r, notes, err := choicesOf(t, "", tool)
	if err != nil {
		t.Fatal(err)
	}
	q := r.Requires
	if q.Prerelease != "allow" || q.Resolution != "lowest-direct" || q.Cooldown != "2024-03-01T00:00:00Z" || strings.Contains(notes, "[tool.uv]") {
		t.Errorf("%q %q %q, %s", q.Prerelease, q.Resolution, q.Cooldown, notes)
	}
	if d := cmp.Diff(map[string]string{"set-uptools": "false", "idna": "2024-04-01T00:00:00Z"}, q.Ages); d != "" {
		t.Error(d)
	}
	r, _, err = choicesOf(t, "prerelease: disallow, resolution: lowest, exclude_newer: 2025-01-01T10:00:00+01:00", tool)
	if err != nil {
		t.Fatal(err)
	}
	if q := r.Requires; q.Prerelease != "disallow" || q.Resolution != "lowest" || q.Cooldown != "2025-01-01T10:00:00+01:00" || q.Ages != nil {
		t.Errorf("the project file does not win: %q %q %q %v", q.Prerelease, q.Resolution, q.Cooldown, q.Ages)
	}
	if r, _, err = choicesOf(t, "cooldown: 7d", tool); err != nil || r.Requires.Cooldown != "7 days" {
		t.Errorf("%q, %v", r.Requires.Cooldown, err)
	}
	plain, _, err := choicesOf(t, "prerelease: if-necessary-or-explicit", "")
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := choicesOf(t, "prerelease: allow", "")
	if err != nil || plain.Requires.Prerelease != "" || plain.Requires.Inputs == other.Requires.Inputs {
		t.Errorf("a lock of other choices is not stale: %v", err)
	}
}

// TestNoBuild: what [tool.uv] says may not be built from source.
func TestNoBuild(t *testing.T) {
	for tool, want := range map[string]string{"no-build = true\n": ":all:", "no-build-package = [\"Py_Spark\", \"docopt\"]\n": "py-spark docopt", "no-build = false\n": ""} {
		r, notes, err := choicesOf(t, "", tool)
		if err != nil || strings.Join(r.Requires.NoBuild, " ") != want || strings.Contains(notes, "no-build") {
			t.Errorf("%s: %q, %v, notes: %s", tool, r.Requires.NoBuild, err, notes)
		}
	}
}

func TestFaultsOfChoices(t *testing.T) {
	for _, test := range []struct{ yaml, tool, want string }{
		{"prerelease: alow", "", "E-SPEC: mlbuild.yaml:1:51: \"alow\" is none of if-necessary-or-explicit, disallow, allow"},
		{"resolution: lowest_direct", "", "mlbuild.yaml:1:51: \"lowest_direct\" is none of highest, lowest, lowest-direct"},
		{"exclude_newer: soon", "", "python.exclude_newer \"soon\" is neither a date nor a time"},
		{"exclude_newer: \"2026-01-01\", cooldown: 7d", "", "python.exclude_newer and python.cooldown both"},
		{"", "prerelease = \"maybe\"\n", "pyproject.toml:9:15: \"maybe\" is none of"},
	} {
		_, _, err := choicesOf(t, test.yaml, test.tool)
		if all := fault.All(err); len(all) != 1 || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s%s: %v", test.yaml, test.tool, err)
		}
	}
}

// TestUVBuilds: what [tool.uv] says of builds from source counts, and makes a lock stale.
func TestUVBuilds(t *testing.T) {
	const tool = "no-binary-package = [\"Idna\"]\nbuild-constraint-dependencies = [\"setuptools<82\"]\n" +
		"extra-build-dependencies = {Pk_gres = [\"setuptools<82\", {requirement = \"wheel\", match-runtime = true}], shared = [\"x\"]}\n"
	r, notes, err := choicesOf(t, "build_constraints: [limits.txt], build: {shared: {isolation: false, requires: [y]}}", tool)
	if err != nil {
		t.Fatal(err)
	}
	want := []recipe.PackageBuild{{Name: "pk-gres", Requires: []string{"setuptools<82", "wheel"}}, {Name: "shared", Shared: true, Requires: []string{"y"}}}
	if d := cmp.Diff(want, r.Builder.Packages); d != "" {
		t.Errorf("builds (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]recipe.Metadata{{Name: "pk-gres", Requires: []string{"setuptools<82", "wheel"}}, {Name: "shared", Requires: []string{"x"}}}, r.Requires.BuildExtra); d != "" {
		t.Errorf("resolution (-want +got):\n%s", d)
	}
	var limits []string
	for _, f := range r.Builder.Constraints {
		limits = append(limits, f.Path+": "+f.Data)
	}
	if d := cmp.Diff([]string{"limits.txt: wheel<1\n", "pyproject.toml.build-constraints.txt: setuptools<82\n"}, limits); d != "" {
		t.Errorf("limits (-want +got):\n%s", d)
	}
	if !strings.Contains(strings.Join(r.Requires.Source, " "), "idna") || !strings.Contains(notes, "match-runtime of [tool.uv]") {
		t.Errorf("built: %v, notes:\n%s", r.Requires.Source, notes)
	}
	other, _, err := choicesOf(t, "build: {shared: {isolation: false, requires: [y]}}", tool)
	if err != nil || other.Requires.Inputs == r.Requires.Inputs {
		t.Errorf("a lock of other build constraints is not stale: %v", err)
	}
}

// TestUnheededSettings: a setting that would change the packages and has no effect is told.
func TestUnheededSettings(t *testing.T) {
	_, notes, err := choicesOf(t, "", "no-build-isolation-package = [\"flash-attn\"]\nno-binary = false\nno-index = true\ndefault-groups = [\"dev\", \"serve\"]\nlink-mode = \"copy\"\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"no-build-isolation-package of [tool.uv] in pyproject.toml has no effect here: python: {build: {name: {isolation: false", "no-index of [tool.uv]",
		"the default group serve of [tool.uv] in pyproject.toml is not installed: python: {groups: [serve]}",
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("no note %q in\n%s", want, notes)
		}
	}
	if strings.Contains(notes, "no-binary") || strings.Contains(notes, "link-mode") || strings.Contains(notes, "group dev") {
		t.Errorf("notes of what changes nothing:\n%s", notes)
	}
	if _, notes, err = choicesOf(t, "groups: [serve]", "default-groups = [\"serve\"]\n"); err != nil || strings.Contains(notes, "default group") {
		t.Errorf("%v, %s", err, notes)
	}
}
