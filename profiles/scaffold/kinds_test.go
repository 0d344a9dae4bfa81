package scaffold_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestWithoutAFile: a project that has no project file is built as it is with what init writes, in every profile; only where a value was read differs.
func TestWithoutAFile(t *testing.T) {
	kinds, err := filepath.Glob("testdata/kinds/*.txtar")
	if err != nil || len(kinds) < 10 {
		t.Fatalf("%d kinds of projects, %v", len(kinds), err)
	}
	for _, file := range kinds {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			tree := fstest.MapFS{}
			for _, f := range archive.Files {
				tree[f.Name] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
			}
			bare := map[string]*recipe.Recipe{}
			for _, profile := range []string{"cpu", "gpu", "train"} {
				bare[profile] = resolve(t, tree, profile)
			}
			wanted(t, string(archive.Comment), bare)

			s := profiles.Suggest(tree, "some-dir")
			tree[profiles.FileName], tree[".dockerignore"] = &fstest.MapFile{Data: []byte(s.File)}, &fstest.MapFile{Data: []byte(s.Ignore)}
			for profile, without := range bare {
				if diff := cmp.Diff(shown(t, without), shown(t, resolve(t, tree, profile))); diff != "" {
					t.Errorf("%s (-without a file +with the one of init):\n%s\n%s", profile, diff, s.File)
				}
			}
		})
	}
}

// wanted holds recipes against the lines of a kind: "command: …" and "copy: …" of the profile cpu, and "train: …", the command of the profile train.
func wanted(t *testing.T, comment string, by map[string]*recipe.Recipe) {
	t.Helper()
	var copied []string
	for _, rule := range by["cpu"].App.Copy {
		copied = append(copied, rule.From)
	}
	got := map[string]string{
		"command": strings.Join(by["cpu"].App.Command, " "), "train": strings.Join(by["train"].App.Command, " "), "copy": strings.Join(copied, " "),
	}
	for line := range strings.Lines(comment) {
		key, want, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if have, known := got[key]; known && have != want {
			t.Errorf("%s: %q, want %q", key, have, want)
		}
	}
	if by["train"].Smoke != nil && strings.Contains(comment, "train: ") {
		t.Errorf("the profile train tries a service: %+v", by["train"].Smoke)
	}
}

func resolve(t *testing.T, tree fstest.MapFS, profile string) *recipe.Recipe {
	t.Helper()
	p, err := profiles.Load(tree, "")
	if err != nil {
		t.Fatal(err)
	}
	p.DefaultName = "some-dir"
	r, err := p.Resolve(profiles.Selection{Profile: profile})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// shown is a recipe as it is printed, less notes and where values were read.
func shown(t *testing.T, r *recipe.Recipe) string {
	t.Helper()
	same := *r
	same.Notes, same.Python.From, same.App.CommandFrom = nil, "", ""
	text, err := json.MarshalIndent(same, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
