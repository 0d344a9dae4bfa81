package main

import (
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/inventory"
	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestPlanShowsFiles: the layer of the app has its size and its largest files, and what is not copied is told with its size and why, in lines that fit.
func TestPlanShowsFiles(t *testing.T) {
	inv := inventory.Inventory{
		Files: 14, Size: 1_250_000, Largest: []inventory.ProjectFile{{Path: "src/app/model.onnx", Size: 1_100_000}, {Path: "src/app/main.py", Size: 12_000}, {Path: "a", Size: 3}, {Path: "b", Size: 3}, {Path: "c", Size: 2}, {Path: "d", Size: 1}},
		Left: []inventory.Left{
			{Path: "data/", Size: 300e6, Partial: true, Why: "not named by app.copy"}, {Path: "model.pkl", Size: 50e6, Why: ".dockerignore line 3"},
			{Path: strings.Repeat("long/", 20), Size: 12_345, Why: "not named by app.copy"}, {Path: "s3/", Partial: true, Why: "not named by app.copy"},
		},
		More: 3, MoreSize: 1_000, Usual: []string{".git", ".gitignore", "Dockerfile", "LICENSE", "Makefile", "README.md", "__pycache__", "requirements.txt"},
	}
	for i := range 6 {
		inv.Left = append(inv.Left, inventory.Left{Path: string(rune('f'+i)) + ".csv", Size: 100, Why: "not named by app.copy"})
	}
	p := builder.Planned{
		Recipe: &recipe.Recipe{Profile: "cpu", Platform: "linux/amd64", Base: recipe.BaseImage{Ref: "docker.io/library/python:3.11-slim"}},
		Graph: &llb.Graph{Plan: &layerplan.Plan{BaseLayers: 4, Layers: []layerplan.Layer{
			{Kind: layerplan.KindApp, Name: "the project's files"}, {Kind: layerplan.KindApp, Name: "bytecode of the project's files"},
		}}},
	}
	show := func(v planView) string {
		var out strings.Builder
		if err := printPlan(&out, p, inv, v); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if n := len([]rune(line)) - 1; n > v.width || strings.Contains(line, bound) {
				t.Errorf("%+v: a line of %d characters: %q", v, n, line)
			}
		}
		return out.String()
	}
	narrow := show(planView{width: 80})
	for _, want := range []string{
		"5      app   1.2 MB  14 files of the project: src/app/model.onnx 1.1 MB,", "6      app        -  bytecode of the project's files\n",
		`
not copied into the image
  more than 300.0 MB  data/                         not named by app.copy
             50.0 MB  model.pkl                     .dockerignore line 3
             12.3 kB  …g/long/long/long/long/long/  not named by app.copy
         not counted  s3/                           not named by app.copy
               100 B  f.csv                         not named by app.copy
               100 B  g.csv                         not named by app.copy
               100 B  h.csv                         not named by app.copy
              1.3 kB  in 6 others
  and, as usual, .git, __pycache__, .gitignore, Dockerfile, LICENSE, Makefile
    and 2 more
`,
	} {
		if !strings.Contains(narrow, want) {
			t.Errorf("%s\nis not in the plan:\n%s", want, narrow)
		}
	}
	whole := show(planView{width: 120, whole: true})
	for _, want := range []string{"c 2 B,\n", " d 1 B, …\n", "k.csv", "1.0 kB  in 3 others\n", "README.md, requirements.txt\n"} {
		if !strings.Contains(whole, want) {
			t.Errorf("%s\nis not in the whole plan:\n%s", want, whole)
		}
	}
	inv = inventory.Inventory{}
	if text := show(planView{width: 80}); strings.Contains(text, "not copied") {
		t.Errorf("nothing stays behind, and the plan says:\n%s", text)
	}
}
