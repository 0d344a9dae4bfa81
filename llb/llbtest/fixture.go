package llbtest

import (
	"fmt"
	"time"

	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/llbtest/plantest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// BaseRef is the base of the tests' recipe.
const BaseRef = "docker.io/library/python:3.11-slim@sha256:1111111111111111111111111111111111111111111111111111111111111111"

// OtherRef is another base.
const OtherRef = "docker.io/library/python:3.11-bookworm@sha256:2222222222222222222222222222222222222222222222222222222222222222"

// Budget is the default of the project file.
var Budget = plantest.Budget

// Recipe is a service with a model, system packages and a private index: every stage and every kind of step.
func Recipe() *recipe.Recipe {
	r := &recipe.Recipe{
		Name: "sentiment", Profile: "cpu", Platform: "linux/amd64",
		Base: recipe.BaseImage{Ref: "docker.io/library/python:3.11-slim", Interpreter: "/usr/local/bin/python3.11"},
		Tool: "docker.io/library/python:3-slim", Python: recipe.Python{Version: "3.11", From: "default"},
		Accelerator: recipe.Accelerator{Kind: "none"},
		Requires: recipe.Requirements{
			Files: []recipe.File{{Path: "requirements.txt", Data: "torch\nnumpy\n", Top: true}},
			Indexes: []recipe.Index{
				{Name: "pytorch", URL: "https://download.pytorch.org/whl/cpu", Packages: []string{"torch"}},
				{Name: "corp", URL: "https://index.example/simple", Packages: []string{"secretsauce"}, Secret: "corp-login"},
			},
			Torch: "pytorch",
		},
		System: []string{"libgomp1", "libsndfile1"},
		User:   recipe.User{Name: "app", UID: 1000, GID: 1000, Home: "/home/app"},
		App: recipe.App{
			Copy: []recipe.CopyRule{
				{From: "*.py", Files: []string{"main.py", "model.py"}, To: "/app/"},
				{From: "weights", Files: []string{"weights"}, To: "/home/app/models/weights", Mode: "0440", Owner: "0:0"},
			},
			Ignore: []string{"**/*.log", "!keep.log"}, Workdir: "/app", Command: []string{"python", "main.py"}, CommandFrom: "main.py",
			Env:    []recipe.Pair{{Name: "OMP_NUM_THREADS", Value: "4"}, {Name: "PYTHONUNBUFFERED", Value: "1"}},
			Ports:  []string{"8000/tcp", "9000/udp"},
			Labels: []recipe.Pair{{Name: "org.example.team", Value: "nlp"}, {Name: "org.example.tier", Value: "1"}},
			Dirs:   []recipe.Dir{{Path: "/data", Mode: 0o750, UID: 1000, GID: 1000}}, Volumes: []string{"/data"},
		},
		Layers: Budget, Compression: "zstd", Secrets: []string{"corp-login"},
	}
	r.Requires.Parse()
	return r
}

// Base is an image with some layers and the history that such images have: some entries made no layer.
func Base(ref string, layers int) ops.Base {
	at := time.Unix(1_700_000_000, 0).UTC()
	c := dockerspec.DockerOCIImage{}
	c.Platform = ocispecs.Platform{OS: "linux", Architecture: "amd64"}
	c.RootFS.Type = "layers"
	for i := range layers {
		c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, digest.FromString(fmt.Sprint(ref, i)))
		c.History = append(c.History, ocispecs.History{Created: &at, CreatedBy: fmt.Sprintf("step %d", i)})
	}
	c.History = append(c.History, ocispecs.History{CreatedBy: "CMD python3", EmptyLayer: true})
	c.Config.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"}
	c.Config.Cmd = []string{"python3"}
	c.Config.Labels = map[string]string{"org.example.base": "yes"}
	return ops.Base{Ref: ref, Config: c, Distro: "debian-bookworm"}
}

// Wheels has every way into a layer: split, own, own for want of a size, and bins.
func Wheels() []pylock.Wheel {
	return []pylock.Wheel{
		Wheel("filelock", 16_000), Wheel("jinja2", 134_000), Wheel("numpy", 16_800_000),
		Wheel("nvidia-cublas-cu12", 393_000_000), Wheel("secretsauce", 0), Wheel("torch", 200_000_000), Wheel("sympy", 6_300_000),
		Wheel("typing-extensions", 43_000),
	}
}

// Wheel is a wheel of a size in bytes, version 1.2.3.
func Wheel(name string, size int64) pylock.Wheel { return plantest.Wheel(name, size) }

// Sum is the SHA-256 of a string in hexadecimal.
func Sum(s string) string { return plantest.Sum(s) }
