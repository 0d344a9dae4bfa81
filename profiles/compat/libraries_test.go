package compat

import (
	"slices"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestLibraryNotes: packages that load what the image does not have are named with the line that brings it, and nothing is said where that cannot be known.
func TestLibraryNotes(t *testing.T) {
	wheels := func(names ...string) (all []Package) {
		for _, n := range names {
			all = append(all, Package{Name: n, Version: "1"})
		}
		return all
	}
	some := wheels("lightgbm", "numpy", "opencv-python", "python-magic")
	const slim = "docker.io/library/python:3.11-slim@sha256:abc"
	const all = "the image lacks what lightgbm, opencv-python, python-magic load or run: system: {runtime: [libgl1, libglib2.0-0, libgomp1, libmagic1]} brings it"
	const magic = "the image lacks what python-magic loads or runs: system: {runtime: [libmagic1]} brings it"
	for name, c := range map[string]struct {
		r      recipe.Recipe
		has    []string
		wheels []Package
		want   string
	}{
		"a slim Python":            {recipe.Recipe{Base: recipe.BaseImage{Ref: slim}}, nil, some, all},
		"NVIDIA's":                 {recipe.Recipe{Base: recipe.BaseImage{Ref: "docker.io/nvidia/cuda:12.6.3-base-ubuntu24.04"}}, nil, some, all},
		"of packages":              {recipe.Recipe{Base: recipe.BaseImage{Ref: "debian:bookworm", Kind: recipe.BaseDebian}}, nil, some, all},
		"nothing is used":          {recipe.Recipe{Base: recipe.BaseImage{Ref: slim}}, nil, wheels("numpy"), ""},
		"a whole Python":           {recipe.Recipe{Base: recipe.BaseImage{Ref: "docker.io/library/python:3.11"}}, nil, some, ""},
		"a team's base":            {recipe.Recipe{Base: recipe.BaseImage{Ref: "registry.example/team/python:3.11-slim"}}, nil, some, ""},
		"asked for, and by others": {recipe.Recipe{Base: recipe.BaseImage{Ref: slim}, System: []string{"libgl1"}}, []string{"libgl1", "libglib2.0-0t64", "libgomp1"}, some, magic},
		"a step brings it": {recipe.Recipe{Base: recipe.BaseImage{Ref: slim}, Run: []recipe.Hook{{Script: recipe.Script{Commands: []string{"apt-get install -y libgl1 libglib2.0-0 libgomp1"}}}}},
			nil, some, magic},
		"another image has it": {recipe.Recipe{Base: recipe.BaseImage{Ref: slim}, CopyFrom: []recipe.CopyFrom{{Image: "docker.io/mwader/static-ffmpeg:7"}}}, nil, wheels("pydub"), ""},
	} {
		var want []string
		if c.want != "" {
			want = []string{c.want}
		}
		has := map[string]bool{}
		for _, deb := range c.has {
			has[deb] = true
		}
		if got := LibraryNotes(&c.r, c.wheels, has); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
