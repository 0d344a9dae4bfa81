package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
)

const site = "opt/venv/lib/python3.11/site-packages"

// make2 writes two wheels that share two files, one of them with other bytes.
func make2(t *testing.T) (first, second string) {
	t.Helper()
	dir := t.TempDir()
	first, err := wheeltest.Write(dir, "first", "1", "py3-none-any", map[string]string{"same.py": "same", "shared.py": "one"})
	if err != nil {
		t.Fatal(err)
	}
	second, err = wheeltest.Write(dir, "second", "1", "py3-none-any", map[string]string{"same.py": "same", "shared.py": "two"})
	if err != nil {
		t.Fatal(err)
	}
	return first, second
}

// unpack runs the program and returns its exit status and what it prints.
func unpack(args ...string) (int, string) {
	var stderr bytes.Buffer
	status := run(args, &stderr)
	return status, stderr.String()
}

func TestLaterWheelWins(t *testing.T) {
	first, second := make2(t)
	for _, order := range [][]string{{first, second}, {second, first}} {
		out := t.TempDir()
		status, printed := unpack(append([]string{"-python", "3.11", "-out", out}, order...)...)
		want := "warning: /" + site + "/shared.py: " + filepath.Base(order[1]) + " replaces a file of another wheel with other contents\n"
		if status != 0 || printed != want {
			t.Errorf("status %d, printed %q, want %q", status, printed, want)
		}
		text := map[string]string{first: "one", second: "two"}[order[1]]
		if got, err := os.ReadFile(filepath.Join(out, site, "shared.py")); err != nil || string(got) != text {
			t.Errorf("shared.py: %q, %v; want %q", got, err, text)
		}
		for _, dir := range []string{"", "opt", "opt/venv", site} {
			st, err := os.Stat(filepath.Join(out, dir))
			if err != nil || !st.ModTime().Equal(wheel.ModTime) || st.Mode().Perm() != 0o755 {
				t.Errorf("/%s: %v, %v, %v", dir, st.Mode(), st.ModTime(), err)
			}
		}
	}
}

func TestTellsFaultsOfEveryWheel(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	var paths []string
	for _, name := range []string{"aaa", "bbb"} {
		path, err := wheeltest.Write(dir, name, "1", "py3-none-any", map[string]string{name + ".pth": "import x"})
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	args := append([]string{"-python", "3.11", "-out", out}, paths...)
	status, printed := unpack(args...)
	lines := strings.Split(strings.TrimSpace(printed), "\n")
	if status != 1 || len(lines) != 2 || !strings.HasPrefix(lines[0], `E-WHEEL-UNSAFE: aaa-1-py3-none-any.whl: "aaa.pth": `) || !strings.HasPrefix(lines[1], "E-WHEEL-UNSAFE: bbb-1-") {
		t.Errorf("status %d, printed:\n%s", status, printed)
	}
	status, printed = unpack(append([]string{"-allow-pth", "aaa/aaa.pth", "-allow-pth", "bbb/bbb.pth"}, args...)...)
	if status != 0 || printed != "" {
		t.Errorf("allowed: status %d, printed:\n%s", status, printed)
	}
}

func TestPartRequestedDirectURL(t *testing.T) {
	first, _ := make2(t)
	name := filepath.Base(first)
	url := filepath.Join(t.TempDir(), "url.json")
	if err := os.WriteFile(url, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	info := filepath.Join(site, "first-1.dist-info")
	var all []string
	for _, part := range []string{"0/2", "1/2"} {
		out := t.TempDir()
		if status, printed := unpack("-python", "3.11", "-out", out, "-part", part, "-requested", name, "-direct-url", name+"="+url, first); status != 0 {
			t.Fatalf("status %d: %s", status, printed)
		}
		for _, file := range []string{"RECORD", "REQUESTED", "direct_url.json", "INSTALLER"} {
			if _, err := os.Stat(filepath.Join(out, info, file)); (err == nil) != (part == "0/2") {
				t.Errorf("part %s, %s: %v", part, file, err)
			}
		}
		all = append(all, names(t, filepath.Join(out, site))...)
	}
	for _, file := range []string{"same.py", "shared.py"} {
		if !slices.Contains(all, file) {
			t.Errorf("%s is in no part: %v", file, all)
		}
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestUsage(t *testing.T) {
	first, _ := make2(t)
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{nil, 2, "E-USAGE: mlbuild-unpack needs -python, -out and at least one wheel"},
		{[]string{"-out", "x", "-python", "3.11"}, 2, "at least one wheel"},
		{[]string{"-part", "1", first}, 2, "want k/n"},
		{[]string{"-direct-url", "x", first}, 2, "want name=file"},
		{[]string{"-python", "3.11", "-out", t.TempDir(), "-part", "2/2", first}, 1, "E-USAGE: part 2 of 2: want 0 to 1"},
		{[]string{"-python", "3.11", "-out", filepath.Join(t.TempDir(), "none"), first}, 1, "E-INTERNAL: open the output directory"},
		{[]string{"-python", "3.11", "-out", t.TempDir(), "none-1-py3-none-any.whl"}, 1, "E-INTERNAL: open the wheel"},
		{[]string{"-h"}, 0, "project/file.pth"},
	} {
		status, printed := unpack(c.args...)
		if status != c.status || !strings.Contains(printed, c.want) {
			t.Errorf("%v: status %d, printed %q; want %d and %q", c.args, status, printed, c.status, c.want)
		}
	}
}

// TestDependencies keeps the program small: beside a few packages of mlbuild, only the inflater is not of Go itself.
func TestDependencies(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	own := []string{"cmd/mlbuild-unpack", "llb/account", "llb/wheel", "profiles/fault"}
	for dep := range strings.FieldsSeq(string(out)) {
		if !slices.Contains(own, strings.TrimPrefix(dep, "github.com/mlbuild/mlbuild/")) && !strings.HasPrefix(dep, "github.com/klauspost/compress/") {
			t.Errorf("it imports %s", dep)
		}
	}
}
