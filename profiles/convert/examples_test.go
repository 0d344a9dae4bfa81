package convert_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/convert"
	"github.com/mlbuild/mlbuild/profiles/dockerfile"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// tree is a directory in memory, less the file mlbuild.yaml.
func tree(t *testing.T, dir string) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name)
		files[filepath.ToSlash(rel)] = &fstest.MapFile{Data: data, Mode: 0o644}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	delete(files, profiles.FileName)
	return files
}

func converted(t *testing.T, files fstest.MapFS, name, target string) convert.Result {
	t.Helper()
	f, err := dockerfile.Read(name, files[name].Data)
	if err != nil {
		t.Fatal(err)
	}
	return convert.Convert(convert.Question{File: f, Project: files, Survey: profiles.NewSurvey(files, "project"), Target: target})
}

// TestExamples: the Dockerfile that stands beside each example becomes a project file that is built, and that says of the image what the example's own does.
func TestExamples(t *testing.T) {
	all, err := filepath.Glob("../../examples/*/Dockerfile*")
	if err != nil || len(all) < 14 {
		t.Fatalf("%d Dockerfiles, %v", len(all), err)
	}
	left := map[string][]int{ // lines that are not taken over
		"jupyter-dev/Dockerfile": nil, "multi-framework/Dockerfile": {9}, "onnx/Dockerfile": {12}, "tensorflow/Dockerfile": {23},
	}
	for _, file := range all {
		name := filepath.Base(filepath.Dir(file)) + "/" + filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			files := tree(t, filepath.Dir(file))
			r := converted(t, files, filepath.Base(file), "")
			var lines []int
			for _, l := range r.Left {
				lines = append(lines, l.Line)
				if !strings.Contains(r.File, fmt.Sprintf("#   line %d: ", l.Line)) {
					t.Errorf("no comment for line %d", l.Line)
				}
			}
			if !slices.Equal(lines, left[name]) {
				t.Errorf("left lines %v, want %v", lines, left[name])
			}
			got := resolved(t, files, r.File, "")
			if len(got.Unfit) > 0 {
				t.Error(got.Unfit)
			}
			own, err := os.ReadFile(filepath.Join(filepath.Dir(file), profiles.FileName))
			if err != nil {
				return // quickstart has none
			}
			want := resolved(t, files, string(own), strings.TrimPrefix(filepath.Ext(file), "."))
			if diff := cmp.Diff(said(want), said(got)); diff != "" {
				t.Errorf("(-the example's own file +the converted one):\n%s\n%s", diff, r.File)
			}
		})
	}
}

// said is what a Dockerfile can say of an image.
func said(r *recipe.Recipe) map[string]any {
	var copied []string
	for _, rule := range r.App.Copy {
		for _, file := range rule.Files {
			if strings.HasPrefix(file, "libs/") {
				continue // the Dockerfile copies the code of a package that mlbuild installs
			}
			copied = append(copied, file+" → "+files.Target(rule, file))
		}
	}
	slices.Sort(copied)
	var dev, health []string
	if r.App.Healthcheck != nil {
		health = r.App.Healthcheck.Test
	}
	var testing [][]string
	if r.Dev != nil {
		dev = r.Dev.System
	}
	if r.Testing != nil {
		testing = r.Testing.Commands
	}
	return map[string]any{
		"base": r.Base, "python": r.Python.Version, "project": r.Requires.Project, "system": r.System, "user": r.User, "models": r.Models, "prune": r.Prune,
		"copied": copied, "command": r.App.Command, "entrypoint": r.App.Entrypoint, "ports": r.App.Ports, "dirs": r.App.Dirs, "health": health, "dev": dev, "testing": testing,
	}
}

func resolved(t *testing.T, files fstest.MapFS, text, profile string) *recipe.Recipe {
	t.Helper()
	with := maps.Clone(files)
	with[profiles.FileName] = &fstest.MapFile{Data: []byte(text)}
	p, err := profiles.Load(with, "")
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	r, err := p.Resolve(profiles.Selection{Profile: profile})
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return r
}
