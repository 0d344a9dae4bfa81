package lookup

import (
	"errors"
	"strings"
	"testing"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/llb/query"
)

// TestBuildsAreAskedByTheProjectsPython: where a build has to be asked what its package needs, uv runs in an image with the project's Python, and only there.
func TestBuildsAreAskedByTheProjectsPython(t *testing.T) {
	const slim = "docker.io/library/python:3.11-slim"
	for _, test := range []struct {
		name, yaml string
		tool       string // the Python of the tool image
		builds     bool   // uv has to ask a build
		missing    string // an image that is not there
		want       string // images in which uv runs
	}{
		{"the tool has the Python", "", "3.11.4", true, "", "python:3-slim"},
		{"wheels alone", "", "3.14.1", false, "", "python:3-slim"},
		{"the base", "", "3.14.1", true, "", "python:3-slim " + slim},
		{"a mirrored base", "base: mirror.example/library/python:3.11-slim-bookworm\n", "3.14.1", true, slim, "python:3-slim mirror.example/library/python:3.11-slim-bookworm"},
		{"a tool that says nothing", "", "", true, "", "python:3-slim " + slim},
		{"another base", "base: {image: \"registry.example/ml:7\", interpreter: /usr/bin/python3.11}\n", "3.14.1", true, "", "python:3-slim " + slim},
		{"a base of packages", "base: debian\n", "3.14.1", true, "", "python:3-slim " + slim},
		{"a Python that is laid over", "base: {image: \"registry.example/ml:7\", python: \"python:3.11-slim-bookworm\"}\n", "3.14.1", true, slim, "python:3-slim docker.io/library/python:3.11-slim-bookworm"},
		{"a mirror", "tool: mirror.example/library/python:3-slim\nbase: debian\n", "3.14.1", true, slim, "mirror.example/library/python:3-slim mirror.example/library/python:3.11-slim"},
		{"nowhere", "base: debian\n", "3.14.1", true, slim, "python:3-slim python:3-slim"},
		{"named for a build", "BUILD", "3.14.1", true, "", slim},
	} {
		t.Run(test.name, func(t *testing.T) {
			python := "python: {packages: [x]}\n"
			if test.yaml == "BUILD" {
				python, test.yaml = "python: {packages: [x], build: [x]}\n", ""
			}
			r := buildertest.Recipe(t, "cpu", python+test.yaml)
			var ran []string
			gw := &buildertest.Gateway{OnLookup: func(op *pb.SourceOp) (*sourceresolver.MetaResponse, error) {
				if test.missing != "" && strings.HasSuffix(op.Identifier, test.missing) {
					return nil, errors.New("not found")
				}
				m, err := buildertest.AnImage(op)
				if strings.Contains(op.Identifier, "python:3-slim") {
					m.Image.Config = []byte(strings.Replace(string(m.Image.Config), "3.11.9", test.tool, 1))
				}
				return m, err
			}, OnSolve: func(def string) (map[string]string, error) {
				if isInspection(def) {
					return map[string]string{query.InspectionReport: "{}"}, nil
				}
				image := "python:3-slim"
				for _, other := range []string{"mirror.example/library/python:3.11-slim-bookworm", "mirror.example/library/python:3.11-slim@", slim + "-bookworm", slim + "@"} {
					if strings.Contains(def, other) {
						image = strings.TrimSuffix(other, "@")
						break
					}
				}
				if strings.Contains(def, "mirror.example/library/python:3-slim") && image == "python:3-slim" {
					image = "mirror.example/library/python:3-slim"
				}
				ran = append(ran, image)
				if test.builds && strings.Contains(def, "\x04stop") {
					return map[string]string{query.ResolvedLock: "", query.ResolvedVia: ""}, nil
				}
				return buildertest.Resolved("", "x 1"), nil
			}}
			d := asking(t, gw)
			_, lock, err := UV{Daemon: d, Bases: Bases{Daemon: d}}.Lock(t.Context(), UVQuery{Recipe: r, Platforms: []string{"linux/amd64"}})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(ran, " "); got != test.want || len(lock.Packages) != 1 {
				t.Errorf("uv ran in %s, want %s", got, test.want)
			}
		})
	}
}
