package diagnose

import (
	"errors"
	"strings"
	"testing"
	"time"

	bkclient "github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestBrief: a step of mlbuild's own that is a whole script is not printed with it, in whatever fault or line.
func TestBrief(t *testing.T) {
	long := `process "/bin/sh -c set -eu\n` + strings.Repeat(`echo \"ü\"\n`, 900) + `" did not complete successfully: exit code: 3`
	for _, err := range []error{errors.New(long), errors.New(long + ": no space left on device"), errors.New("failed to solve: " + long + ": connection reset")} {
		said := Build{Profile: "cpu", Logs: NewWatcher(nil)}.Explain(err).Error()
		if len(said) > 500 || strings.Count(said, "echo") > 30 {
			t.Errorf("%d bytes are said: %.300s", len(said), said)
		}
	}
	if got := Brief(long); !strings.HasPrefix(got, `process "/bin/sh -c set -eu\n`) || !strings.HasSuffix(got, `…" did not complete successfully: exit code: 3`) || len(got) > 300 {
		t.Errorf("got %s", got)
	}
	const short = `process "/bin/sh -c apt-get update" did not complete successfully: exit code: 1`
	if got := Brief(short); got != short {
		t.Errorf("got %s", got)
	}
}

// TestNoSetuptools: a step whose module wants what official images have beside Python is told so.
func TestNoSetuptools(t *testing.T) {
	for module, want := range map[string]bool{"pkg_resources": true, "distutils.version": true, "setuptools": true, "numpy": false} {
		f := stepFault("profile cpu", "test", "ModuleNotFoundError: No module named '"+module+"'", nil, errors.New("x"))
		if got := strings.Contains(strings.Join(f.Hints, " "), "setuptools<82"); got != want {
			t.Errorf("%s: hints %q", module, f.Hints)
		}
	}
}

// TestOverrideIsProposed: a package from git or of the project contradicts a version that is pinned elsewhere, and what helps is said.
func TestOverrideIsProposed(t *testing.T) {
	r := &recipe.Recipe{Profile: "cpu", Requires: recipe.Requirements{Packages: []string{"gsplat @ git+https://git.example/gsplat@v1", "idna==3"}}}
	r.Requires.Parse()
	const said = "error: No solution found when resolving dependencies\n  cause: Because there is no version of gsplat==1.4.0 and you require gsplat==1.4.0, we can conclude that your requirements are unsatisfiable."
	logs := NewWatcher(nil)
	id := digest.FromString("x")
	now := time.Now()
	failing := &bkclient.Vertex{Digest: id, Error: "exit code: 1", Started: &now, Completed: &now}
	logs.last[id], logs.logs[id] = failing, []byte(said)
	err := Build{Profile: "cpu", Logs: logs}.UV(r, errors.New("exit code: 1"))
	if f := fault.All(err)[0]; f.Code != fault.Resolve || !strings.Contains(strings.Join(f.Hints, "\n"), `python: {overrides: ["gsplat @ git+https://git.example/gsplat@v1"]}`) {
		t.Errorf("hints %q", f.Hints)
	}
}
