package wheel_test

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
)

func TestPruningRemoves(t *testing.T) {
	p := wheel.Pruning{
		Rules: [][]string{{"**/tests/**", "**/test/**", "!django/test/**"}, {"**/*.a"}, {"share/man/**"}, {"x/?[0-9].txt", "deep/**/leaf/*.h"}},
		Keep:  []string{"pandas/tests/keep.py", "kept/**"},
	}
	for name, want := range map[string]int{
		"numpy/tests/test_x.py": 0, "numpy/core/tests/data/a.bin": 0, "tests/x.py": 0, "a/test/b.py": 0, "a/testing/b.py": -1, "a/tests": -1, "a/my_tests/b.py": -1,
		"django/test/client.py": -1, "django/contrib/tests/x.py": 0, "django/test/tests/lib.a": 1, "a/lib.a": 1, "lib.a": 1, "a/lib.ab": -1,
		"share/man/man1/x.1": 2, "share/manual": -1, "x/share/man/y": -1, "x/a1.txt": 3, "x/ab.txt": -1, "x/y/a1.txt": -1,
		"deep/leaf/a.h": 3, "deep/a/b/leaf/a.h": 3, "deep/a/leaf/b/a.h": -1, "pandas/tests/keep.py": -1, "pandas/tests/go.py": 0, "kept/tests/x.a": -1,
		"tests-1.0.dist-info/licenses/tests/x.a": -1,
	} {
		if got := p.Removes(name); got != want {
			t.Errorf("%s: rule %d, want %d", name, got, want)
		}
	}
	if got := (wheel.Pruning{Keep: []string{"a"}}).Removes("tests/x"); got != -1 {
		t.Errorf("without rules: %d", got)
	}
}

// TestPruned: the files are gone, their rows of RECORD too, and everything else is as it was.
func TestPruned(t *testing.T) {
	demo := demo(t, map[string]string{
		"demo/__init__.py": "", "demo/tests/test_a.py": "assert 1\n", "demo/tests/data/x.bin": strings.Repeat("x", 5000), "demo/lib.a": "!<arch>\n", "demo/tests/keep.py": "k\n",
		"{data}/data/share/man/man1/demo.1": ".TH\n", "{data}/scripts/run": "#!python\n", "{info}/licenses/tests/LICENSE": "free\n",
	})
	full, _ := install(t, demo, options)
	o := options
	o.Prune = wheel.Pruning{Rules: [][]string{{"**/tests/**"}, {"**/*.a", "share/man/**"}}, Keep: []string{"demo/tests/keep.py"}}
	pruned, done := install(t, demo, o)
	before, after := files(tree(t, full)), files(tree(t, pruned))
	var gone []string
	for name, line := range before {
		if after[name] == "" {
			gone = append(gone, strings.TrimPrefix(name, site))
		} else if after[name] != line && path.Base(name) != "RECORD" {
			t.Errorf("%s was %s, is %s", name, line, after[name])
		}
	}
	slices.Sort(gone)
	if want := []string{"demo/lib.a", "demo/tests/data/x.bin", "demo/tests/test_a.py", "opt/venv/share/man/man1/demo.1"}; !slices.Equal(gone, want) {
		t.Errorf("gone %q, want %q", gone, want)
	}
	if _, err := pruned.Stat(site + "demo/tests/data"); err == nil {
		t.Error("a directory stayed of which nothing was left")
	}
	if done.Files != len(after) || len(after)+len(gone) != len(before) {
		t.Errorf("%d files written, %d there, %d before", done.Files, len(after), len(before))
	}
	rows, err := wheel.ReadRecord(strings.NewReader(read(t, pruned, info+"RECORD")))
	if err != nil || len(rows) != len(after) {
		t.Fatalf("RECORD has %d rows for %d files: %v", len(rows), len(after), err)
	}
	for _, row := range rows {
		if after[path.Join(site, row.Path)] == "" {
			t.Errorf("RECORD names %s", row.Path)
		}
	}
}

// TestPrunedIsNotRead: a file that is left out is not unpacked; the parts are dealt out over what is left.
func TestPrunedIsNotRead(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 1<<14)
	path := demo(t, map[string]string{"demo/a.py": big, "demo/tests/b.bin": big + big, "demo/c.py": big}, wheeltest.Stored())
	o := options
	o.Prune.Rules = [][]string{{"**/tests/**"}}
	var bytes int64
	for k := range 2 {
		o.Part = wheel.Part{K: k, N: 2}
		_, done := install(t, path, o)
		if done.Bytes > int64(len(big))+4096 {
			t.Errorf("part %d has %d bytes", k, done.Bytes)
		}
		bytes += done.Bytes
	}
	if bytes < int64(2*len(big)) || bytes > int64(2*len(big))+4096 {
		t.Errorf("%d bytes in both parts, want two files of %d", bytes, len(big))
	}
}
