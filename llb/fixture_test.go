package llb

import (
	"fmt"
	"testing"
	"time"

	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

const (
	baseRef  = "docker.io/library/python:3.11-slim@sha256:1111111111111111111111111111111111111111111111111111111111111111"
	otherRef = "docker.io/library/python:3.11-bookworm@sha256:2222222222222222222222222222222222222222222222222222222222222222"
)

// budget is the default of the project file.
var budget = recipe.LayerBudget{Max: 100, OwnBytes: 5_000_000, Split: 140_000_000, Bins: 6}

// recipe is a service with a model, system packages and a private index: every stage and every kind of step.
func testRecipe() *recipe.Recipe {
	return &recipe.Recipe{
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
		Layers: budget, Compression: "zstd", Secrets: []string{"corp-login"},
	}
}

func inputs() Inputs {
	return Inputs{
		Base: base(baseRef, 4), Wheels: wheels(), Worker: ocispecs.Platform{OS: "linux", Architecture: "amd64"},
		Helpers: Helpers{Wheels: "sha256:" + sum("helper"), Packages: "sha256:" + sum("helper for packages")}, Epoch: time.Unix(0, 0).UTC(),
	}
}

// base is an image with some layers and the history that such images have: some entries made no layer.
func base(ref string, layers int) Base {
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
	return Base{Ref: ref, Config: c, Distro: "debian-bookworm"}
}

// wheels has every way into a layer: split, own, own for want of a size, and bins.
func wheels() []pylock.Wheel {
	return []pylock.Wheel{
		aWheel("filelock", 16_000), aWheel("jinja2", 134_000), aWheel("numpy", 16_800_000),
		aWheel("nvidia-cublas-cu12", 393_000_000), aWheel("secretsauce", 0), aWheel("torch", 200_000_000), aWheel("sympy", 6_300_000),
		aWheel("typing-extensions", 43_000),
	}
}

func aWheel(name string, size int64) pylock.Wheel {
	w := pylock.Wheel{Name: name, Version: "1.2.3", Size: size, SHA256: sum(name), Filename: name + "-1.2.3-py3-none-any.whl"}
	w.URL = "https://files.example/" + w.Filename
	if name == "secretsauce" {
		w.URL = "https://index.example/files/" + w.Filename
	}
	return w
}

func sum(s string) string { return digest.FromString(s).Encoded() }

// compile gives the graph and its operations; a change may be nil.
func compile(t testing.TB, change func(*recipe.Recipe, *Inputs)) *Graph {
	t.Helper()
	r, in := testRecipe(), inputs()
	if change != nil {
		change(r, &in)
	}
	g, err := Compile(r, in)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func compiled(t *testing.T, change func(*recipe.Recipe, *Inputs)) ops {
	t.Helper()
	return decode(t, compile(t, change).Definition)
}

func resolveInputs() ResolveInputs {
	tool := base("docker.io/library/python:3-slim@sha256:3333333333333333333333333333333333333333333333333333333333333333", 4)
	return ResolveInputs{
		Tool: tool, Worker: ocispecs.Platform{OS: "linux", Architecture: "amd64"}, Platforms: []string{"linux/amd64"},
		Glibc: "2.36", Direct: []string{"torch"},
	}
}

func resolution(t *testing.T, change func(*recipe.Recipe, *ResolveInputs)) ops {
	t.Helper()
	r, in := testRecipe(), resolveInputs()
	if change != nil {
		change(r, &in)
	}
	def, err := Resolution(r, in)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, def)
}
