package pylock

import (
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pypi"
)

// TestSelectFaults covers faults.md 14, 15, 17, 23 and 24.
func TestSelectFaults(t *testing.T) {
	wheels := func(name, tags string) string {
		var files []string
		dist := strings.ReplaceAll(name, " ", "-")
		for _, tag := range strings.Fields(tags) {
			files = append(files, dist+"-"+tag+".whl")
		}
		return head + entry(name, files)
	}
	const again = "if the lock was made for another Python or platform, make it again with `mlbuild lock`"
	arm := pypi.Target{Python: "3.11", Platform: "linux/arm64", Glibc: "2.36"}
	alpine := pypi.Target{Python: "3.11", Platform: "linux/amd64", Musl: true}
	for _, test := range []struct {
		name, text string
		target     pypi.Target
		code       fault.Code
		message    string
		hints      []string
	}{
		{"CUDA on arm64", wheels("torch 2.6.0+cu126", "cp311-cp311-manylinux_2_28_x86_64 cp311-cp311-win_amd64"), arm, fault.Wheel,
			"torch 2.6.0+cu126 has no wheel for Python 3.11 on linux/arm64", []string{
				"for Python 3.11 there are wheels for Windows, linux/amd64",
				"wheels in the lock: cp311-cp311-manylinux_2_28_x86_64, cp311-cp311-win_amd64", again}},
		{"Python too new", wheels("x 1", "cp310-cp310-manylinux_2_28_x86_64 cp39-cp39-manylinux_2_28_x86_64 cp311-cp311-manylinux_2_28_x86_64 pp310-pypy310_pp73-manylinux_2_28_x86_64 cp313-cp313t-manylinux_2_28_x86_64"),
			pypi.Target{Python: "3.14", Platform: "linux/amd64", Glibc: "2.41"}, fault.Wheel,
			"x 1 has no wheel for Python 3.14 on linux/amd64", []string{
				"for linux/amd64 there are wheels for Python 3.9, PyPy 3.10, Python 3.10, Python 3.11, Python 3.13 free-threaded: set python.version to one of them, or pin another version of x",
				"wheels in the lock: cp310-cp310-manylinux_2_28_x86_64, cp311-cp311-manylinux_2_28_x86_64, cp313-cp313t-manylinux_2_28_x86_64, cp39-cp39-manylinux_2_28_x86_64, pp310-pypy310_pp73-manylinux_2_28_x86_64",
				again}},
		{"abi3 too new", wheels("x 1", "cp312-abi3-manylinux_2_28_x86_64 cp311-cp311-manylinux_2_28_aarch64"), bookworm, fault.Wheel,
			"x 1 has no wheel for Python 3.11 on linux/amd64", []string{
				"for linux/amd64 there are wheels for Python 3.12 and newer: set python.version to one of them, or pin another version of x",
				"for Python 3.11 there are wheels for linux/arm64",
				"wheels in the lock: cp311-cp311-manylinux_2_28_aarch64, cp312-abi3-manylinux_2_28_x86_64", again}},
		{"many tags", head + entry("x 1", []string{
			"x-1-cp31-cp31-win32.whl", "x-1-cp32-cp32-win32.whl", "x-1-cp33-cp33-win32.whl", "x-1-cp34-cp34-win32.whl", "x-1-cp35-cp35-win32.whl",
			"x-1-cp36-cp36-win32.whl", "x-1-cp37-cp37-win32.whl", "x-1-cp38-cp38-win32.whl", "x-1-cp39-cp39-win32.whl"}), bookworm, fault.Wheel,
			"x 1 has no wheel for Python 3.11 on linux/amd64", []string{
				"wheels in the lock: cp31-cp31-win32, cp32-cp32-win32, cp33-cp33-win32, cp34-cp34-win32, cp35-cp35-win32, cp36-cp36-win32, cp37-cp37-win32, cp38-cp38-win32 and 1 more",
				again}},
		{"lock of another platform", wheels("x 1", "cp311-cp311-manylinux_2_28_x86_64") + "\n[tool.mlbuild]\nplatforms = [\"linux/amd64\"]\n", arm, fault.Wheel,
			"x 1 has no wheel for Python 3.11 on linux/arm64", []string{
				"for Python 3.11 there are wheels for linux/amd64", "wheels in the lock: cp311-cp311-manylinux_2_28_x86_64",
				"the lock was made for linux/amd64: make it again with `mlbuild lock`"}},
		{"glibc too old", wheels("x 1", "cp311-cp311-manylinux_2_39_x86_64 cp311-cp311-manylinux_2_41_x86_64.manylinux_2_40_x86_64 cp312-cp312-manylinux_2_17_x86_64"), bookworm, fault.ABI,
			"x 1 needs glibc 2.39, the base image has 2.36", []string{
				"use a base image with glibc 2.39 or newer (Debian 12 has 2.36, Debian 13 has 2.41)", "or pin an older version of x, whose wheels ask for less"}},
		{"glibc older than manylinux2014", wheels("x 1", "py3-none-manylinux2014_aarch64"), pypi.Target{Python: "3.11", Platform: "linux/arm64", Glibc: "2.12"}, fault.ABI,
			"x 1 needs glibc 2.17, the base image has 2.12", []string{
				"use a base image with glibc 2.17 or newer (Debian 12 has 2.36, Debian 13 has 2.41)", "or pin an older version of x, whose wheels ask for less"}},
		{"musl base", wheels("x 1", "cp311-cp311-manylinux_2_28_x86_64"), alpine, fault.ABI,
			"x 1 has only wheels for glibc (cp311-cp311-manylinux_2_28_x86_64), the base image has musl",
			[]string{"use a base image with glibc, such as python:3.11-slim"}},
		{"musl wheels", wheels("x 1", "cp311-cp311-musllinux_1_2_x86_64"), bookworm, fault.ABI,
			"x 1 has only wheels for musl (cp311-cp311-musllinux_1_2_x86_64), the base image has glibc", []string{"pin a version of x that has a manylinux wheel"}},
		{"musl base, other Python", wheels("x 1", "cp312-cp312-manylinux_2_28_x86_64"), alpine, fault.Wheel,
			"x 1 has no wheel for Python 3.11 on linux/amd64", []string{
				"for linux/amd64 there are wheels for Python 3.12: set python.version to one of them, or pin another version of x",
				"wheels in the lock: cp312-cp312-manylinux_2_28_x86_64", again}},
		{"git without a commit", head + entry("x 1", nil, `vcs = { type = "git", url = "https://git.example/x", requested-revision = "main" }`), bookworm, fault.Sdist,
			"x 1 comes from git, and the lock names no commit", []string{"make the lock again with `mlbuild lock`"}},
		{"another version control", head + entry("x 1", nil, `vcs = { type = "hg", url = "https://hg.example/x", commit-id = "`+strings.Repeat("a", 40)+`" }`), bookworm, fault.Sdist,
			"x 1 comes from hg, and mlbuild builds from git only", []string{"require a release of x, or the URL of its source archive"}},
		{"nothing to build from", head + entry("x 1", []string{"x-1-py3-none-any.whl"}), pypi.Target{Python: "3.11", Platform: "linux/amd64", Source: []string{"X"}}, fault.Sdist,
			"x 1 is to be built from source, and the lock has only wheels of it", []string{"make the lock again with `mlbuild lock`",
				"if its index has no source distribution, require its repository: x @ git+https://…@commit"}},
		{"nothing", head + entry("x 1", nil), bookworm, fault.Wheel, "x 1 has no file in the lock", []string{"make the lock again with `mlbuild lock`"}},
		{"package's requires-python", head + entry("x 1", []string{"x-1-py3-none-any.whl"}, `requires-python = ">=3.12,<3.14"`), bookworm, fault.Wheel,
			"x 1 requires Python >=3.12,<3.14, the image has 3.11", []string{"Python versions that would do: 3.12, 3.13", "set python.version, or make the lock again with `mlbuild lock`"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			ws, err := mustParse(t, test.text).Select(test.target)
			f := expectFault(t, err, test.code, test.message)
			if want := (fault.Position{File: "pylock.cpu.toml", Line: 5, Column: 1}); f.At != want {
				t.Errorf("at %v, want %v", f.At, want)
			}
			if got, want := strings.Join(f.Hints, "\n"), strings.Join(test.hints, "\n"); got != want {
				t.Errorf("hints\n%s\nwant\n%s", got, want)
			}
			if ws != nil || len(fault.All(err)) != 1 {
				t.Errorf("wheels %v, %d faults", ws, len(fault.All(err)))
			}
		})
	}
}

func TestSelectLockFaults(t *testing.T) {
	pure := func(name string) []string { return []string{strings.ReplaceAll(name, " ", "-") + "-py3-none-any.whl"} }
	for _, test := range []struct {
		name, text string
		target     pypi.Target
		code       fault.Code
		message    string
		line       int
	}{
		{"lock's requires-python", head, pypi.Target{Python: "3.10", Platform: "linux/amd64"}, fault.Wheel, "the lock requires Python >=3.11, the image has 3.10", 0},
		{"lock's requires-python, patch", strings.Replace(head, ">=3.11", ">=3.11.7", 1), pypi.Target{Python: "3.11.2", Platform: "linux/amd64"}, fault.Wheel,
			"the lock requires Python >=3.11.7, the image has 3.11.2", 0},
		{"environments", head + "environments = [\"sys_platform == 'win32'\", \"platform_machine == 'aarch64'\"]\n", bookworm, fault.Lock,
			"the lock is not made for Python 3.11 on linux/amd64, only for: sys_platform == 'win32'; platform_machine == 'aarch64'", 0},
		{"unknown extra", head + "extras = [\"a\", \"b\"]\n", pypi.Target{Python: "3.11", Platform: "linux/amd64", Extras: []string{"c"}}, fault.Lock,
			`the lock has no extra "c", only a, b`, 0},
		{"unknown group", head + "dependency-groups = [\"a\"]\n", pypi.Target{Python: "3.11", Platform: "linux/amd64", Groups: []string{"c"}}, fault.Lock,
			`the lock has no dependency group "c", only a`, 0},
		{"overlapping markers", head + entry("x 1", pure("x 1"), `marker = "os_name == 'posix'"`) + entry("x 2", pure("x 2")), bookworm, fault.Lock,
			"x 1 and x 2 are both chosen for Python 3.11 on linux/amd64", 13},
		{"two indexes", head + entry("x 1", pure("x 1"), `index = "https://one.example/simple"`) + entry("x 1", pure("x 1"), `index = "https://two.example/simple"`),
			bookworm, fault.Index, "x 1 and x 1 are both chosen for linux/amd64, from index https://one.example/simple and from index https://two.example/simple", 13},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := mustParse(t, test.text).Select(test.target)
			f := expectFault(t, err, test.code, test.message)
			if f.At.File != "pylock.cpu.toml" || f.At.Line != test.line || len(f.Hints) == 0 {
				t.Errorf("at %v, hints %q", f.At, f.Hints)
			}
		})
	}
}

func TestSelectReportsAllAtOnce(t *testing.T) {
	text := head + entry("a 1", []string{"a-1-cp310-cp310-win32.whl"}) + entry("b 1", nil) +
		entry("c 1", []string{"c-1-cp311-cp311-manylinux_2_40_x86_64.whl"}) + entry("d 1", nil, `vcs = { type = "git", url = "https://git.example/d" }`) +
		entry("e 1", []string{"e-1-py3-none-any.whl"})
	ws, err := mustParse(t, text).Select(bookworm)
	var codes []string
	for _, f := range fault.All(err) {
		codes = append(codes, string(f.Code))
	}
	if got := strings.Join(codes, " "); got != "E-WHEEL E-WHEEL E-ABI E-SDIST" || ws != nil {
		t.Errorf("got %s, %v", got, ws)
	}
}

// A Lock need not come from Parse.
func TestSelectHandMade(t *testing.T) {
	l := &Lock{Name: "x.toml", Packages: []Package{
		{Name: "A_b", Marker: "oops"}, {Name: "c", RequiresPython: "3"}, {Name: "d", Wheels: []File{{Name: "odd.whl"}}},
	}}
	_, err := l.Select(bookworm)
	expectFault(t, err, fault.Lock, "marker of A_b is malformed: expected a quoted string or a variable of PEP 508 such as python_version, found \"oops\" at character 1")
	expectFault(t, err, fault.Lock, `requires-python of c is malformed: "3" has no operator such as >= or ==`)
	expectFault(t, err, fault.Wheel, "d has no wheel for Python 3.11 on linux/amd64")
	_, err = (&Lock{Name: "x.toml", RequiresPython: "3"}).Select(bookworm)
	expectFault(t, err, fault.Lock, `requires-python of the lock is malformed: "3" has no operator such as >= or ==`)
}

func TestTargetRefused(t *testing.T) {
	for _, test := range []struct {
		target  pypi.Target
		code    fault.Code
		message string
	}{
		{pypi.Target{Python: "3.11", Platform: "linux/arm/v7"}, fault.Platform, `no wheels can be picked for the platform "linux/arm/v7"`},
		{pypi.Target{Python: "3.11", Platform: "linux/amd644"}, fault.Platform, `no wheels can be picked for the platform "linux/amd644"`},
		{pypi.Target{Python: "2.7", Platform: "linux/amd64"}, fault.Spec, `Python version "2.7" is not of the form 3.11`},
		{pypi.Target{Python: "3.x", Platform: "linux/amd64"}, fault.Spec, `Python version "3.x" is not of the form 3.11`},
		{pypi.Target{Python: "3.11.rc1", Platform: "linux/amd64"}, fault.Spec, `Python version "3.11.rc1" is not of the form 3.11`},
		{pypi.Target{Python: "3.11", Platform: "linux/amd64", Glibc: "36"}, fault.Spec, `glibc version "36" is not of the form 2.36`},
	} {
		_, err := (&Lock{Name: "pylock.toml"}).Select(test.target)
		expectFault(t, err, test.code, test.message)
		if pypi.Tags(test.target) != nil {
			t.Errorf("Tags(%v) is not nil", test.target)
		}
	}
}
