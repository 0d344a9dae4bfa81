package profiles

import (
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// debianOf resolves a project whose file has these lines.
func debianOf(t *testing.T, lines string, sel Selection) *recipe.Recipe {
	t.Helper()
	files := yamlFile(lines)
	files["requirements.txt"] = ""
	r, err := resolveDir(project(t, files), sel)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestBaseOfPackages(t *testing.T) {
	for _, test := range []struct {
		name, lines string
		sel         Selection
		want        recipe.BaseImage
		python      string
	}{
		{"default", "base: {kind: debian}\n", Selection{}, recipe.BaseImage{Kind: "debian", Ref: "debian bookworm", Suite: "bookworm", Interpreter: "/usr/bin/python3.11", Glibc: "2.36"}, "3.11"},
		{"suite", "base: {kind: debian, suite: trixie, shell: true}\n", Selection{},
			recipe.BaseImage{Kind: "debian", Ref: "debian trixie", Suite: "trixie", Shell: true, Interpreter: "/usr/bin/python3.13", Glibc: "2.41"}, "3.13"},
		{"python", "base: {kind: debian}\npython: {version: \"3.13\"}\n", Selection{}, recipe.BaseImage{Kind: "debian", Ref: "debian trixie", Suite: "trixie", Interpreter: "/usr/bin/python3.13", Glibc: "2.41"}, "3.13"},
		{"kind image", "base: {kind: image}\n", Selection{}, recipe.BaseImage{Ref: "docker.io/library/python:3.11-slim", Interpreter: "/usr/local/bin/python3.11"}, "3.11"},
		{"--base", "base: {kind: debian, suite: trixie, shell: true}\npython: {version: \"3.13\"}\n", Selection{Base: "python:3.13-slim"},
			recipe.BaseImage{Ref: "docker.io/library/python:3.13-slim", Interpreter: "/usr/local/bin/python3.13"}, "3.13"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := debianOf(t, test.lines, test.sel)
			if r.Base != test.want || r.Python.Version != test.python {
				t.Errorf("base %+v, Python %s", r.Base, r.Python.Version)
			}
			if packages := r.Base.Kind == "debian"; slices.Contains(r.System, "python"+test.python) != packages || slices.Contains(r.System, "dash") != r.Base.Shell {
				t.Errorf("packages %q", r.System)
			}
		})
	}
}

// TestPackagesOfBase: the project's packages come beside the base's; a version that it names wins.
func TestPackagesOfBase(t *testing.T) {
	r := debianOf(t, "base: {kind: debian}\nsystem: {runtime: [libgomp1, tzdata=2025b-0+deb12u2]}\n", Selection{})
	want := "base-files ca-certificates libc-bin libgomp1 libstdc++6 netbase python3.11 tzdata=2025b-0+deb12u2"
	if got := strings.Join(r.System, " "); got != want || r.Apt.Inputs == "" || r.Apt.Only {
		t.Errorf("packages %s, %+v", got, r.Apt)
	}
	own := debianOf(t, `base: {kind: debian, repositories: [{url: "https://deb.example/debian", suite: bookworm, components: [main]}]}
system: {repositories: [{url: "https://more.example/", suite: ./}]}
`, Selection{})
	if !own.Apt.Only || len(own.Apt.Repositories) != 2 || own.Apt.Repositories[0].URL != "https://deb.example/debian" || own.Apt.Inputs == debianOf(t, "base: {kind: debian}\n", Selection{}).Apt.Inputs {
		t.Errorf("%+v", own.Apt)
	}
}

func TestFaultsOfBaseKinds(t *testing.T) {
	requires := yamlFile("base: {kind: debian, suite: bookworm}\n")
	requires["pyproject.toml"] = "[project]\nname = 'x'\nrequires-python = '>=3.12'\n"
	runFaults(t, []faultCase{
		{"the project itself", memory{FileName: "base: {kind: debian}\npython: {project: ., install: true}\n", "requirements.txt": "flask\n", "pyproject.toml": "[build-system]\nrequires = ['flit_core']\nbuild-backend = 'flit_core.buildapi'\n[project]\nname = 'x'\nversion = '1'\n"}, Selection{}, []string{
			"E-SPEC mlbuild.yaml:1:14: a base of kind debian has no apt to build with, and the project itself is to be built (python.install) | base: {image: \"debian:bookworm-slim\", python: distribution}"}},
		{"unknown", yamlFile("base: {kind: debain}\n"), Selection{}, []string{`E-SPEC mlbuild.yaml:1:14: the kind of base "debain" does not exist | did you mean "debian"?`}},
		{"image and packages", yamlFile("base: {kind: debian, image: \"debian:12\", glibc: \"2.36\"}\n"), Selection{}, []string{
			`E-SPEC mlbuild.yaml:1:22: the key "image" does not go with a base of kind debian | its keys: suite, shell, repositories`, `E-SPEC mlbuild.yaml:1:42: the key "glibc" does not go`}},
		{"suite of an image", yamlFile("base: {image: \"debian:12\", suite: bookworm}\n"), Selection{}, []string{`E-SPEC mlbuild.yaml:1:28: the key "suite" does not go with a base of kind image`}},
		{"suite", yamlFile("base: {kind: debian, suite: boockworm}\n"), Selection{}, []string{`E-SPEC mlbuild.yaml:1:29: no base can be made of the Debian release "boockworm" | did you mean "bookworm"?`}},
		{"another Python", yamlFile("python: {version: \"3.13\"}\nbase: {kind: debian, suite: bookworm}\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:1:19: Debian bookworm has Python 3.11 and no other, the project wants 3.13 (mlbuild.yaml) | Debian trixie has Python 3.13"}},
		{"a Python of no release", yamlFile("python: {version: \"3.12\"}\nbase: {kind: debian}\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:1:19: Debian bookworm has Python 3.11 and no other, the project wants 3.12 (mlbuild.yaml) | base: docker.io/library/python:3.12-slim"}},
		{"requires-python", requires, Selection{}, []string{`E-SPEC mlbuild.yaml:1:29: Python 3.11 (base.suite) is not what pyproject.toml asks for: requires-python ">=3.12"`}},
		{"apt", yamlFile("base: {kind: debian}\nsystem: {strategy: apt}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:2:20: a base of kind debian has no apt"}},
		{"build packages", yamlFile("base: {kind: debian}\nsystem: {build: [gcc]}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:2:18: a base of kind debian has no apt to install gcc with"}},
		{"repository", yamlFile("base: {kind: debian, repositories: [{url: \"https://deb.example\"}]}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:37: a repository needs a url and a suite"}},
	})
}
