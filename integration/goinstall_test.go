package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gomodule "golang.org/x/mod/module"
	"golang.org/x/mod/zip"

	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/helper"
)

// TestGoInstall: what "go install" makes of the committed tree builds an image. It has none of the programs that run on the daemon, and makes them once, byte for byte those of a release.
func TestGoInstall(t *testing.T) {
	tb := testbed.Shared(t)
	m := gomodule.Version{Path: "github.com/mlbuild/mlbuild", Version: gomodule.PseudoVersion("v0", "", time.Unix(1767225600, 0), committed(t)[:12])}
	proxy := serveModule(t, m)
	home := t.TempDir()
	bin := filepath.Join(home, "bin")
	env := append(os.Environ(), "GOPROXY="+proxy, "GONOSUMDB="+m.Path, "GOFLAGS=", "GOWORK=off", "GOBIN="+bin)
	out(t, exec.CommandContext(t.Context(), "go", "install", "-ldflags", "-s -w", m.Path+"/cmd/mlbuild@"+m.Version), env)

	mlbuild := filepath.Join(bin, "mlbuild")
	if said := out(t, exec.Command(mlbuild, "version"), env); !strings.Contains(said, "mlbuild "+m.Version+"\n") || !strings.Contains(said, "commit "+committed(t)[:12]) {
		t.Errorf("it says of itself %q", said)
	}
	p := newProject(t, map[string]string{"requirements.txt": "", "main.py": "print('hello')\n", "mlbuild.yaml": "app: {command: [python, main.py]}\npython: {packages: [idna]}\n"})
	build := func(path string) string {
		cmd := exec.CommandContext(t.Context(), mlbuild, "build", "--progress", "quiet", "--tag", tb.Registry.Ref("go-install:1"), "--push", p.dir)
		return out(t, cmd, append(env, "HOME="+home, "XDG_CACHE_HOME=", "MLBUILD_STATE_DIR="+p.state, "BUILDKIT_HOST="+tb.Daemon.Addr(), "PATH="+path, "GOPATH="+goEnv(t, "GOPATH"), "GOCACHE="+goEnv(t, "GOCACHE")))
	}
	if said := build(os.Getenv("PATH")); !strings.Contains(said, "sha256:") {
		t.Errorf("it built %q", said)
	}
	made, err := filepath.Glob(filepath.Join(home, ".cache", "mlbuild", "*"))
	if err != nil || len(made) != 1 {
		t.Fatalf("it kept %q (%v)", made, err)
	}
	if sums, err := os.ReadFile(filepath.Join(made[0], "sha256sums")); err != nil || string(sums) != helper.Pins() {
		t.Errorf("the programs' sums are %q (%v)", sums, err)
	}
	build("/nowhere") // they are there: Go is not needed again
	if err := os.RemoveAll(made[0]); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), mlbuild, "build", p.dir)
	cmd.Env = append(env, "HOME="+home, "XDG_CACHE_HOME=", "PATH=/nowhere", "BUILDKIT_HOST="+tb.Daemon.Addr())
	if said, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(said), "there is no go on PATH") {
		t.Errorf("without Go: %v, %s", err, said)
	}
}

// committed is the commit of the tree.
func committed(t *testing.T) string {
	t.Helper()
	sum, err := exec.Command("git", "rev-parse", "HEAD").Output()
	if err != nil {
		if os.Getenv("MLBUILD_REQUIRE_TESTBED") == "1" {
			t.Fatal(err)
		}
		t.Skipf("the tree is no clone, and has no commit to install: %v", err)
	}
	return strings.TrimSpace(string(sum))
}

// serveModule makes the tree's commit a module on a proxy of files, with the usual one behind it, and takes it out of the module cache in the end.
func serveModule(t *testing.T, m gomodule.Version) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	proxy := t.TempDir()
	dir := filepath.Join(proxy, filepath.FromSlash(m.Path), "@v")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	archive, err := os.Create(filepath.Join(dir, m.Version+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	tree := t.TempDir()
	tar := exec.Command("sh", "-c", `git archive HEAD | tar -x -C "$0"`, tree)
	tar.Dir = root
	if said, err := tar.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	if err := zip.CreateFromDir(archive, m, tree); err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := json.Marshal(map[string]any{"Version": m.Version, "Time": time.Unix(1767225600, 0).UTC()})
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{m.Version + ".info": info, m.Version + ".mod": mod, "list": []byte(m.Version + "\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	forget := func() { forgetModule(t, goEnv(t, "GOMODCACHE"), m) }
	forget()
	t.Cleanup(forget)
	return "file://" + proxy + "," + goEnv(t, "GOPROXY")
}

// forgetModule removes a version of a module from the module cache, whose directories cannot be written to.
func forgetModule(t *testing.T, cache string, m gomodule.Version) {
	t.Helper()
	source := filepath.Join(cache, filepath.FromSlash(m.Path)+"@"+m.Version)
	_ = filepath.WalkDir(source, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = os.Chmod(path, 0o755)
		}
		return err
	})
	if err := os.RemoveAll(source); err != nil {
		t.Error(err)
	}
	kept, err := filepath.Glob(filepath.Join(cache, "cache", "download", filepath.FromSlash(m.Path), "@v", m.Version+".*"))
	if err != nil {
		t.Error(err)
	}
	for _, file := range kept {
		if err := os.Remove(file); err != nil {
			t.Error(err)
		}
	}
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	value, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(value))
}

// out runs a command to its end and returns what it printed.
func out(t *testing.T, cmd *exec.Cmd, env []string) string {
	t.Helper()
	cmd.Env = env
	var stderr strings.Builder
	cmd.Stderr = &stderr
	data, err := cmd.Output()
	if err != nil {
		t.Fatal(fmt.Errorf("%v: %w\n%s\n%s", cmd.Args, err, data, &stderr), context.Cause(t.Context()))
	}
	return string(data)
}
