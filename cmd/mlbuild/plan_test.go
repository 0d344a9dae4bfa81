package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/inventory"
	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/outline"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestPlanShowsWays: the plan has each layer with what is in it, and names the system packages that are more than their files.
func TestPlanShowsWays(t *testing.T) {
	small := buildlock.Package{Name: "libgomp1", Version: "12.2", Size: 115_772}
	ruled := buildlock.Package{Name: "libblas3", Version: "3.11", Size: 200_000, Handling: buildlock.Rules, Reason: "alternatives: 1"}
	hard := buildlock.Package{Name: "libgvc6", Version: "2.42", Size: 700_000, Handling: buildlock.Dpkg, Reason: "postinst line 8: it calls libgvc6-config-update"}
	p := builder.Planned{
		Recipe: &recipe.Recipe{Profile: "cpu", Platform: "linux/amd64", Base: recipe.BaseImage{Ref: "docker.io/library/python:3.11-slim"}},
		System: []buildlock.Package{ruled, small, hard}, InBase: []pylock.Wheel{{Name: "torch", Version: "2.9.1"}}, Wheels: []pylock.Wheel{{Name: "numpy", Version: "2.4"}},
		Steps: []outline.Step{
			{Stage: "download", Name: "numpy.whl", Does: outline.DoesDownload}, {Stage: "wheels", Name: "unpack numpy", Does: outline.DoesUnpack},
			{Stage: "system packages", Name: "unpack libgomp1", Does: outline.DoesUnpack}, {Stage: "system packages", Name: "apt-get install git", Does: outline.DoesRun, Network: true},
		},
		Graph: &llb.Graph{Plan: &layerplan.Plan{BaseLayers: 4, Layers: []layerplan.Layer{
			{Kind: "system", Name: "2 system packages (bin 1)", Bin: 1, Packages: []buildlock.Package{ruled, small}, Size: 315_772},
			{Kind: "system", Name: "what 1 system package would set up", Packages: []buildlock.Package{ruled}, Handling: buildlock.Rules},
			{Kind: "wheels", Name: "numpy 2.4", Wheels: []pylock.Wheel{{Name: "numpy", Version: "2.4"}}},
			{Kind: "built", Name: "fastadd 2.0", Wheels: []pylock.Wheel{{Name: "fastadd", Version: "2.0", Why: "it has no wheel"}}},
			{Kind: "run", Name: "fonts", Runs: "on the image"}, {Kind: "bake", Name: "model", Runs: "on a copy"},
		}}},
	}
	var out strings.Builder
	if err := printPlan(&out, p, inventory.Inventory{}, planView{width: 120}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"5      system  315.8 kB  2 system packages: libblas3 3.11, libgomp1 12.2\n",
		"6      system         -  what 1 system package would set up\n",
		"7      wheels   unknown  numpy 2.4\n",
		"8      built          -  fastadd 2.0, built from source: it has no wheel\n",
		"9      run            -  fonts\n",
		"\nwhy these layers\n  system  small ones share layers by their names: one of them changes, one layer changes\n",
		"\n  wheels  a wheel of unknown size\n  built   a package from source: changes with it and with how it is built\n",
		"\nwhat runs, and on what\n  run (fonts) on the image\n  bake (model) on a copy\n",
		"  in base torch 2.9.1: not installed again\n",
		"\n1 download, 2 unpacked by mlbuild's own program, 0 copy steps, 1 run\n  apt-get install git (system packages, with network)\n",
		"\n1 package, 6 layers, 315.8 kB to download and about as much in new layers, and 2 layers of unknown size\n",
		"\n3 system packages, 1.0 MB\n",
		"  libblas3 3.11: set up by rules, for alternatives: 1\n",
		"  libgvc6 2.42: configured by dpkg on the base, for postinst line 8: it calls libgvc6-config-update\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in the plan:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "libgomp1 12.2: ") {
		t.Errorf("a plain layer is explained:\n%s", out.String())
	}
}

// TestPlanIsNarrow: whatever a layer holds and a step runs on, lines stay short, and a package stands with its version.
func TestPlanIsNarrow(t *testing.T) {
	var wheels []pylock.Wheel
	var packages []buildlock.Package
	for i := range 40 {
		wheels = append(wheels, pylock.Wheel{Name: fmt.Sprintf("package-of-some-length-%d", i), Version: fmt.Sprintf("%d.0", i)})
		packages = append(packages, buildlock.Package{Name: fmt.Sprintf("libthing%d", i), Version: "1:2.3-4", Size: 9, Handling: buildlock.Dpkg, Reason: strings.Repeat("it calls something ", 20)})
	}
	p := builder.Planned{
		Recipe: &recipe.Recipe{Profile: "cpu", Platform: "linux/amd64", Base: recipe.BaseImage{Ref: "docker.io/library/python:3.11-slim"}}, System: packages, InBase: wheels,
		Steps: []outline.Step{{Stage: "commands", Name: strings.Repeat("do this and ", 40), Does: outline.DoesRun}},
		Graph: &llb.Graph{Plan: &layerplan.Plan{Layers: []layerplan.Layer{
			{Kind: "wheels", Name: "40 small wheels (bin 1)", Bin: 1, Wheels: wheels, Size: 1},
			{Kind: "run", Name: "fonts", Runs: strings.Repeat("on the image and ", 20)},
		}}},
	}
	for _, v := range []planView{{80, false}, {80, true}, {200, false}} {
		var out strings.Builder
		if err := printPlan(&out, p, inventory.Inventory{}, v); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if n := len([]rune(line)) - 1; n > v.width || strings.Contains(line, bound) {
				t.Errorf("%+v: a line of %d characters: %q", v, n, line)
			}
		}
		if layer := "1      wheels   1 B  40 small wheels: package-of-some-length-0 0.0,"; !strings.Contains(out.String(), layer) {
			t.Errorf("%+v: %q is not in the plan:\n%s", v, layer, out.String())
		}
		_, layers, _ := strings.Cut(out.String(), "LAYER")
		for _, w := range wheels {
			if v.whole && !strings.Contains(layers, " "+w.Name+" "+w.Version) {
				t.Errorf("%s is not with its version in the plan:\n%s", w.Name, out.String())
			}
		}
		if lines := strings.Count(out.String(), "package-of-some-length-39"); !v.whole && lines != 1 {
			t.Errorf("%+v: the last of the layer's packages is named %d times", v, lines)
		}
	}
}
