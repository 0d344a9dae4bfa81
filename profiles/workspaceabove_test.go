package profiles

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/projectdir"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// below loads the project in a directory of files that are written to a disk.
func below(t *testing.T, files map[string]string, dir string) *Project {
	t.Helper()
	root := t.TempDir()
	for name, data := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if to, link := strings.CutPrefix(data, "→ "); link {
			if err := os.Symlink(to, file); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(file, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	fsys, err := projectdir.Open(filepath.Join(root, dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fsys.Close() })
	p, err := Load(fsys, "")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// memberFiles is workspaceFiles with the project file in the directory of the service.
func memberFiles(yaml string) map[string]string {
	files := map[string]string(workspaceFiles(""))
	delete(files, FileName)
	files["services/api/"+FileName], files["services/api/main.py"] = yaml, ""
	return files
}

// TestMemberOfAWorkspace: from the directory of a member, the lock of the workspace above holds and the packages beside it are built.
func TestMemberOfAWorkspace(t *testing.T) {
	files := memberFiles("python: {groups: [dev]}\n")
	files[".dockerignore"], files["libs/common/out"] = "data\n", "→ ../../uv.lock"
	r, err := below(t, files, "services/api").Resolve(Selection{Profile: "gpu"})
	if err != nil {
		t.Fatal(err)
	}
	q := r.Requires
	if q.From != "../../uv.lock" || q.UV == nil || q.UV.Dir != "services/api" {
		t.Fatalf("from %q, %+v", q.From, q.UV)
	}
	var names []string
	for _, f := range q.UV.Files {
		names = append(names, f.Path)
	}
	if d := cmp.Diff([]string{"libs/common/pyproject.toml", "pyproject.toml", "services/api/pyproject.toml", "uv.lock"}, names); d != "" {
		t.Error(d)
	}
	if len(q.Local) != 1 || q.Local[0].Path != "../../libs/common" || q.Local[0].Meta[0].Path != "../../libs/common/pyproject.toml" {
		t.Errorf("own packages: %+v", q.Local)
	}
	if r.Above == nil || r.Above.Dir != "services/api" || !slices.Contains(r.Above.Ignore, "data") || slices.Contains(r.App.Ignore, "data") {
		t.Errorf("above: %+v", r.Above)
	}
	notes := strings.Join(r.Notes, "\n")
	for _, want := range []string{
		"the project belongs to the workspace of uv in ../..: its uv.lock and its settings count",
		"common (../../libs/common) is installed as a wheel of its own",
		"links out of the package ../../libs/common: ../../libs/common/out → ../../uv.lock;",
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("no note %q in:\n%s", want, notes)
		}
	}
}

// TestAboveIsForPackages: the workspace above opens no other way out of the project.
func TestAboveIsForPackages(t *testing.T) {
	for yaml, want := range map[string]string{
		"app: {copy: [../../libs]}\n":                                           "outside the project",
		"app: {copy: [link]}\n":                                                 "leads out of the project",
		"python: {project: ., requirements: [../../requirements.txt]}\n":        "outside the project",
		"python: {project: ., packages: [./../../libs/common]}\n":               "outside the project",
		"python: {project: ., lock: ../../../uv.lock}\n":                        "outside the project",
		"python: {project: .}\nmodels: [{file: ../../uv.lock, to: /models/}]\n": "outside the project",
	} {
		files := memberFiles(yaml)
		files["services/api/link"] = "→ ../../libs/common/pyproject.toml"
		if _, err := below(t, files, "services/api").Resolve(Selection{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", yaml, err)
		}
	}
	for source, want := range map[string]string{
		"common = {path = '../../../else'}":        `the package common "../../../else" is outside the project`,
		"common = {path = '../../libs/linked'}":    "a symlink leads out of the project: ../../libs/linked → ",
		"common = {path = '/etc'}":                 "the path is absolute",
		"common = {path = '../../libs/no'}":        "the requirement ../../libs/no does not exist",
		"common = {path = '../api/vendor/common'}": "",
	} {
		files := memberFiles("python: {lock: none}\n")
		files["libs/linked"], files["services/api/vendor/common/setup.py"] = "→ /usr", ""
		files["services/api/pyproject.toml"] = strings.Replace(files["services/api/pyproject.toml"], "common = {workspace = true}", source, 1)
		r, err := below(t, files, "services/api").Resolve(Selection{})
		if want == "" && (err != nil || !slices.ContainsFunc(r.Requires.Local, func(l recipe.LocalSource) bool { return l.Path == "vendor/common" })) {
			t.Errorf("%s: %v", source, err)
		} else if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", source, err)
		}
	}
}
