package integration

import (
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestImagesThatCannotStart: projects of which other tools publish an image that dies when it starts. Each is refused with its cure, and passes with it.
func TestImagesThatCannotStart(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	const head = "version: 1\nname: why\npython: {version: \"3.11\", requirements: [requirements.txt]}\n"
	const file = head + "app: {copy: [main.py], command: [python, main.py]}\n"
	for _, c := range []struct {
		name  string
		files map[string]string
		says  []string
		cure  func(p *project)
	}{
		{"nobody knows what it runs", map[string]string{"requirements.txt": "starlette\n", "app/__init__.py": "", "app/main.py": "import starlette\n", "mlbuild.yaml": ""},
			[]string{"what the image is to run is not known", "mlbuild init"},
			func(p *project) {
				p.write("mlbuild.yaml", head+"app: {copy: [app], command: [python, -m, app.main]}\n")
			}},
		{"lightgbm lacks libgomp", map[string]string{"requirements.txt": "lightgbm\n", "main.py": "import lightgbm\n", "mlbuild.yaml": file},
			[]string{"lightgbm cannot be imported, because the image has no libgomp.so.1", "system: {runtime: [libgomp1]}"},
			func(p *project) { p.write("mlbuild.yaml", file+"system: {runtime: [libgomp1]}\n") }},
		{"opencv lacks libraries for windows", map[string]string{"requirements.txt": "opencv-python\n", "main.py": "import cv2\n", "mlbuild.yaml": file},
			[]string{"cv2 of opencv-python cannot be imported", "libxcb.so.1", "opencv-python-headless is the same without windows"},
			func(p *project) { p.write("requirements.txt", "opencv-python-headless\n") }},
		{"a module was left out", map[string]string{"requirements.txt": "idna\n", "main.py": "import helpers\n", "helpers/__init__.py": "", "mlbuild.yaml": file},
			[]string{"the image starts with an import of helpers", "name it in app.copy"},
			func(p *project) { p.write("mlbuild.yaml", strings.Replace(file, "[main.py]", "[main.py, helpers]", 1)) }},
		{"a package of the workspace was dropped", map[string]string{
			"requirements.txt": "idna\n", "main.py": "import idna, sharedlib\n", "mlbuild.yaml": file,
			"packages/sharedlib/pyproject.toml":            "[project]\nname = \"sharedlib\"\nversion = \"1.0\"\n[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"setuptools.build_meta\"\n",
			"packages/sharedlib/src/sharedlib/__init__.py": "",
		}, []string{"main.py imports sharedlib, and no package of the image has it", "in the requirements"},
			func(p *project) { p.write("requirements.txt", "idna\n./packages/sharedlib\n") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProject(t, c.files)
			if c.files["mlbuild.yaml"] == "" {
				p.remove("mlbuild.yaml")
			}
			p.checks = builder.CheckAll
			req := p.quiet(p.variant("cpu"))
			_, err := b.Build(t.Context(), req)
			if err == nil {
				t.Fatal("it is built")
			}
			text := ""
			for _, f := range fault.All(err) {
				text += f.Message + "\n" + strings.Join(f.Hints, "\n") + "\n"
			}
			for _, want := range c.says {
				if !strings.Contains(text, want) {
					t.Errorf("nothing says %q:\n%s", want, text)
				}
			}
			c.cure(p)
			mustBuild(t, b, p.quiet(p.variant("cpu")))
		})
	}
}
