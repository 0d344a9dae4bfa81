package packages_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/llb/check/packages"
)

// python3 is this machine's interpreter.
var python3 = sync.OnceValue(func() string {
	out, err := exec.Command("python3", "-c", "import os, sys; print(os.path.realpath(sys.executable))").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
})

// site is a directory of packages, which PYTHONPATH names.
type site struct {
	t         *testing.T
	dir       string
	installed []check.Package
}

func newSite(t *testing.T) *site {
	t.Helper()
	if python3() == "" {
		if os.Getenv("MLBUILD_REQUIRE_TESTBED") == "1" {
			t.Fatal("no python3 here")
		}
		t.Skip("no python3 here")
	}
	return &site{t: t, dir: t.TempDir()}
}

type files = map[string]string

// add installs a distribution, named as "name 1.0", as the project's own requirement. requires are lines of Requires-Dist.
func (s *site) add(name string, content files, requires ...string) *site {
	s.addOnly(name, content, requires...)
	name, version, _ := strings.Cut(name, " ")
	s.installed = append(s.installed, check.Package{Name: name, Version: version, Direct: true})
	return s
}

// addOnly installs a distribution, and leaves it out of what is to be installed.
func (s *site) addOnly(name string, content files, requires ...string) {
	s.t.Helper()
	name, version, _ := strings.Cut(name, " ")
	info := name + "-" + version + ".dist-info/"
	metadata := fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\n", name, version)
	for _, r := range requires {
		metadata += "Requires-Dist: " + r + "\n"
	}
	all := files{info + "METADATA": metadata + "\nName: not-this\n"}
	var record strings.Builder
	for file, data := range content {
		all[file] = data
		fmt.Fprintf(&record, "%s,sha256=x,%d\n", file, len(data))
	}
	all[info+"RECORD"] = record.String()
	for file, data := range all {
		at := filepath.Join(s.dir, file)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(data), 0o755); err != nil {
			s.t.Fatal(err)
		}
	}
}

// check runs the check with the given changes to what is asked.
func (s *site) check(change func(*check.Packages), env ...string) check.Report {
	s.t.Helper()
	q := check.Packages{Root: "/", Python: python3(), Installed: s.installed, Timeout: 60, Memory: 2 << 30}
	if change != nil {
		change(&q)
	}
	env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.t.TempDir(), "PYTHONPATH=" + s.dir}, env...)
	return packages.Check(context.Background(), q, env, io.Discard)
}

// show writes faults in short.
func show(r check.Report) []string {
	var all []string
	for _, f := range r.Faults {
		words := []string{string(f.Kind), f.Package, f.Module, f.Library, f.Requires, f.There, f.Want, f.Program}
		all = append(all, strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " "))
	}
	return all
}

// want compares faults, in short, in their order.
func want(t *testing.T, r check.Report, faults ...string) {
	t.Helper()
	if got := show(r); !slices.Equal(got, faults) {
		t.Errorf("faults %q, want %q\n%+v", got, faults, r)
	}
}

// noted fails the test where no note has these words.
func noted(t *testing.T, r check.Report, words string) {
	t.Helper()
	if !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, words) }) {
		t.Errorf("no note %q in %q", words, r.Notes)
	}
}
