package integration

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
)

// frontends is a stock daemon, which lets frontends in, and the image of ours in a registry that it knows.
type frontends struct {
	t      *testing.T
	tb     *testbed.Testbed
	daemon *testbed.Daemon
	image  string
	buildx string
	config string // of docker's client
}

func newFrontends(t *testing.T) *frontends {
	t.Helper()
	f := &frontends{t: t, tb: testbed.Shared(t), config: t.TempDir()}
	var err error
	if f.buildx, err = testbed.Tool("buildx"); err != nil {
		testbed.SkipMissing(t, err)
	}
	program := filepath.Join("..", "bin", "mlbuild-frontend") // where go build finds it if it is of this tree
	out(t, exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "../cmd/mlbuild-frontend"), append(os.Environ(), "CGO_ENABLED=0"))
	index, err := testbed.FrontendImage(map[string]string{"linux/" + runtime.GOARCH: program})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.tb.Registry.Push(t.Context(), "mlbuild/frontend:1", index); err != nil {
		t.Fatal(err)
	}
	f.image = f.tb.Registry.Ref("mlbuild/frontend:1")
	f.daemon = testbed.NewDaemon(t, testbed.DaemonOptions{Mirror: f.tb.Registry, Frontends: true})
	if said, err := f.run("", "create", "--name", "stock", "--driver", "remote", f.daemon.Addr()); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	return f
}

// run runs buildx in a directory and returns what it says.
func (f *frontends) run(dir string, args ...string) (string, error) {
	f.t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(f.t.Context()), f.buildx, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "DOCKER_CONFIG="+f.config, "BUILDX_CONFIG="+f.config, "BUILDX_BUILDER=stock", "BUILDX_NO_DEFAULT_ATTESTATIONS=1", "BUILDKIT_PROGRESS=plain", "WORD="+string(sealed[0].Value))
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	return said.String(), err
}

// build has buildx build a project and push it, with layers as mlbuild pushes them.
func (f *frontends) build(t *testing.T, p *project, repoTag string, args ...string) string {
	t.Helper()
	said, err := f.run(p.dir, append([]string{"build", "-f", "mlbuild.yaml", "--secret", "id=word,env=WORD", "--output", f.output(repoTag)}, append(args, ".")...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	return said
}

func (f *frontends) output(repoTag string) string {
	return "type=image,push=true,oci-mediatypes=true,compression=zstd,name=" + f.tb.Registry.Ref(repoTag)
}

// named makes the frontend the first line of the project's file.
func (f *frontends) named(p *project) {
	f.t.Helper()
	p.write("mlbuild.yaml", "# syntax="+f.image+"\n"+p.read("mlbuild.yaml"))
}

// sealed is the secret of the project's step, which buildx takes from the variable of the same name.
var sealed = []builder.Secret{{ID: "word", Env: "WORD", Value: []byte("correct-horse"), Set: true}}

// TestFrontend: docker buildx on a stock daemon makes the image that mlbuild makes, to the byte, and shows what is wrong with the line that mends it.
func TestFrontend(t *testing.T) {
	f := newFrontends(t)
	b := connect(t, f.tb.Daemon.Addr())
	p := tiny(t, testbed.NewIndex(t, testbed.IndexOptions{}), "")
	locks, err := b.Lock(t.Context(), p.request(p.variantOn("cpu", []string{"linux/amd64", "linux/arm64"})), builder.LockOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p.write(locks[0].Path, string(locks[0].Data))
	file := p.read("mlbuild.yaml")
	f.named(p)
	t.Run("platforms", func(t *testing.T) { f.samePlatforms(t, b, p) })
	p.checks = builder.CheckAll
	p.write("mlbuild.yaml", file+`run: [{name: sealed, secrets: [{id: word, env: WORD}], commands: ['printf %s "$WORD" | sha256sum | cut -c1-8 > /etc/sealed']}]`+"\n")
	p.write(".dockerignore", "*\n!main.py\n") // as many have it: the client sends neither the locks nor the requirements with the context
	f.named(p)
	t.Run("bytes", func(t *testing.T) { f.sameBytes(t, b, p) })
	t.Run("faults", func(t *testing.T) { f.saysFaults(t, p) })
}

// sameBytes builds from a command line, a bake file and a compose file.
func (f *frontends) sameBytes(t *testing.T, b *builder.Builder, p *project) {
	req := p.request(p.variant("cpu", f.tb.Registry.Ref("frontend/own:1")))
	req.Secrets = sealed
	want := mustBuild(t, b, req).Images[0]
	if said := f.build(t, p, "frontend/buildx:1"); strings.Contains(said, "warning") {
		t.Errorf("a build of which nothing is left undone warns:\n%s", said)
	}
	p.write("docker-bake.hcl", fmt.Sprintf(`target "default" {
  dockerfile = "mlbuild.yaml"
  secret = ["id=word,env=WORD"]
  output = [%q]
}
`, f.output("frontend/bake:1")))
	p.write("compose.yaml", fmt.Sprintf("services:\n  app:\n    image: %s\n    build: {context: ., dockerfile: mlbuild.yaml, secrets: [word]}\nsecrets: {word: {environment: WORD}}\n", f.tb.Registry.Ref("frontend/compose:1")))
	for _, args := range [][]string{{"bake", "-f", "docker-bake.hcl"}, {"bake", "-f", "compose.yaml", "--set", "*.output=" + f.output("frontend/compose:1")}} {
		if said, err := f.run(p.dir, args...); err != nil {
			t.Errorf("%q: %v\n%s", args, err, said)
		}
	}
	f.build(t, p, "frontend/proved:1", "--provenance=mode=max")
	for _, way := range []string{"buildx", "bake", "compose"} {
		got, err := f.tb.Registry.Digest(t.Context(), "frontend/"+way+":1")
		if err != nil || got != want.Digest {
			t.Errorf("%s pushed %s (%v), mlbuild %s", way, got, err, want.Digest)
		}
	}
	proved, err := f.tb.Registry.Pull(t.Context(), "frontend/proved:1", "linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := proved.Digest(); err != nil || got.String() != want.Digest {
		t.Errorf("beside a provenance it pushed %s (%v), mlbuild %s", got, err, want.Digest)
	}
}

// samePlatforms builds an index of two platforms. The image of the other one cannot be run here.
func (f *frontends) samePlatforms(t *testing.T, b *builder.Builder, p *project) {
	req := p.request(p.variantOn("cpu", []string{"linux/amd64", "linux/arm64"}, f.tb.Registry.Ref("frontend/both:1")))
	want := mustBuild(t, b, req).Images[0]
	f.build(t, p, "frontend/buildx-both:1", "--platform", "linux/amd64,linux/arm64", "--build-arg", "MLBUILD_CHECKS=none")
	if got, err := f.tb.Registry.Digest(t.Context(), "frontend/buildx-both:1"); err != nil || got != want.Digest {
		t.Errorf("buildx pushed %s (%v), mlbuild %s", got, err, want.Digest)
	}
}

// saysFaults: what mlbuild says of a project that is wrong, and what a frontend cannot do, is what buildx shows.
func (f *frontends) saysFaults(t *testing.T, p *project) {
	fails := func(want string, args ...string) {
		t.Helper()
		said, err := f.run(p.dir, append(append([]string{"build", "-f", "mlbuild.yaml"}, args...), ".")...)
		if err == nil || !strings.Contains(said, want) {
			t.Errorf("%q does not say %q: %v\n%s", args, want, err, said)
		}
	}
	fails("ERROR: failed to build: failed to solve: error[E-USAGE]: the frontend has no build argument MLBUILD_PROFIL", "--build-arg", "MLBUILD_PROFIL=gpu")
	fails("hint: run them with: mlbuild test", "--target", "testing")
	fails("error[E-LOCK-STALE]: profile gpu has no lock", "--build-arg", "MLBUILD_LOCKED=1", "--build-arg", "MLBUILD_PROFILE=gpu")
	fails("--no-cache: no step belongs to a stage", "--no-cache-filter", "sistem")
	p.write("mlbuild.yaml", strings.Replace(p.read("mlbuild.yaml"), "commands: [", "commands: [exit 3, ", 1))
	fails(`error[E-SECRET]: step "run sealed" needs the secret "word", which was not given`, "--build-arg", "MLBUILD_CHECKS=none")
	fails(`error[E-STEP]: step "run sealed" of profile cpu ended with exit code 3`, "--secret", "id=word,env=WORD")
	p.write("mlbuild.yaml", "# syntax="+f.image+"\nversion: 1\napp: {comand: [python]}\n")
	fails("  --> mlbuild.yaml:3:7\n")
}
