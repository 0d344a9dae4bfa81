package query

import (
	"testing"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

func resolveInputs() ResolveInputs {
	tool := llbtest.Base("docker.io/library/python:3-slim@sha256:3333333333333333333333333333333333333333333333333333333333333333", 4)
	return ResolveInputs{
		Tool: tool, Worker: ocispecs.Platform{OS: "linux", Architecture: "amd64"}, Platforms: []string{"linux/amd64"},
		Glibc: "2.36", Direct: []string{"torch"},
	}
}

func resolution(t *testing.T, change func(*recipe.Recipe, *ResolveInputs)) llbtest.Graph {
	t.Helper()
	r, in := llbtest.Recipe(), resolveInputs()
	if change != nil {
		change(r, &in)
	}
	r.Requires.Parse()
	def, err := Resolution(r, in)
	if err != nil {
		t.Fatal(err)
	}
	return llbtest.Decode(t, def)
}
