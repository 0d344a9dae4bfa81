package integration

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
)

// TestScripts runs the command lines of testdata with the built mlbuild, buildctl and crane. They build one project side by side on one daemon.
func TestScripts(t *testing.T) {
	tb := testbed.Shared(t)
	bin := programs(t, "mlbuild", "buildctl", "crane")
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	tiny(t, x, "") // puts its wheel into the index
	x.AddWheel("simple", "wants-tiny", "2.0", "py3-none-any", map[string]string{"wants_tiny.py": "import tiny\n"},
		wheeltest.Metadata("Provides-Extra", "small"), wheeltest.Requires("tiny<2,>=1; extra == 'small'", "tiny>=1; sys_platform == 'win32'"))
	repo := testbed.NewAptRepository(t)
	addDeb(repo, "sample-tool", "1.0", "all", "")
	addDeb(repo, "sample-other", "3.0", "all", "")
	addDeb(repo, "sample-suite", "2.0", "all", "Depends: sample-virtual | sample-none, sample-other (>= 2)\n")
	addDeb(repo, "sample-real", "1.5", "all", "Provides: sample-virtual\n")
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bin+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv("BIN", bin)
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("MLBUILD_STATE_DIR", filepath.Join(e.WorkDir, ".state"))
			e.Setenv("SSL_CERT_FILE", os.Getenv("SSL_CERT_FILE"))
			e.Setenv("BUILDKIT_HOST", tb.Daemon.Addr())
			e.Setenv("REGISTRY", tb.Registry.Addr)
			e.Setenv("INDEX", x.URL)
			e.Setenv("APT", repo.URL)
			return os.WriteFile(filepath.Join(e.WorkDir, "apt.asc"), repo.Key, 0o644)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"expand": expand, "samelayers": sameLayers(t), "digest": digestOf, "code": exitsWith,
		},
	})
}

// programs is the directory with the tools that `make build` makes; the test is skipped where one is missing.
func programs(t *testing.T, names ...string) string {
	t.Helper()
	dir := ""
	for _, n := range names {
		path, err := testbed.Tool(n)
		if err != nil {
			testbed.SkipMissing(t, err)
		}
		dir = filepath.Dir(path)
	}
	return dir
}

// expand replaces $NAME in files by the script's variables: expand mlbuild.yaml.
func expand(ts *testscript.TestScript, _ bool, files []string) {
	for _, f := range files {
		ts.Check(os.WriteFile(ts.MkAbs(f), []byte(os.Expand(ts.ReadFile(f), ts.Getenv)), 0o644))
	}
}

// digestOf puts the digest that a registry has for a reference into a variable: digest DIGEST $REGISTRY/team/tiny:1.2.
func digestOf(ts *testscript.TestScript, _ bool, args []string) {
	ref, err := name.ParseReference(args[1])
	ts.Check(err)
	desc, err := remote.Head(ref)
	ts.Check(err)
	ts.Setenv(args[0], desc.Digest.String())
}

// sameLayers compares the layers of an OCI archive with those of a reference: samelayers image.tar $REGISTRY/team/tiny:1.2.
func sameLayers(t *testing.T) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		ref, err := name.ParseReference(args[1])
		ts.Check(err)
		img, err := remote.Image(ref)
		ts.Check(err)
		if d := cmp.Diff(digests(ts, img), digests(ts, ociImage(t, ts.MkAbs(args[0])))); d != "" {
			ts.Fatalf("layers (-pushed +archive):\n%s", d)
		}
	}
}

func digests(ts *testscript.TestScript, img v1.Image) []string {
	m, err := img.Manifest()
	ts.Check(err)
	var all []string
	for _, l := range m.Layers {
		all = append(all, l.Digest.String()+" "+string(l.MediaType))
	}
	return all
}

// exitsWith runs a command and compares its exit code: code 2 mlbuild --nonsense.
func exitsWith(ts *testscript.TestScript, _ bool, args []string) {
	got := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

// program is a command line to run outside of a script.
type program struct {
	path string
	dir  string
	env  []string
	cred *syscall.Credential
}

// said is what a program printed and how it ended.
type said struct {
	stdout, stderr string
	code           int
}

// start runs the program; the function waits for its end.
func (p program) start(ctx context.Context, args ...string) (*exec.Cmd, func() (said, error), error) {
	cmd := exec.CommandContext(ctx, p.path, args...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = p.dir, p.env, &stdout, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.cred}
	err := cmd.Start()
	return cmd, func() (said, error) {
		err := cmd.Wait()
		if _, ok := errors.AsType[*exec.ExitError](err); ok {
			err = nil
		}
		return said{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}, err
	}, err
}

// run runs the program to its end.
func (p program) run(ctx context.Context, args ...string) (said, error) {
	_, wait, err := p.start(ctx, args...)
	if err != nil {
		return said{}, err
	}
	return wait()
}

// TestInterrupt sends SIGINT while a wheel is on its way.
func TestInterrupt(t *testing.T) {
	tb := testbed.Shared(t)
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	p := tiny(t, x, "")
	p.write("requirements.txt", "slow\n")
	x.AddWheel("simple", "slow", "1.0", "py3-none-any", map[string]string{"slow/__init__.py": ""})
	b := connect(t, tb.Daemon.Addr())
	p.lock(b, "cpu", builder.LockOptions{})
	p.pinFile(b)
	asked := make(chan struct{}, 100)
	x.Intercept(func(_ http.ResponseWriter, req *http.Request) bool {
		if req.Method != http.MethodGet || !strings.HasSuffix(req.URL.Path, ".whl") {
			return false
		}
		asked <- struct{}{}
		<-req.Context().Done() // the daemon hangs up
		return true
	})
	mlbuild := program{path: filepath.Join(programs(t, "mlbuild"), "mlbuild"), dir: p.dir, env: append(os.Environ(), "BUILDKIT_HOST="+tb.Daemon.Addr())}
	cmd, wait, err := mlbuild.start(t.Context(), "--locked", "--no-cache", "--push", "--tag", tb.Registry.Ref("interrupted:1.0"))
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-asked:
	case <-time.After(2 * time.Minute):
		t.Error("the wheel was never asked for")
	}
	interrupted := time.Now()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	got, err := wait()
	if err != nil || got.code != 130 || !strings.Contains(got.stderr, "error[E-CANCELLED]: stopped before the end") || got.stdout != "" {
		t.Errorf("code %d, %v\nstdout: %s\nstderr: %s", got.code, err, got.stdout, got.stderr)
	}
	if d := time.Since(interrupted); d > 10*time.Second {
		t.Errorf("it took %s to stop", d)
	}
	x.Intercept(nil)
	if puts := manifestPuts(tb.Registry, "interrupted"); len(puts) > 0 {
		t.Errorf("manifests put: %v", puts)
	}
	if slices.ContainsFunc(tb.Registry.Uploads(), func(u testbed.Upload) bool { return u.Repository == "interrupted" }) {
		t.Error("blobs were uploaded")
	}
}
