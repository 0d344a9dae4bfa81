package lookup

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// stamped is a lock of one package with mlbuild's table.
func stamped(t *testing.T, tool pylock.Tool, packages ...string) []byte {
	t.Helper()
	data, err := pylock.Stamp([]byte(buildertest.LockText(packages...)), tool)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestAnswers: a lock that differs in anything from what is asked for now is no answer.
func TestAnswers(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", "python: {version: \"3.12\", packages: [rich]}\n")
	fresh := pylock.Tool{Inputs: r.Requires.Inputs, Python: "3.12", Platforms: []string{"linux/amd64"}, Torch: r.Requires.Torch, Pruning: r.Prune.Key()}
	for _, test := range []struct {
		name   string
		change func(*pylock.Tool)
		want   bool
	}{
		{"the same", func(*pylock.Tool) {}, true},
		{"other inputs", func(tool *pylock.Tool) { tool.Inputs = "other" }, false},
		{"of another tool", func(tool *pylock.Tool) { tool.Inputs = "" }, false},
		{"another platform", func(tool *pylock.Tool) { tool.Platforms = []string{"linux/arm64"} }, false},
		{"a platform more", func(tool *pylock.Tool) { tool.Platforms = []string{"linux/amd64", "linux/arm64"} }, false},
		{"other rules of what is left out", func(tool *pylock.Tool) { tool.Pruning = "other" }, false},
	} {
		tool := fresh
		test.change(&tool)
		if got := Answers([]*recipe.Recipe{r}, stamped(t, tool, "rich 1.0")); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
	for name, text := range map[string]string{"no lock": "", "no TOML": "<"} {
		if Answers([]*recipe.Recipe{r}, []byte(text)) {
			t.Errorf("%s is an answer", name)
		}
	}
}

func TestUsableLock(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", "python: {version: \"3.12\", packages: [torch, rich]}\n")
	fresh := pylock.Tool{Inputs: r.Requires.Inputs, Python: "3.12", Platforms: []string{"linux/amd64"}, Torch: r.Requires.Torch}
	old := fresh
	old.Inputs = "other"
	for _, test := range []struct {
		name   string
		change func(*pylock.Tool)
		have   []string
		reason []string // none = the lock is used
	}{
		{"fresh", func(tool *pylock.Tool) { *tool = fresh }, []string{"torch 2.9.1", "rich 1.0"}, nil},
		{"of another tool", func(tool *pylock.Tool) { *tool = pylock.Tool{} }, []string{"rich 1.0"}, nil},
		{"another Python", func(tool *pylock.Tool) { tool.Python = "3.11" }, []string{"torch 2.9.1", "rich 1.0"}, []string{"it is for Python 3.11, the project wants 3.12"}},
		{"another torch", func(tool *pylock.Tool) { tool.Torch = "pytorch-cu126" }, []string{"torch 2.9.1", "rich 1.0"},
			[]string{fmt.Sprintf("torch came from index %q, now from %q", "pytorch-cu126", r.Requires.Torch)}},
		{"a new package", func(*pylock.Tool) {}, []string{"torch 2.9.1"}, []string{"it lacks rich"}},
		{"everything", func(tool *pylock.Tool) { tool.Python = "3.9" }, nil, []string{"it is for Python 3.9, the project wants 3.12", "it lacks rich, torch"}},
		{"a version", func(*pylock.Tool) {}, []string{"torch 2.9.1", "rich 1.0"}, []string{"the requirements changed"}},
		{"another platform", func(tool *pylock.Tool) { *tool = fresh; tool.Platforms = []string{"linux/arm64"} }, []string{"torch 2.9.1", "rich 1.0"},
			[]string{"it is for linux/arm64, not for linux/amd64"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			tool := old
			test.change(&tool)
			text := []byte(buildertest.LockText(test.have...))
			if tool.Inputs != "" {
				text = stamped(t, tool, test.have...)
			}
			var notes []string
			locks := Locks{Note: func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }}
			lock, err := locks.Python([]*recipe.Recipe{r}, text)
			if err != nil {
				t.Fatal(err)
			}
			if used := lock != nil; used != (test.reason == nil) || used != (len(notes) == 0) {
				t.Errorf("used %t, notes %q", used, notes)
			}
			locks.Refuse = true
			_, err = locks.Python([]*recipe.Recipe{r}, text)
			if test.reason == nil {
				if err != nil {
					t.Errorf("refused under --locked: %v", err)
				}
				return
			}
			buildertest.Expect(t, err, fault.LockStale, false, strings.Join(test.reason, "; "), "mlbuild lock --profile cpu")
			if !strings.Contains(notes[0], strings.Join(test.reason, "; ")) || !strings.Contains(notes[0], "pylock.cpu.toml is stale") {
				t.Errorf("the note is %q", notes[0])
			}
		})
	}
}

func TestNoLock(t *testing.T) {
	recipes := []*recipe.Recipe{buildertest.Recipe(t, "cpu", "python: {packages: [rich]}\n")}
	if lock, err := (Locks{}).Python(recipes, nil); lock != nil || err != nil {
		t.Errorf("got %v, %v of no lock", lock, err)
	}
	_, err := Locks{Refuse: true}.Python(recipes, nil)
	buildertest.Expect(t, err, fault.LockStale, false, "profile cpu has no lock, and --locked forbids resolving")
	if at := fault.All(err)[0].At.File; at != "pylock.cpu.toml" {
		t.Errorf("at %q", at)
	}
	_, err = Locks{}.Python(recipes, []byte("lock-version = "))
	buildertest.Expect(t, err, fault.Lock, false)
}

// TestOtherLockHolds: --locked is content with a lock of another tool that holds every package by version and hash, also where they are chosen anew.
func TestOtherLockHolds(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", "python: {packages: [flask]}\n")
	r.Requires.From = "poetry.lock"
	r.Requires.Hashes = []recipe.PinnedHashes{{Name: "flask", Version: "3.1.0"}, {Name: "torch", Version: "2.9.1"}, {Name: "page"}}
	locked := Locks{Refuse: true}
	if lock, err := locked.Python([]*recipe.Recipe{r}, nil); lock != nil || err != nil {
		t.Errorf("poetry.lock alone: %v, %v", lock, err)
	}
	held := []pylock.Wheel{
		{Name: "flask", Version: "3.1.0"}, {Name: "page", Version: "1", Direct: true}, {Name: "own", Path: "wheels/own.whl"},
		{Name: "tool", Source: &pylock.Source{Type: pylock.Git}}, {Name: "common", Source: &pylock.Source{Type: pylock.Directory}},
	}
	if err := locked.held(r, held); err != nil {
		t.Error(err)
	}
	free := append(held, pylock.Wheel{Name: "torch", Version: "2.9.1+cpu"}, pylock.Wheel{Name: "click", Version: "8"})
	buildertest.Expect(t, locked.held(r, free), fault.LockStale, false, "poetry.lock does not hold torch 2.9.1+cpu, click 8, which profile cpu takes", "mlbuild lock --profile cpu")
	if err := (Locks{}).held(r, free); err != nil {
		t.Errorf("without --locked: %v", err)
	}
}
