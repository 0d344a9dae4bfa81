package profiles

import (
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// asked is the recipe of a project's files, which names its own requirements.
func asked(t *testing.T, project memory) (*recipe.Recipe, error) {
	t.Helper()
	p, err := Load(project.fs(), "")
	if err != nil {
		t.Fatal(err)
	}
	return p.Resolve(Selection{})
}

// TestSetupProjects: a project with a setup.py alone is installed with what its build says that it requires, with extras too.
func TestSetupProjects(t *testing.T) {
	const setup = "from setuptools import setup\n# name='no'\nsetup(\n    name='My.Kit',\n    install_requires=['idna'])\n"
	for name, c := range map[string]struct {
		project memory
		want    []string // packages
		own     string   // name of the project's own wheel beside them
	}{
		"install":        {memory{FileName: "python: {install: true}\napp: {command: [x]}\n", "setup.py": setup}, []string{"."}, ""},
		"extras":         {memory{FileName: "python: {install: true, extras: [torch, dev]}\napp: {command: [x]}\n", "setup.py": setup}, []string{".[torch,dev]"}, ""},
		"build-system":   {memory{FileName: "python: {install: true}\napp: {command: [x]}\n", "setup.cfg": "[metadata]\nname = kit\n", "pyproject.toml": "[build-system]\nrequires = ['setuptools']\n"}, []string{"."}, ""},
		"packages":       {memory{FileName: "python: {packages: [\".[torch]\"]}\napp: {command: [x]}\n", "setup.py": setup}, []string{".[torch]"}, ""},
		"requirements":   {memory{FileName: "python: {install: true}\napp: {command: [x]}\n", "setup.py": setup, "requirements.txt": "idna\n"}, nil, "my-kit"},
		"name elsewhere": {memory{FileName: "python: {install: true}\napp: {command: [x]}\n", "setup.py": "setup()", "setup.cfg": "[options]\nname = x\n[metadata]\nversion = 1\nname = kit_cfg\n", "requirements.txt": ""}, nil, "kit-cfg"},
	} {
		r, err := asked(t, c.project)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		own := ""
		if r.Builder.Project != nil {
			own = r.Builder.Project.Name
		}
		if !slices.Equal(r.Requires.Packages, c.want) || own != c.own || len(r.App.Copy) > 0 {
			t.Errorf("%s: packages %q, own wheel %q, copies %v", name, r.Requires.Packages, own, r.App.Copy)
		}
	}
	_, err := asked(t, memory{FileName: "app: {command: [x]}\n", "setup.py": setup})
	if err == nil || !strings.Contains(hintsOf(err), "setup.py is here: python: {install: true} installs the project") || strings.Contains(hintsOf(err), "install_requires") {
		t.Errorf("without install: %s", hintsOf(err))
	}
	_, err = asked(t, memory{FileName: "python: {extras: [torch]}\napp: {command: [x]}\n", "setup.py": setup, "requirements.txt": ""})
	if err == nil || !strings.Contains(hintsOf(err), `python: {packages: [".[torch]"]}`) {
		t.Errorf("extras beside requirements: %s", hintsOf(err))
	}
}

// TestDepends: what depends says of a package counts where the package stands as a path or a repository alone, whose name is then written down.
func TestDepends(t *testing.T) {
	r, err := asked(t, memory{
		FileName: "python:\n  requirements: [r.txt]\n  packages: [\"./libs/kit[fast]; python_version > '3'\", ./libs/other, idna]\n  build:\n" +
			"    kit: {depends: [idna]}\n    detectron2: {isolation: false, requires: [torch], depends: \"*\"}\n    ops: {depends: []}\napp: {command: [x]}\n",
		"r.txt":             "# git+https://git.example/detectron2\ngit+https://git.example/team/detectron2.git@v0.6 ; python_version > '3'\ngit+https://git.example/x.git#egg=ops\ngit+https://git.example/y.git\n",
		"libs/kit/setup.py": "setup(name='kit')\n", "libs/other/setup.py": "setup(name='other')\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"kit[fast] @ ./libs/kit ; python_version > '3'", "./libs/other", "idna"}; !slices.Equal(r.Requires.Packages, want) {
		t.Errorf("packages %q, want %q", r.Requires.Packages, want)
	}
	want := "# git+https://git.example/detectron2\ndetectron2 @ git+https://git.example/team/detectron2.git@v0.6 ; python_version > '3'\nops @ git+https://git.example/x.git#egg=ops\ngit+https://git.example/y.git\n"
	if got := r.Requires.Files[0].Data; got != want {
		t.Errorf("requirements\n%s\nwant\n%s", got, want)
	}
	i := slices.IndexFunc(r.Builder.Packages, func(p recipe.PackageBuild) bool { return p.Name == "detectron2" })
	if !r.Builder.Packages[i].All || slices.ContainsFunc(r.Builder.Packages, func(p recipe.PackageBuild) bool { return p.Name != "detectron2" && p.All }) {
		t.Errorf("builds %+v", r.Builder.Packages)
	}
	if m := r.Requires.Metadata[0]; m.Name != "detectron2" || len(m.Requires) > 0 {
		t.Errorf("metadata %+v", r.Requires.Metadata)
	}
}
