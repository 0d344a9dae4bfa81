package convert_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/convert"
	"github.com/mlbuild/mlbuild/profiles/dockerfile"
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

func TestExamples(t *testing.T) {
	all, _ := filepath.Glob("../../examples/*/Dockerfile*")
	for _, file := range all {
		t.Run(filepath.Base(filepath.Dir(file))+"/"+filepath.Base(file), func(t *testing.T) {
			files := tree(t, filepath.Dir(file))
			r := converted(t, files, filepath.Base(file), "")
			t.Log("\n" + r.File)
			for _, f := range r.Findings {
				t.Logf("%d %s: %s", f.Line, f.Rule, f.Message)
			}
			files[profiles.FileName] = &fstest.MapFile{Data: []byte(r.File)}
			p, err := profiles.Load(files, "")
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Resolve(profiles.Selection{})
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Unfit) > 0 {
				t.Error(got.Unfit)
			}
		})
	}
}
