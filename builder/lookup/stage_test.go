package lookup

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
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
			gw := &buildertest.Gateway{OnLookup: buildertest.AnImage, OnSolve: func(def string) (map[string]string, error) {
				if !isInspection(def) && strings.Contains(def, "--constraints\nkeep.txt") && strings.Contains(def, "numpy==2.2.1\n") {
					asked = "asked "
				}
				return buildertest.Resolved("", "numpy 2.2.1", "pytest 9.0"), nil
			}}
			lock := parsed(t, "pylock.cpu.toml", buildertest.LockText("numpy 2.2.1"))
			runtime, err := Choose(r, lock, "2.36", Contents{})
			if err != nil {
				t.Fatal(err)
			}
			locks := Locks{Refuse: c.locked, Note: func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }}
			stage, err := Stage{UV: UV{Daemon: asking(t, gw)}, Locks: locks, Name: recipe.StageTesting, Lock: c.lock}.Find(t.Context(), r, Base{Glibc: "2.36"}, runtime, lock)
			if err != nil {
				buildertest.Expect(t, err, fault.LockStale, false, c.want, "mlbuild lock --profile cpu")
				return
			}
			if got := asked + names(stage.Wheels); got != c.want || stage.Chosen != (asked != "") || names(runtime.Wheels) != "numpy 2.2.1" {
				t.Errorf("%s, chosen now %t, runtime %s", got, stage.Chosen, names(runtime.Wheels))
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
	if got, want := Constraints(lock), "torch==2.9.1+cpu\nnumpy==1.26.4 ; python_version < '3.12'\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What a stage cannot have beside the runtime's versions is told with where they come from.
func TestStageHint(t *testing.T) {
	lock := &pylock.Lock{Name: "pylock.cpu.toml"}
	err := StageHint(fault.New(fault.Resolve, "no solution"), "testing", lock)
	buildertest.Expect(t, err, fault.Resolve, false, "the stage testing takes the runtime's packages in the versions of pylock.cpu.toml")
	if other := errors.New("x"); StageHint(other, "testing", lock).Error() != "x" {
		t.Error("another error has changed")
	}
}
