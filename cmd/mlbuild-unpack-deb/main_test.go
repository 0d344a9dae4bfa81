package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/llb/deb/debtest"
)

// unpack runs the program and returns its exit status and what it prints.
func unpack(args ...string) (int, string) {
	var stderr bytes.Buffer
	status := run(args, &stderr)
	return status, stderr.String()
}

// makeDeb writes a package with one file.
func makeDeb(t *testing.T, name, arch string, files map[string]string) string {
	t.Helper()
	path, err := debtest.Deb{Package: name, Architecture: arch, Entries: debtest.Files(files)}.Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestInstall(t *testing.T) {
	out := t.TempDir()
	one := makeDeb(t, "one", "amd64", map[string]string{"lib/x.so": "x", "usr/share/man/man1/x.1": "m"})
	two := makeDeb(t, "two", "all", map[string]string{"usr/bin/y": "y"})
	status, printed := unpack("install", "-out", out, "-arch", "amd64", "-link", "lib=usr/lib", one, two)
	if status != 0 || printed != "" {
		t.Fatalf("status %d: %s", status, printed)
	}
	for name, want := range map[string]bool{"usr/lib/x.so": true, "lib": false, "usr/bin/y": true, "usr/share/man": false,
		"var/lib/dpkg/status.d/one": true, "var/lib/dpkg/status.d/two": true} {
		if _, err := os.Lstat(filepath.Join(out, name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if status, printed := unpack("install", "-docs", "-out", t.TempDir(), "-arch", "amd64", one); status != 0 {
		t.Errorf("status %d: %s", status, printed)
	}
}

func TestTellsFaultsOfEveryPackage(t *testing.T) {
	one := makeDeb(t, "one", "arm64", nil)
	two := makeDeb(t, "two", "amd64", map[string]string{"a\nb": "x"})
	status, printed := unpack("install", "-out", t.TempDir(), "-arch", "amd64", one, two)
	lines := strings.Split(strings.TrimSpace(printed), "\n")
	if status != 1 || len(lines) != 2 || lines[0] != "E-DEB: one 1.0 is for arm64, the image for amd64" || !strings.HasPrefix(lines[1], "E-DEB-UNSAFE: two_1.0_amd64.deb: ") {
		t.Errorf("status %d:\n%s", status, printed)
	}
}

// scripted writes a package with a postinst.
func scripted(t *testing.T, name, postinst string) string {
	t.Helper()
	path, err := debtest.Deb{Package: name, Architecture: "all", Control: map[string]string{"postinst": "#!/bin/sh\nset -e\n" + postinst}, Entries: debtest.Files(map[string]string{"usr/bin/" + name: "x"})}.Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return path
}

const alternative = "update-alternatives --install /usr/bin/editor editor /usr/bin/edit 10\n"

func TestState(t *testing.T) {
	out := t.TempDir()
	if status, printed := unpack("state", "-out", out, "-arch", "amd64", "-base", t.TempDir(), scripted(t, "edit", alternative)); status != 0 {
		t.Fatalf("status %d: %s", status, printed)
	}
	for link, want := range map[string]string{"usr/bin/editor": "/etc/alternatives/editor", "etc/alternatives/editor": "/usr/bin/edit"} {
		if got, err := os.Readlink(filepath.Join(out, link)); err != nil || got != want {
			t.Errorf("%s: %q, %v", link, got, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(out, "usr/bin/edit")); err == nil {
		t.Error("the package's own files are in the state")
	}
}

// TestStateThroughLinks: scripts name files by the paths of the package, which lie behind the links of the base.
func TestStateThroughLinks(t *testing.T) {
	shell, err := debtest.Deb{Package: "shell", Architecture: "all", Control: map[string]string{"postinst": "#!/bin/sh\nset -e\n" +
		"if [ ! -e /usr/bin/shell -a ! -L /usr/bin/shell ]; then ln -s /bin/shell /usr/bin/shell; fi\n" +
		"update-alternatives --install /usr/bin/editor editor /bin/shell 10\nchmod 700 /var/spool/shell\nchmod 4755 /bin/shell\n"},
		Entries: append(debtest.Files(map[string]string{"bin/shell": "program"}), debtest.Entry{Name: "var/spool/shell/", Mode: 0o755})}.Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, links := range [][]string{{"-link", "/bin=usr/bin"}, nil} {
		out := t.TempDir()
		if status, printed := unpack(append(append([]string{"state", "-out", out, "-arch", "amd64", "-base", t.TempDir()}, links...), shell)...); status != 0 {
			t.Fatalf("status %d: %s", status, printed)
		}
		if to, err := os.Readlink(filepath.Join(out, "etc/alternatives/editor")); err != nil || to != "/bin/shell" {
			t.Errorf("the alternative leads to %q, %v", to, err)
		}
		if info, err := os.Lstat(filepath.Join(out, "var/spool/shell")); err != nil || info.Mode() != os.ModeDir|0o700 {
			t.Errorf("the directory is %v, %v", info, err)
		}
		to, err := os.Readlink(filepath.Join(out, "usr/bin/shell"))
		if links == nil && to != "/bin/shell" || links != nil && err == nil {
			t.Errorf("with %q the link leads to %q, %v", links, to, err)
		}
		at := filepath.Join(out, "bin/shell")
		if links != nil {
			at = filepath.Join(out, "usr/bin/shell")
		}
		if info, err := os.Lstat(at); err != nil || info.Mode() != os.ModeSetuid|0o755 {
			t.Errorf("with %q the program is %v, %v", links, info, err)
		}
	}
}

// TestStateDirs: a directory above what is made is as the packages or the base have it.
func TestStateDirs(t *testing.T) {
	base, out := t.TempDir(), t.TempDir()
	for dir, mode := range map[string]os.FileMode{"root": 0o700, "var/private": 0o750, "usr/bin": 0o711} {
		if err := os.MkdirAll(filepath.Join(base, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(base, dir), mode); err != nil {
			t.Fatal(err)
		}
	}
	made := "mkdir -p /var/private/made\nmkdir -p /opt/new\nln -s x /root/link\nln -s x /usr/bin/link\n"
	if status, printed := unpack("state", "-out", out, "-arch", "amd64", "-base", base, scripted(t, "edit", made)); status != 0 {
		t.Fatalf("status %d: %s", status, printed)
	}
	for dir, want := range map[string]os.FileMode{"root": 0o700, "var/private": 0o750, "var/private/made": 0o755, "opt/new": 0o755, "usr/bin": 0o755} {
		if info, err := os.Lstat(filepath.Join(out, dir)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s is %v, %v", dir, info, err)
		}
	}
}

// TestWays: what a script takes for absent is looked for in the base, under every name that its links give.
func TestWays(t *testing.T) {
	base, file := t.TempDir(), filepath.Join(t.TempDir(), "ways.json")
	if err := os.MkdirAll(filepath.Join(base, "usr/bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("usr/bin", filepath.Join(base, "bin")); err != nil {
		t.Fatal(err)
	}
	packages := []string{
		makeDeb(t, "plain", "all", nil), scripted(t, "edit", alternative), scripted(t, "hard", "update-everything\n"),
		scripted(t, "careful", "if [ -e /bin/old ]; then update-everything; fi\n"),
	}
	ways := func() map[string]string {
		if status, printed := unpack(append([]string{"ways", "-out", file, "-base", base}, packages...)...); status != 0 {
			t.Fatalf("status %d: %s", status, printed)
		}
		data, err := os.ReadFile(file)
		var all []way
		if err == nil {
			err = json.Unmarshal(data, &all)
		}
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, w := range all {
			got[w.Package] = string(w.Way) + ": " + w.Reason
		}
		return got
	}
	got := ways()
	if !strings.HasPrefix(got["plain"], "layer: ") || !strings.HasPrefix(got["edit"], "rules: ") || !strings.Contains(got["hard"], "dpkg: postinst line 3: ") || !strings.HasPrefix(got["careful"], "layer: ") {
		t.Errorf("ways: %q", got)
	}
	if err := os.WriteFile(filepath.Join(base, "usr/bin/old"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := ways(); got["careful"] != "dpkg: its scripts look at /bin/old, which the image has" {
		t.Errorf("over a base with the file: %q", got)
	}
	if err := os.Remove(filepath.Join(base, "usr/bin/old")); err != nil {
		t.Fatal(err)
	}
	packages = append(packages, makeDeb(t, "bringer", "all", map[string]string{"usr/bin/old": "x"}))
	if got := ways(); got["careful"] != "dpkg: its scripts look at /bin/old, which the image has" {
		t.Errorf("beside a package with the file under its other name: %q", got)
	}
	dir := filepath.Join(base, "var/lib/dpkg/triggers")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "File"), []byte("/usr/bin/edit watcher/noawait\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := ways(); got["edit"] != "dpkg: watcher of the base has to look at /usr/bin/edit" || !strings.HasPrefix(got["plain"], "layer: ") {
		t.Errorf("over a base that watches: %q", got)
	}
	packages = append(packages, makeDeb(t, "other", "arm64", nil))
	if status, printed := unpack(append([]string{"ways", "-out", file, "-arch", "amd64", "-base", base}, packages...)...); status != 1 || !strings.Contains(printed, "E-DEB: other 1.0 is for arm64, the image for amd64") {
		t.Errorf("a package of another architecture: status %d: %s", status, printed)
	}
}

func TestUsage(t *testing.T) {
	one := makeDeb(t, "one", "all", nil)
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{nil, 2, "the commands are install, state, ways and ldcache"},
		{[]string{"remove", one}, 2, "the commands are"},
		{[]string{"install"}, 2, "E-USAGE: mlbuild-unpack-deb install needs"},
		{[]string{"ways", "-out", "x", one}, 2, "E-USAGE"},
		{[]string{"install", "-link", "x", one}, 2, "want link=target"},
		{[]string{"install", "-out", "/none", "-arch", "amd64", one}, 1, "E-INTERNAL: open the output directory"},
		{[]string{"install", "-out", t.TempDir(), "-arch", "amd64", "none.deb"}, 1, "E-INTERNAL: open the package"},
	} {
		if status, printed := unpack(c.args...); status != c.status || !strings.Contains(printed, c.want) {
			t.Errorf("%v: status %d, printed %q; want %d and %q", c.args, status, printed, c.status, c.want)
		}
	}
}

// TestLdcache: it is made of a base and layers, which are directories, and the base may have none.
func TestLdcache(t *testing.T) {
	base, layer, out := t.TempDir(), t.TempDir(), t.TempDir()
	if status, printed := unpack("ldcache", "-out", out, "-arch", "amd64", "-base", base, layer); status != 0 || printed != "" {
		t.Fatalf("status %d: %s", status, printed)
	}
	if data, err := os.ReadFile(filepath.Join(out, "etc/ld.so.cache")); err != nil || !bytes.HasPrefix(data, []byte("glibc-ld.so.cache1.1")) {
		t.Errorf("%q, %v", data, err)
	}
	if status, printed := unpack("ldcache", "-out", out, "-arch", "amd64", "-base", filepath.Join(base, "none"), layer); status != 1 || !strings.Contains(printed, "none") {
		t.Errorf("no base: status %d: %s", status, printed)
	}
}
