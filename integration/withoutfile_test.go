package integration

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/projectdir"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// ownKinds are the kinds of projects whose packages are not built from source, with the stand-ins for what they require.
var ownKinds = []string{"conda", "django", "dockerfile", "fastapi", "flask", "module", "pipenv", "piptools", "script", "scripts", "streamlit"}

var ownPackages = map[string]string{
	"django": "5.1", "fastapi": "0.115.0", "flask": "3.0.3", "gunicorn": "23.0.0", "numpy": "2.1.0", "pandas": "2.2.3", "redis": "5.2.0", "scikit-learn": "1.5.2", "streamlit": "1.40.0", "uvicorn": "0.32.0",
}

// TestImagesWithoutAFile: the image of a project without a project file is that of the same project after mlbuild init, by its digest.
func TestImagesWithoutAFile(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	for name, version := range ownPackages {
		x.AddWheel("simple", name, version, "py3-none-any", map[string]string{strings.ReplaceAll(name, "-", "_") + "/__init__.py": ""})
	}
	seen := map[string]string{}
	for _, kind := range ownKinds {
		archive, err := txtar.ParseFile(filepath.Join("..", "profiles", "scaffold", "testdata", "kinds", kind+".txtar"))
		if err != nil {
			t.Fatal(err)
		}
		p := newProject(t, nil)
		for _, f := range archive.Files {
			p.write(f.Name, string(f.Data))
		}
		bare := imageOfKind(t, b, p, x, tb.Registry.Ref(kind+":bare"))
		s := profiles.Suggest(p.open(), filepath.Base(p.dir))
		p.write(profiles.FileName, s.File)
		p.write(".dockerignore", s.Ignore)
		if with := imageOfKind(t, b, p, x, tb.Registry.Ref(kind+":init")); with != bare {
			t.Errorf("%s: without a file %s, with that of init %s:\n%s", kind, bare, with, s.File)
		}
		if other := seen[bare]; other != "" {
			t.Errorf("%s and %s are one image", other, kind)
		}
		seen[bare] = kind
	}
}

// imageOfKind builds a project as the command does, on the stand-in of Python 3.11 and with packages of an index, and returns the image's digest.
func imageOfKind(t *testing.T, b *builder.Builder, p *project, x *testbed.Index, ref string) string {
	t.Helper()
	root, err := profiles.Load(p.open(), "")
	if err != nil {
		t.Fatal(err)
	}
	root.DefaultName = filepath.Base(p.dir)
	r, err := root.Resolve(profiles.Selection{Profile: "cpu", Platform: "linux/amd64", Python: "3.11", Base: "python:3.11-slim"})
	if err != nil {
		t.Fatal(err)
	}
	r.Requires.Indexes = []recipe.Index{{Name: "standin", URL: x.Simple(), Default: true}}
	req := p.request(builder.Variant{Profile: "cpu", Tags: []string{ref}, Recipes: []*recipe.Recipe{r}})
	req.Checks = builder.CheckNothing
	return mustBuild(t, b, req).Images[0].Digest
}

// open opens the project's directory until the test ends.
func (p *project) open() *projectdir.FS {
	p.t.Helper()
	files, err := projectdir.Open(p.dir)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = files.Close() })
	return files
}
