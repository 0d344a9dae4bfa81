package builder

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/builder/publish"
	"github.com/mlbuild/mlbuild/builder/session"
	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
)

const stageYAML = "python: {packages: [numpy]}\ntesting: {packages: [pytest], copy: [main.py], command: [pytest], reports: [junit.xml]}\n"

func parsed(t *testing.T, name, text string) *pylock.Lock {
	t.Helper()
	l, err := pylock.Parse(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func names(wheels []pylock.Wheel) string {
	var all []string
	for _, w := range wheels {
		all = append(all, w.Name+" "+w.Version)
	}
	return strings.Join(all, ", ")
}

// A stage's wheels come from its lock, or from uv with the runtime's versions as constraints; those of the runtime are left out.
func TestStageWheels(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", stageYAML)
	stamped := func(packages ...string) []byte {
		text, err := pylock.Stamp([]byte(buildertest.LockText(packages...)), pylock.Tool{Inputs: r.Testing.Requires.Inputs, Python: "3.11", Platforms: []string{"linux/amd64"}, Torch: r.Requires.Torch})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for _, c := range []struct {
		name   string
		lock   []byte
		locked bool
		want   string // "asked" where uv is, then the wheels; else the fault's words
		note   string
	}{
		{"from its lock", stamped("numpy 2.2.1", "pluggy 1.0", "pytest 8.0"), true, "pluggy 1.0, pytest 8.0", ""},
		{"no lock", nil, false, "asked pytest 9.0", ""},
		{"no lock under --locked", nil, true, "has no lock", ""},
		{"the runtime moved on", stamped("numpy 2.0.0", "pytest 8.0"), false, "asked pytest 9.0", "numpy is 2.2.1 in the runtime and 2.0.0 in the stage"},
		{"the runtime moved on under --locked", stamped("numpy 2.0.0", "pytest 8.0"), true, "numpy is 2.2.1 in the runtime and 2.0.0 in the stage", ""},
		{"the runtime has more", stamped("pytest 8.0"), true, "it lacks numpy", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var notes []string
			asked := ""
			v := variantOf(r)
			v.StageLocks = map[string][]byte{"testing": c.lock}
			b := running(t, Request{Target: "testing", Locked: c.locked, Variants: []Variant{v},
				Note: func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }})
			gw := &buildertest.Gateway{OnLookup: buildertest.AnImage, OnSolve: func(def string) (map[string]string, error) {
				if !isInspection(def) && strings.Contains(def, "--constraints\nkeep.txt") && strings.Contains(def, "numpy==2.2.1\n") {
					asked = "asked "
				}
				return buildertest.Resolved("", "numpy 2.2.1", "pytest 9.0"), nil
			}}
			runtime := found{recipe: r, locked: true}
			lock := parsed(t, "pylock.cpu.toml", buildertest.LockText("numpy 2.2.1"))
			if err := runtime.choose(lock, "2.36"); err != nil {
				t.Fatal(err)
			}
			err := b.stageWheels(t.Context(), gw, &runtime, lock, "2.36")
			if err != nil {
				buildertest.Expect(t, err, fault.LockStale, false, c.want, "mlbuild lock --profile cpu")
				return
			}
			if got := asked + names(runtime.extra); got != c.want || runtime.locked != (asked == "") || names(runtime.wheels) != "numpy 2.2.1" {
				t.Errorf("%s, locked %t, runtime %s", got, runtime.locked, names(runtime.wheels))
			}
			if all := strings.Join(notes, "\n"); !strings.Contains(all, c.note) || (c.note == "") != (all == "") {
				t.Errorf("notes %q", all)
			}
		})
	}
}

// The versions of a lock are constraints, each under its marker; what is required by URL holds itself.
func TestConstraints(t *testing.T) {
	lock := parsed(t, "pylock.cpu.toml", buildertest.LockText("torch 2.9.1+cpu")+`
[[packages]]
name = "direct"
version = "1"
archive = { url = "https://files.example/direct-1-py3-none-any.whl", hashes = { sha256 = "`+buildertest.Zeros+`" } }

[[packages]]
name = "numpy"
version = "1.26.4"
marker = "python_version < '3.12'"
wheels = [{ url = "https://files.example/numpy-1.26.4-py3-none-any.whl", hashes = { sha256 = "`+buildertest.Zeros+`" } }]
`)
	if got, want := constraints(lock), "torch==2.9.1+cpu\nnumpy==1.26.4 ; python_version < '3.12'\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What a stage cannot have beside the runtime's versions is told with where they come from.
func TestStageHint(t *testing.T) {
	lock := &pylock.Lock{Name: "pylock.cpu.toml"}
	err := stageHint(fault.New(fault.Resolve, "no solution"), "testing", lock)
	buildertest.Expect(t, err, fault.Resolve, false, "the stage testing takes the runtime's packages in the versions of pylock.cpu.toml")
	if other := errors.New("x"); stageHint(other, "testing", lock).Error() != "x" {
		t.Error("another error has changed")
	}
}

// testRuns answers each test run in turn and tells how often it was asked to run without the cache.
type testRuns struct {
	buildertest.Gateway
	answers []string // JSON of llb.Tested
	again   int
}

func (s *testRuns) solveTests(_ string) (map[string]string, error) {
	answer := s.answers[0]
	s.answers = s.answers[1:]
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	data := []byte("<testsuite/>")
	_ = w.WriteHeader(&tar.Header{Name: "junit.xml", Typeflag: tar.TypeReg, Size: int64(len(data)), Mode: 0o644})
	_, _ = w.Write(data)
	_ = w.Close()
	return map[string]string{llb.TestEnd: answer, llb.TestReports: archive.String()}, nil
}

func ignores(def *pb.Definition) bool {
	for _, m := range def.Metadata {
		if m.IgnoreCache {
			return true
		}
	}
	return false
}

// A failure that the daemon remembers is tried again, one of this run is not; a pass is believed. Reports come back in all cases.
func TestRemembered(t *testing.T) {
	const mine, old = `"run":"this"`, `"run":"another"`
	for _, c := range []struct {
		name    string
		answers []string
		fails   string
		again   bool
	}{
		{"passes", []string{`{` + mine + `,"exit":0,"missing":["cov"]}`}, "", false},
		{"has passed", []string{`{` + old + `,"exit":0}`}, "", false},
		{"fails", []string{`{` + mine + `,"exit":1,"command":["pytest"],"output":"1 failed"}`}, "pytest ended with exit code 1:\n1 failed", false},
		{"has failed and passes", []string{`{` + old + `,"exit":1}`, `{` + mine + `,"exit":0}`}, "", true},
		{"has failed and fails", []string{`{` + old + `,"exit":1}`, `{` + mine + `,"exit":5,"command":["python","-m","pytest"],"output":""}`}, "pytest found no tests", true},
		{"no program", []string{`{` + mine + `,"exit":127,"command":["pytest"],"output":"pytest: No such file"}`}, "testing: {packages", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			runs := &testRuns{answers: c.answers}
			runs.OnSolve = runs.solveTests
			dir := t.TempDir()
			r := buildertest.Recipe(t, "cpu", stageYAML)
			outputs := []Output{{Type: publish.Local, Dir: filepath.Join(dir, "{profile}")}}
			m := &imageBuild{build: running(t, Request{Target: "testing", Outputs: outputs}), v: variantOf(r), publish: publish.Publisher{Options: publish.Options{Outputs: outputs}}}
			m.store = session.Store{llb.RunSecret: []byte("this")}
			in := llb.Inputs{Base: ops.Base{Ref: "docker.io/library/python@sha256:" + buildertest.Zeros}, Worker: m.worker, Helpers: m.helpers, Target: "testing"}
			g, err := llb.Compile(r, in)
			if err != nil {
				t.Fatal(err)
			}
			all := made{platforms: []platformBuild{{found: found{recipe: r}, inputs: in, graph: g}}}
			all.Remote = &publish.RemoteState{}
			notes, err := m.test(t.Context(), counted{runs}, all)
			if c.fails != "" {
				buildertest.Expect(t, err, fault.Step, false, c.fails, "the tests of profile cpu on linux/amd64 failed")
			} else if image := imageOf(m.v, made{platforms: all.platforms, tested: true, notes: append(notes, notes...)}); err != nil || image.Tests != "passed" || !slices.Equal(image.Notes, notes) {
				t.Errorf("%v, %+v", err, image)
			}
			if (runs.again == 1) != c.again || len(runs.answers) != 0 {
				t.Errorf("asked %d times to run again; answers left: %q", runs.again, runs.answers)
			}
			if data, _ := os.ReadFile(filepath.Join(dir, "cpu", "junit.xml")); string(data) != "<testsuite/>" {
				t.Errorf("report %q", data)
			}
			if c.name == "passes" && !slices.Equal(notes, []string{"the tests wrote no report cov"}) {
				t.Errorf("notes %q", notes)
			}
		})
	}
}

// counted notices definitions that ignore the cache.
type counted struct{ *testRuns }

func (c counted) Solve(ctx context.Context, req gateway.SolveRequest) (*gateway.Result, error) {
	if ignores(req.Definition) {
		c.again++
	}
	return c.testRuns.Solve(ctx, req)
}
