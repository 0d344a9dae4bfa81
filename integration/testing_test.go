package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	bkclient "github.com/moby/buildkit/client"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// checker is a test runner of one file: it runs every function of tests/*.py whose name starts with test_, and writes junit.xml.
const checker = `
import glob, runpy, sys, traceback
failed = 0
for name in sorted(glob.glob("tests/test_*.py")):
    for test, f in runpy.run_path(name).items():
        if test.startswith("test_"):
            try:
                f()
                print(name, test, "ok")
            except Exception:
                failed += 1
                traceback.print_exc()
open("junit.xml", "w").write('<testsuite failures="%d"/>' % failed)
sys.exit(1 if failed else 0)
`

// passing tests look where they run: as the image's user, with the app, without network.
const passing = `
import os, socket, tiny
import main
def test_user():
    assert (os.getuid(), os.getcwd(), os.environ["HOME"], os.environ["KIND"]) == (1000, "/app", "/home/app", "small")
def test_network():
    assert [name for _, name in socket.if_nameindex()] == ["lo"]
def test_run_is_not_told():
    assert "MLBUILD_RUN" not in os.environ
`

// tested is the tiny project with a testing stage.
func tested(t *testing.T) (*project, *testbed.Index) {
	t.Helper()
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	p := tiny(t, x, `
testing:
  packages: [checker]
  copy: [tests]
  command: [[python, -m, checker], [python, -c, "open('coverage.xml', 'w').write('<coverage/>')"]]
  env: {KIND: small, PYTHONPATH: /app}
  reports: [junit.xml, "*.xml", plots]
`)
	x.AddWheel("simple", "checker", "1.0", "py3-none-any", map[string]string{"checker.py": checker})
	x.AddWheel("simple", "tiny", "2.0", "py3-none-any", map[string]string{"tiny/__init__.py": "raise Exception('the runtime has 1.0')"})
	p.write("requirements.txt", "tiny<2\n")
	p.write("tests/test_app.py", passing)
	return p, x
}

// steps records which steps of a build ran, by progress group.
type steps struct {
	mu   sync.Mutex
	last map[string]*bkclient.Vertex
}

func (s *steps) watch(req *builder.Request) {
	s.last = map[string]*bkclient.Vertex{}
	req.Status = func(string) chan<- *bkclient.SolveStatus {
		ch := make(chan *bkclient.SolveStatus)
		go func() {
			for st := range ch {
				s.mu.Lock()
				for _, v := range st.Vertexes {
					s.last[v.Digest.String()] = v
				}
				s.mu.Unlock()
			}
		}()
		return ch
	}
}

// ran lists the names of the steps that ran in the groups, sorted.
func (s *steps) ran(groups ...string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, v := range s.last {
		if v.Completed != nil && !v.Cached && v.ProgressGroup != nil && slices.Contains(groups, strings.TrimPrefix(v.ProgressGroup.Id, "mlbuild-")) {
			names = append(names, v.Name)
		}
	}
	slices.Sort(names)
	return names
}

// tests reports whether the commands of the testing stage ran. Its other steps make files of nothing, which takes no time and is told as done each time.
func (s *steps) tests() bool {
	return slices.ContainsFunc(s.ran("testing"), func(name string) bool { return strings.HasPrefix(name, "[testing] python") })
}

// test runs the project's tests and returns where the reports are, the steps, and the error.
func (p *project) test(b *builder.Builder, change func(*builder.Request)) (dir string, res *builder.Result, s *steps, err error) {
	p.t.Helper()
	dir, s = p.t.TempDir(), &steps{}
	req := p.request(p.variant("cpu"))
	req.Target, req.Outputs = "testing", []builder.Output{{Type: "local", Dir: dir}}
	s.watch(&req)
	if change != nil {
		change(&req)
	}
	res, err = b.Build(p.t.Context(), req)
	return dir, res, s, err
}

func report(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Error(err)
	}
	return string(data)
}

// TestTestingStage: tests pass and are remembered; a failing run fails the build, brings its reports back and is not remembered; an edit of a test makes
// nothing else again.
func TestTestingStage(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	p, _ := tested(t)
	p.lock(b, "cpu", builder.LockOptions{})
	if _, err := os.Stat(filepath.Join(p.dir, "pylock.cpu_testing.toml")); err != nil {
		t.Fatal(err)
	}

	dir, res, s, err := p.test(b, func(r *builder.Request) { p.pin(b, r) })
	if err != nil {
		t.Fatal(err)
	}
	m := res.Images[0]
	if m.Tests != "passed" || m.Digest != "" || !m.Locked || !slices.Equal(m.Notes, []string{"the tests wrote no report plots"}) {
		t.Errorf("result %+v", m)
	}
	if got := report(t, dir, "junit.xml") + report(t, dir, "coverage.xml"); got != `<testsuite failures="0"/><coverage/>` {
		t.Errorf("reports %s", got)
	}
	if !s.tests() {
		t.Error("no test ran")
	}

	dir, _, s, err = p.test(b, nil)
	if ran := s.ran("wheels", "account", "merged"); err != nil || s.tests() || len(ran) > 0 {
		t.Errorf("again: %v, ran tests %t and %q", err, s.tests(), ran)
	}
	if got := report(t, dir, "junit.xml"); got != `<testsuite failures="0"/>` {
		t.Errorf("again: report %s", got)
	}
	if _, _, s, err = p.test(b, func(r *builder.Request) { r.NoCache = []string{"testing"} }); err != nil || !s.tests() || len(s.ran("wheels", "account")) > 0 {
		t.Errorf("--no-cache=testing: %v, ran tests %t and %q", err, s.tests(), s.ran("wheels", "account"))
	}
	failing(t, p, b)
}

// failing goes on with a test that fails.
func failing(t *testing.T, p *project, b *builder.Builder) {
	t.Helper()
	p.write("tests/test_app.py", passing+"def test_sum():\n    assert 1 + 1 == 3, 'arithmetic'\n")
	for _, when := range []string{"first", "again"} {
		dir, res, s, err := p.test(b, nil)
		f := fault.All(err)
		if len(f) != 1 || f[0].Code != fault.Step || !strings.Contains(f[0].Message, "python -m checker ended with exit code 1:\n") ||
			!strings.Contains(f[0].Message, "tests/test_app.py test_user ok") || !strings.HasSuffix(f[0].Message, "AssertionError: arithmetic") || len(res.Images) != 0 {
			t.Fatalf("%s: %v", when, err)
		}
		if got := report(t, dir, "junit.xml"); got != `<testsuite failures="1"/>` {
			t.Errorf("%s: report %s", when, got)
		}
		if _, err := os.Stat(filepath.Join(dir, "coverage.xml")); err == nil {
			t.Errorf("%s: the second command ran", when)
		}
		if ran := s.ran("wheels", "account"); !s.tests() || len(ran) > 0 {
			t.Errorf("%s: ran tests %t and %q", when, s.tests(), ran)
		}
	}
	p.write("mlbuild.yaml", strings.Replace(report(t, p.dir, "mlbuild.yaml"), "[[python, -m, checker]", "[[pytets]", 1))
	_, _, _, err := p.test(b, nil)
	if f := fault.All(err); len(f) != 1 || !strings.Contains(f[0].Message, "exit code 127:\npytets: No such file or directory") || !strings.Contains(f[0].Hints[0], "testing: {packages") {
		t.Errorf("a program that is not there: %v %q", err, f[0].Hints)
	}
}
