package llb_test

import (
	"fmt"
	"strings"
	"testing/fstest"
	"time"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/pylock"
)

// Compile a project's image and print its layers, over those of the base. What the daemon would be asked for is given here: the base by digest, the
// wheels, and the digest of the program that unpacks them.
func ExampleCompile() {
	project, err := profiles.Load(fstest.MapFS{
		"mlbuild.yaml":     {Data: []byte("name: hello\npython:\n  version: \"3.12\"\n")},
		"requirements.txt": {Data: []byte("numpy\n")},
		"main.py":          {Data: []byte("import numpy\n")},
	}, "")
	if err != nil {
		panic(err)
	}
	recipe, err := project.Resolve(profiles.Selection{Profile: "cpu", Platform: "linux/amd64"})
	if err != nil {
		panic(err)
	}
	sum := strings.Repeat("0", 64)
	graph, err := llb.Compile(recipe, llb.Inputs{
		Base: ops.Base{Ref: recipe.Base.Ref + "@sha256:" + sum},
		Wheels: []pylock.Wheel{
			{Name: "numpy", Version: "2.2.0", Filename: "numpy-2.2.0-cp312-cp312-manylinux_2_17_x86_64.whl", URL: "https://files.example/numpy.whl", SHA256: sum, Size: 16_000_000},
			{Name: "packaging", Version: "24.2", Filename: "packaging-24.2-py3-none-any.whl", URL: "https://files.example/packaging.whl", SHA256: sum, Size: 65_000},
		},
		Worker:  ocispecs.Platform{OS: "linux", Architecture: "amd64"},
		Helpers: ops.Helpers{Wheels: "sha256:" + sum},
		Epoch:   time.Unix(0, 0),
	})
	if err != nil {
		panic(err)
	}
	for _, layer := range graph.Plan.Layers {
		fmt.Printf("%-9s %s\n", layer.Kind, layer.Name)
	}
	// Output:
	// account   user app
	// skeleton  python environment, directories
	// wheels    numpy 2.2.0
	// wheels    1 small wheel (bin 1)
	// app       the project's files
}
