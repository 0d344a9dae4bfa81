package pylock

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/pypi"
)

// TestSelectSources: a package without a wheel that fits is built, and so is one that the project asks to build.
func TestSelectSources(t *testing.T) {
	commit := strings.Repeat("0a", 20)
	sdist := `sdist = { url = "https://files.example/x-1.tar.gz", size = 9, hashes = { sha256 = "` + sum("sdist") + `" } }`
	tarball := &Source{Type: Archive, URL: "https://files.example/x-1.tar.gz", Name: "x-1.tar.gz", Size: 9, SHA256: sum("sdist")}
	wheel, other := []string{"x-1-py3-none-any.whl"}, []string{"x-1-cp312-cp312-manylinux_2_17_x86_64.whl"}
	newer := []string{"x-1-cp311-cp311-manylinux_2_38_x86_64.whl"}
	asked := bookworm
	asked.Source = []string{"X"}
	for _, test := range []struct {
		name   string
		text   string
		target pypi.Target
		want   *Source // nil: a wheel
		why    string
	}{
		{"a wheel and a source", head + entry("x 1", wheel, sdist), bookworm, nil, ""},
		{"asked for", head + entry("x 1", wheel, sdist), asked, tarball, "the project asks for it"},
		{"no wheel", head + entry("x 1", nil, sdist), bookworm, tarball, "it has no wheel"},
		{"wheels of another Python", head + entry("x 1", other, sdist), bookworm, tarball, "it has no wheel for Python 3.11 on linux/amd64"},
		{"wheels of a newer glibc", head + entry("x 1", newer, sdist), bookworm, tarball, "it has no wheel for Python 3.11 on linux/amd64"},
		{"git", head + entry("x 1", nil, `vcs = { type = "git", url = "https://git.example/x.git", requested-revision = "v1", commit-id = "`+commit+`", subdirectory = "py/x/" }`),
			bookworm, &Source{Type: Git, URL: "https://git.example/x.git", Revision: "v1", Commit: commit, Subdir: "py/x"}, "it comes from git"},
		{"archive", head + entry("x 1", nil, `archive = { path = "dist/x.zip", subdirectory = "x", hashes = { sha256 = "`+sum("sdist")+`" } }`), bookworm,
			&Source{Type: Archive, Path: "dist/x.zip", Name: "x.zip", SHA256: sum("sdist"), Subdir: "x"}, "it is required as a source archive"},
		{"directory", head + entry("x 1", nil, `directory = { path = "libs/x" }`), bookworm,
			&Source{Type: Directory, Path: "libs/x"}, "it is a directory of the project"},
	} {
		t.Run(test.name, func(t *testing.T) {
			ws, err := mustParse(t, test.text).Select(test.target)
			if err != nil || len(ws) != 1 {
				t.Fatalf("%v, %v", ws, err)
			}
			if d := cmp.Diff(test.want, ws[0].Source); d != "" || ws[0].Why != test.why || (ws[0].Filename == "") != (test.want != nil) {
				t.Errorf("%+v, why %q\n%s", ws[0], ws[0].Why, d)
			}
		})
	}
}

// TestForbiddenSources: a source distribution that may not be built is none, unless the project asks to build it; what is required by its place is built all the same.
func TestForbiddenSources(t *testing.T) {
	sdist := `sdist = { url = "https://files.example/x-1.tar.gz", hashes = { sha256 = "` + sum("sdist") + `" } }`
	wheel := []string{"x-1-py3-none-any.whl"}
	target := func(never string, source ...string) pypi.Target {
		t := bookworm
		t.NoBuild, t.Source = []string{never}, source
		return t
	}
	for _, test := range []struct {
		name, text string
		target     pypi.Target
		refused    bool
	}{
		{"by its name", head + entry("X 1", nil, sdist), target("x"), true},
		{"all", head + entry("x 1", nil, sdist), target(":all:"), true},
		{"another", head + entry("x 1", nil, sdist), target("y"), false},
		{"a wheel", head + entry("x 1", wheel, sdist), target(":all:"), false},
		{"asked for", head + entry("x 1", nil, sdist), target(":all:", "x"), false},
		{"a directory", head + entry("x 1", nil, `directory = { path = "libs/x" }`), target(":all:"), false},
		{"an archive by its URL", head + entry("x 1", nil, `archive = { url = "https://files.example/x.zip", hashes = { sha256 = "`+sum("sdist")+`" } }`), target("x"), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := mustParse(t, test.text).Select(test.target)
			if refused := err != nil && strings.Contains(err.Error(), "may not be built from source"); refused != test.refused || !refused && err != nil {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestLockForAnotherPlatform: wheels that do not fit are then the lock's fault, and nothing is compiled in their place.
func TestLockForAnotherPlatform(t *testing.T) {
	text := head + entry("x 1", []string{"x-1-cp311-cp311-manylinux_2_17_aarch64.whl"},
		`sdist = { url = "https://files.example/x-1.tar.gz", hashes = { sha256 = "`+sum("sdist")+`" } }`) + "\n[tool.mlbuild]\nplatforms = [\"linux/arm64\"]\n"
	if _, err := mustParse(t, text).Select(bookworm); err == nil || !strings.Contains(err.Error(), "x 1 has no wheel for Python 3.11 on linux/amd64") {
		t.Errorf("got %v", err)
	}
}

func TestSourceLeavesItsTree(t *testing.T) {
	text := head + entry("x 1", nil, `directory = { path = "lib", subdirectory = "../other" }`)
	if _, err := Parse("pylock.cpu.toml", []byte(text)); err == nil || !strings.Contains(err.Error(), `subdirectory "../other" of x 1 leaves its source`) {
		t.Errorf("got %v", err)
	}
}
