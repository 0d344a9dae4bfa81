package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/evidence"
	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestAnnotations: faults and notes are repeated as GitHub's commands on stderr, with what would end them early escaped, and nowhere else.
func TestAnnotations(t *testing.T) {
	root := t.TempDir()
	project := filepath.Join(root, "services", "a,b")
	if err := os.MkdirAll(project, 0o755); err != nil {
		t.Fatal(err)
	}
	at := fault.Position{File: "mlbuild.yaml", Line: 3, Column: 5}
	faults := fault.List{
		fault.New(fault.Spec, "100%% of it: a, b\r\nsecond line").In(at).Hint("did you mean %q?", "command"),
		fault.New(fault.Step, "no place"),
		fault.New(fault.Lock, "elsewhere").In(fault.Position{File: "/nowhere/pylock.toml"}),
	}
	result := &builder.Result{Images: []builder.Image{{Profile: "cpu", Notes: []string{"no report"}}}}
	e, stdout, stderr := testEnv("GITHUB_ACTIONS=true", "GITHUB_WORKSPACE="+root)
	e.annotate(project, faults)
	e.annotateNotes([]string{"cpu: no report", "python 3.11\nis assumed"}, result)
	want := strings.Join([]string{
		`::error file=services/a%2Cb/mlbuild.yaml,line=3,col=5,title=E-SPEC::100%25 of it: a, b%0D%0Asecond line%0Ahint: did you mean "command"?`,
		`::error title=E-STEP::no place`,
		`::error file=/nowhere/pylock.toml,title=E-LOCK::elsewhere`,
		`::warning title=mlbuild::cpu: no report`,
		`::notice title=mlbuild::python 3.11%0Ais assumed`, "",
	}, "\n")
	if diff := cmp.Diff(want, stderr.String()); diff != "" || stdout.Len() > 0 {
		t.Errorf("%s\non stdout: %q", diff, stdout)
	}
	if at != faults[0].At {
		t.Error("the fault itself has another place now")
	}

	for _, variables := range [][]string{nil, {"GITLAB_CI=true", "CI_PROJECT_DIR=" + root}, {"GITHUB_ACTIONS=false"}} {
		e, _, stderr := testEnv(variables...)
		e.annotate(project, faults)
		e.annotateNotes([]string{"a"}, result)
		if stderr.Len() > 0 {
			t.Errorf("with %q: %s", variables, stderr)
		}
	}
}

// TestLinkedRepository: the directory of the repository may be named by a link.
func TestLinkedRepository(t *testing.T) {
	root := t.TempDir()
	real := filepath.Join(root, "real", "project")
	if err := os.MkdirAll(real, 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(root, "link")
	if err := os.Symlink(filepath.Join(root, "real"), link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ root, dir, file, want string }{
		{link, real, "mlbuild.yaml", "project/mlbuild.yaml"}, {link, filepath.Join(link, "project"), "app/main.py", "project/app/main.py"},
		{real, real, "../pyproject.toml", "../pyproject.toml"}, {filepath.Join(root, "real"), real, "../pyproject.toml", "pyproject.toml"},
	} {
		if got := pathBelow(c.root, c.dir, c.file); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// TestStepsCommandNothing: what a step has printed is no command to GitHub when a fault or a note repeats it.
func TestStepsCommandNothing(t *testing.T) {
	f := fault.New(fault.Step, "a step failed:\n::add-mask::a\n  ::stop-commands::b\nc ##[error]d")
	e, _, stderr := testEnv("GITHUB_ACTIONS=true")
	printFaults(e, fault.List{f})
	e.note("%s", "the step says\n::error::e")
	want := "error[E-STEP]: a step failed:\n> ::add-mask::a\n>   ::stop-commands::b\nc ## [error]d\nnote: the step says\n> ::error::e\n"
	if diff := cmp.Diff(want, stderr.String()); diff != "" {
		t.Error(diff)
	}
	e, _, stderr = testEnv()
	printFaults(e, fault.List{f})
	if want := "error[E-STEP]: " + f.Message + "\n"; stderr.String() != want {
		t.Errorf("elsewhere: %q", stderr)
	}
}

// builtAndNot is a run in which one profile was pushed and another one failed.
func builtAndNot() *builder.Result {
	m := someImage()
	m.Checks = []evidence.Check{
		{Name: evidence.Project, Platform: "linux/amd64", State: evidence.Passed}, {Name: evidence.Packages, Platform: "linux/amd64", State: evidence.Passed, Seconds: 3.44, GPU: evidence.NoGPU},
		{Name: evidence.Service, Platform: "linux/amd64", State: evidence.Reused},
	}
	m.Plan = &layerplan.Plan{Layers: []layerplan.Layer{
		{Kind: layerplan.KindSkeleton, Name: "the environment"}, {Kind: layerplan.KindWheels, Name: "torch_x 2.9 | a <b>", Size: 900_000_000}, {Kind: layerplan.KindWheels, Name: "numpy", Size: 16_000_000},
	}}
	m.LayerSizes = []int64{1000, 850_000_000}
	return &builder.Result{Images: []builder.Image{m}, Unpublished: []builder.Unpublished{{
		Profile: "cpu", Platforms: []string{"linux/amd64"}, Checks: []evidence.Check{{Name: evidence.Packages, State: evidence.Failed}, {Name: evidence.Service, State: evidence.NotRun}},
	}}}
}

func TestStepSummary(t *testing.T) {
	f := fault.New(fault.Spec, "it printed\n```\n| <b>").In(fault.Position{File: "a_b.yaml", Line: 3}).Hint("one")
	const want = "### mlbuild\n\n" +
		"| profile | platforms | image | size | layers | checks | time |\n|---|---|---|--:|---|---|--:|\n" +
		"| gpu | linux/amd64 | r.example/a:1-gpu@sha256:aa | 3.21 GB | 1 new, 41 reused, 17.3 MB pushed | packages 3.4s, service \\(passed before\\) | 8.1s |\n" +
		"| cpu | linux/amd64 | not published |  |  | packages failed |  |\n" +
		"\n#### The largest layers of gpu\n\n| layer | kind | size |\n|---|---|--:|\n" +
		"| torch\\_x 2.9 \\| a &lt;b\\> | wheels | 850.0 MB |\n| numpy | wheels | about 16.0 MB |\n| the environment | skeleton | 1.0 kB |\n" +
		"\n### Faults\n\n**E-SPEC** a\\_b.yaml:3\n\n````\nit printed\n```\n| <b>\nhint: one\n````\n\n"
	if diff := cmp.Diff(want, summary(builtAndNot(), fault.List{f})); diff != "" {
		t.Error(diff)
	}
	if got := summary(&builder.Result{}, nil); got != "" {
		t.Errorf("nothing was built and nothing failed: %q", got)
	}
	long := fault.New(fault.Step, "%s", strings.Repeat("ü", maxSummaryOf))
	if got := summary(&builder.Result{}, fault.List{long}); len(got) > maxSummaryOf+100 || !strings.Contains(got, "ü …\n```\n") {
		t.Errorf("a long message has %d bytes", len(got))
	}
}

// TestStepSummaryFile: a summary is appended, only in GitHub Actions, and never over GitHub's limit.
func TestStepSummaryFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "summary.md")
	result, rest := builtAndNot(), fault.List{fault.New(fault.Ref, "bad")}
	read := func() string {
		data, _ := os.ReadFile(path) //nolint:errcheck // none is empty
		return string(data)
	}
	e, _, _ := testEnv("GITHUB_STEP_SUMMARY=" + path)
	if e.summarize(result, rest); read() != "" {
		t.Error("there is a summary outside of GitHub Actions")
	}
	e, _, stderr := testEnv("GITHUB_ACTIONS=true", "GITHUB_STEP_SUMMARY="+path)
	e.summarize(result, rest)
	once := read()
	if e.summarize(result, rest); once == "" || read() != once+once {
		t.Errorf("a second one is not appended: %q", read())
	}
	if err := os.WriteFile(path, []byte(strings.Repeat("x\n", maxSummary/2-50)), 0o600); err != nil {
		t.Fatal(err)
	}
	e.summarize(result, rest)
	if got := read(); len(got) > maxSummary || !strings.HasSuffix(got, "x\n### mlbuild\n\n| profile | platforms | image | size | layers | checks | time |\n") || stderr.Len() > 0 {
		t.Errorf("%d bytes, the end is %q; %s", len(got), got[len(got)-100:], stderr)
	}
	e, _, stderr = testEnv("GITHUB_ACTIONS=true", "GITHUB_STEP_SUMMARY="+filepath.Dir(path))
	if e.summarize(result, rest); !strings.HasPrefix(stderr.String(), "note: the summary of the step cannot be written: ") {
		t.Errorf("a directory: %q", stderr)
	}
}

func TestChecksInWords(t *testing.T) {
	check := func(name evidence.Name, platform string, state evidence.State, seconds float64) evidence.Check {
		return evidence.Check{Name: name, Platform: platform, State: state, Seconds: seconds}
	}
	project := check(evidence.Project, "a", evidence.Passed, 0)
	for _, c := range []struct {
		checks []evidence.Check
		want   string
	}{
		{nil, ""},
		{[]evidence.Check{project, check(evidence.Packages, "a", evidence.Passed, 3.44), check(evidence.Service, "a", evidence.Passed, 2.1)}, "packages 3.4s, service 2.1s"},
		{[]evidence.Check{project, check(evidence.Packages, "a", evidence.Reused, 0), check(evidence.Service, "a", evidence.Reused, 0)}, "packages, service (passed before)"},
		{[]evidence.Check{project, check(evidence.Packages, "a", evidence.Reused, 0), check(evidence.Service, "a", evidence.Passed, 2.1)}, "service 2.1s, packages (passed before)"},
		{[]evidence.Check{check(evidence.Packages, "a", evidence.Off, 0), check(evidence.Service, "a", evidence.Off, 0)}, "none (--checks=none)"},
		{[]evidence.Check{project, check(evidence.Packages, "a", evidence.None, 0)}, "the project's files; nothing is run"},
		{[]evidence.Check{check(evidence.Packages, "a", evidence.Passed, 1), check(evidence.Packages, "b", evidence.Failed, 1)}, "packages on a 1.0s, packages on b failed"},
	} {
		if got := checksText(c.checks); got != c.want {
			t.Errorf("%+v: %q, want %q", c.checks, got, c.want)
		}
	}
}

// TestChecksInSummary: the text result has a line for the checks, and says of an image for CUDA that no GPU was there.
func TestChecksInSummary(t *testing.T) {
	e, stdout, _ := testEnv()
	printImage(e.stdout, builtAndNot().Images[0], &outputs{writers: newWriters(e, nil)})
	for _, want := range []string{"\n  checks packages 3.4s, service (passed before)\n", "\n  gpu    not checked: the daemon has no GPU\n"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("%s lacks %q", stdout, want)
		}
	}
}

// TestSuitesOfARun: every profile has its suites, and faults that are of none of them one of their own, whatever the repository calls their files.
func TestSuitesOfARun(t *testing.T) {
	result := builtAndNot()
	own, other := fault.New(fault.Step, "own").In(fault.Position{File: "main.py", Line: 1}), fault.New(fault.Output, "other")
	result.Unpublished[0].Faults = fault.List{own}
	moved := *own
	moved.At.File = "service/main.py"
	got := suites(result, fault.List{&moved, other})
	if len(got) != 3 || got[0].Name != "gpu linux/amd64" || len(got[1].Faults) != 1 || got[1].Faults[0].At.File != "service/main.py" || got[2].Name != "project" || len(got[2].Faults) != 1 {
		t.Errorf("%+v", got)
	}
}
