package lookup

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// questions is a daemon that notes what it is asked, and answers it.
type questions struct {
	buildertest.Gateway
	asked []string
}

func newQuestions() *questions {
	q := &questions{}
	q.OnLookup = func(op *pb.SourceOp) (*sourceresolver.MetaResponse, error) {
		q.asked = append(q.asked, strings.TrimPrefix(op.Identifier, "docker-image://docker.io/library/"))
		return buildertest.AnImage(op)
	}
	q.OnSolve = func(def string) (map[string]string, error) {
		switch {
		case strings.Contains(def, query.SystemHandling):
			q.asked = append(q.asked, "scripts")
			return map[string]string{query.SystemHandling: `[{"package": "libgomp1", "way": "files"}]`}, nil
		case strings.Contains(def, query.SystemAnswer):
			q.asked = append(q.asked, "apt")
			return buildertest.AptAnswer("", "libgomp1 1"), nil
		case isInspection(def):
			q.asked = append(q.asked, "inspection")
		case strings.Contains(def, "pytest"):
			q.asked = append(q.asked, "uv for the stage")
			return buildertest.Resolved("", "numpy 2.2.1", "pytest 9.0"), nil
		default:
			q.asked = append(q.asked, "uv")
		}
		return buildertest.Resolved("", "numpy 2.2.1"), nil
	}
	return q
}

// askerOf asks without any lock.
func askerOf(t *testing.T, q *questions, target recipe.Stage) Asker {
	t.Helper()
	d := asking(t, q)
	uv := UV{Daemon: d}
	return Asker{
		Target: target, Bases: Bases{Daemon: d}, System: aptOf(t, q, nil), UV: uv, Stage: Stage{UV: uv, Name: target, Locks: Locks{Note: func(string, ...any) {}}},
		Models: Models{Daemon: d, Target: target}, Sources: Sources{Daemon: d, Platforms: []string{"linux/amd64"}},
	}
}

// Each stage asks its questions in this order, and no others. The tool of a model that is unpacked is looked up for every stage.
func TestQuestionsOfAStage(t *testing.T) {
	const yaml = "python: {packages: [numpy]}\nsystem: {runtime: [libgomp1]}\nmodels: [{name: m, url: \"https://models.example/m.tar\", unpack: true}]\n" +
		"testing: {packages: [pytest], copy: [main.py], command: [pytest]}\n"
	runtime := []string{"python:3.11-slim", "apt", "scripts", "python:3-slim", "uv", "inspection"}
	for _, test := range []struct {
		target recipe.Stage
		want   []string
	}{
		{"", append(runtime[:6:6], "python:3-slim")},
		{recipe.StageRuntime, append(runtime[:6:6], "python:3-slim")},
		{recipe.StageTesting, append(runtime[:6:6], "python:3-slim", "uv for the stage", "inspection", "python:3-slim")},
		{recipe.StageBase, []string{"python:3.11-slim", "python:3-slim"}},
		{recipe.StageBuilder, []string{"python:3.11-slim", "python:3-slim"}},
		{recipe.StageModels, []string{"python:3-slim"}},
	} {
		t.Run(string(test.target), func(t *testing.T) {
			q := newQuestions()
			found, err := askerOf(t, q, test.target).Find(t.Context(), buildertest.Recipe(t, "cpu", yaml), nil)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(test.want, q.asked); d != "" {
				t.Errorf("questions (-want +got):\n%s", d)
			}
			if found.Locked {
				t.Error("without a lock the packages are said to be locked")
			}
		})
	}
}

// TestNoPackagesNoQuestion: a project that asks for no package needs no tool image and no resolver.
func TestNoPackagesNoQuestion(t *testing.T) {
	for yaml, want := range map[string][]string{
		"python: {requirements: []}\n":                                                                    {"python:3.11-slim"},
		"python: {requirements: []}\nsystem: {runtime: [libgomp1]}\n":                                     {"python:3.11-slim", "apt", "scripts"},
		"python: {requirements: []}\ntesting: {packages: [pytest], copy: [main.py], command: [pytest]}\n": {"python:3.11-slim"},
		"python: {requirements: [], packages: [numpy]}\n":                                                 {"python:3.11-slim", "python:3-slim", "uv", "inspection"},
	} {
		q := newQuestions()
		found, err := askerOf(t, q, "").Find(t.Context(), buildertest.Recipe(t, "cpu", yaml), nil)
		if err != nil {
			t.Fatalf("%s: %v", yaml, err)
		}
		if d := cmp.Diff(want, q.asked); d != "" || found.Locked {
			t.Errorf("%s: locked %t, questions (-want +got):\n%s", yaml, found.Locked, d)
		}
	}
}

// What was found prints, and is what the graph is made from; the recipe stays as it was.
func TestFound(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", "python: {packages: [numpy]}\nsystem: {runtime: [libgomp1]}\n")
	before, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	q := newQuestions()
	found, err := askerOf(t, q, "").Find(t.Context(), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := `recipe   cpu for linux/amd64
base     docker.io/library/python:3.11-slim@sha256:6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d, glibc "2.36", Python "/usr/local/bin/python3.11"
system   1 packages, chosen now: true
wheels   1, 0 in the base already, 0 of the stage alone, locked: false, CUDA ""
note     the system packages were chosen now; "mlbuild lock" pins them
`
	if d := cmp.Diff(want, found.String()); d != "" {
		t.Errorf("it prints (-want +got):\n%s", d)
	}
	in := found.Inputs()
	if in.Base.Ref != found.Base.Image.Ref || in.Interpreter != "/usr/local/bin/python3.11" || names(in.Wheels) != "numpy 2.2.1" || in.System != found.System.List {
		t.Errorf("the graph is made from %+v", in)
	}
	after, err := json.Marshal(r)
	if d := cmp.Diff(string(before), string(after)); d != "" || err != nil {
		t.Errorf("%v, the recipe has changed (-before +after):\n%s", err, d)
	}
}
