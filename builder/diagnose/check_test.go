package diagnose

import (
	"errors"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestCheckFaults holds what is said of each kind of fault, and that it names a cure.
func TestCheckFaults(t *testing.T) {
	for _, c := range []struct {
		name  string
		wrong []check.Fault
		says  string
		hint  string
	}{
		{"a library of an import", []check.Fault{{Kind: check.Import, Package: "lightgbm", Module: "lightgbm", Library: "libgomp.so.1"}},
			"lightgbm cannot be imported, because the image has no libgomp.so.1", "checks: {lacking: [libgomp.so.1]}"},
		{"several of one package", []check.Fault{
			{Kind: check.Import, Package: "opencv-python", Module: "cv2", Library: "libxcb.so.1"},
			{Kind: check.Library, Package: "opencv-python", File: "/opt/venv/lib/python3.11/site-packages/cv2/cv2.abi3.so", Library: "libGL.so.1"},
		}, "cv2 of opencv-python cannot be imported, because the image has no libxcb.so.1, libGL.so.1", "opencv-python-headless is the same without windows"},
		{"a library alone", []check.Fault{{Kind: check.Library, Package: "soundfile", File: "/opt/venv/lib/_x.so", Library: "libsndfile.so.1"}}, "_x.so of soundfile cannot be loaded, because the image has no libsndfile.so.1", "system: {runtime: ["},
		{"a module of nobody", []check.Fault{{Kind: check.Import, Package: "a", Module: "a", Text: "ModuleNotFoundError: No module named 'six'"}}, "a cannot be imported: ModuleNotFoundError", "it needs six and does not require it"},
		{"what a file imports", []check.Fault{{Kind: check.NoModule, Module: "requests", File: "main.py", Line: 3}}, "main.py imports requests, and no package of the image has it", "name the package that has requests"},
		{"a program", []check.Fault{{Kind: check.NoProgram, Program: "uvicorn", For: "command"}}, "its command is uvicorn, and there is no such program", "correct app.command"},
		{"another build", []check.Fault{{Kind: check.Promise, Package: "torch", There: "cpu", Want: "CUDA 12.6"}}, "torch is a build for cpu, and the profile promises CUDA 12.6", "mlbuild lock"},
		{"not installed", []check.Fault{{Kind: check.Missing, Package: "idna"}}, "idna is not installed", "mlbuild plan"},
		{"in conflict", []check.Fault{{Kind: check.Conflict, Package: "a", Requires: "b>=2", There: "b 1.0"}}, "a requires b>=2, and b 1.0 is installed", "mlbuild lock"},
		{"what is required is not there", []check.Fault{{Kind: check.Conflict, Package: "a", Requires: "b>=2"}}, "a requires b>=2, which is not installed", "python: {no-deps: [a]}"},
		{"too long", []check.Fault{{Kind: check.Resources, Text: "the import of a had not ended after 600 s"}}, "had not ended", "checks: {timeout: 20m"},
		{"a service", []check.Fault{{Kind: check.Service, Text: "it never became healthy", Output: "one\ntwo", Hints: []string{"start: 5m"}}}, "it never became healthy:\none\ntwo", "start: 5m"},
	} {
		faults := CheckFaults(c.wrong, Checked{Profile: "cpu", Suite: "bookworm"})
		if len(faults) != 1 {
			t.Errorf("%s: %d faults, want 1: %v", c.name, len(faults), faults)
			continue
		}
		f := faults[0]
		if f.Code != check.Code || !strings.Contains(f.Message, "the image of profile cpu does not work: ") || !strings.Contains(f.Message, c.says) {
			t.Errorf("%s: %v", c.name, f)
		}
		if !strings.Contains(strings.Join(f.Hints, "\n"), c.hint) {
			t.Errorf("%s: hints %q, want %q", c.name, f.Hints, c.hint)
		}
	}
}

// TestCheckFaultsAreThoseOfChecks: the same line of another step's is its own words.
func TestCheckFaultsAreThoseOfChecks(t *testing.T) {
	report := check.Report{Faults: []check.Fault{{Kind: check.NoModule, Module: "requests", File: "main.py", Line: 3}}}
	b := Build{Profile: "cpu"}
	err := b.checkFaults(ops.Step{Kind: ops.StepCheck}, "said before\n"+report.Line()+"\n", errors.New("exit code: 1"))
	if all := fault.All(err); len(all) != 1 || all[0].At.File != "main.py" || all[0].At.Line != 3 {
		t.Errorf("%v", err)
	}
	if err := b.checkFaults(ops.Step{Kind: ops.StepOwn}, report.Line(), errors.New("exit code: 1")); err != nil {
		t.Errorf("of another step: %v", err)
	}
	if err := b.checkFaults(ops.Step{Kind: ops.StepCheck}, "exec format error", errors.New("exit code: 1")); err != nil {
		t.Errorf("of a check that broke: %v", err)
	}
}

// TestCheckFaultsOfImages: of an image that no project is known of messages name it, and what to do are the flags of mlbuild verify.
func TestCheckFaultsOfImages(t *testing.T) {
	for _, c := range []struct {
		wrong check.Fault
		says  string
		hints []string
	}{
		{check.Fault{Kind: check.Import, Package: "cv2", Module: "cv2", Library: "libgomp.so.1"}, "cv2 cannot be imported, because the image has no libgomp.so.1",
			[]string{"apt-get install libgomp1", "--lacking libgomp.so.1"}},
		{check.Fault{Kind: check.Library, Package: "a", File: "/a.so", Library: "libunknown.so.9"}, "a.so of a cannot be loaded", []string{"the package of the image's distribution that has libunknown.so.9"}},
		{check.Fault{Kind: check.Import, Package: "a", Module: "a.b", Text: "ModuleNotFoundError: No module named 'six'"}, "a.b of a cannot be imported", []string{"it needs six", "--skip a.b"}},
		{check.Fault{Kind: check.Conflict, Package: "a", Requires: "b>=2", There: "b 1.0"}, "a requires b>=2", []string{"pip check"}},
		{check.Fault{Kind: check.NoProgram, Program: "./serve", For: "command"}, "its command is ./serve", []string{"--checks=deps"}},
		{check.Fault{Kind: check.Resources, Text: "too long"}, "too long", []string{"--timeout 20m"}},
	} {
		faults := CheckFaults([]check.Fault{c.wrong}, Checked{Image: "docker.io/library/a:1", Suite: "bookworm"})
		if len(faults) != 1 || !strings.HasPrefix(faults[0].Message, "the image docker.io/library/a:1 does not work: "+c.says) {
			t.Errorf("%v", faults)
			continue
		}
		all := strings.Join(faults[0].Hints, "\n")
		for _, h := range c.hints {
			if !strings.Contains(all, h) {
				t.Errorf("hints %q, want %q", all, h)
			}
		}
		if strings.Contains(all, "checks: {") || strings.Contains(all, "mlbuild lock") {
			t.Errorf("hints of a project: %q", all)
		}
	}
	b := Build{Image: "docker.io/library/a:1", Logs: NewWatcher(nil)}
	err := b.Explain(errors.New("failed to solve: unable to find user web: no matching entries in passwd file"))
	if !fault.Is(err, check.Code) || !strings.Contains(err.Error(), "its user is web, which its /etc/passwd does not have") {
		t.Error(err)
	}
	if err := b.Explain(errors.New("unheard of")); !strings.Contains(err.Error(), "build of image docker.io/library/a:1") {
		t.Error(err)
	}
}
