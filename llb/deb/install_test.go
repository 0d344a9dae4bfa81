package deb_test

import (
	"archive/tar"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/llb/deb"
	"github.com/mlbuild/mlbuild/llb/deb/debtest"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// merged are the links of a base with a merged /usr.
var merged = map[string]string{"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64", "sbin": "usr/sbin", "var/run": "/run", "var/lock": "/run/lock"}

func TestInstallKeepsWhatTheArchiveSays(t *testing.T) {
	root := newRoot(t)
	done := install(t, root, debtest.Deb{Suffix: ".gz", Entries: []debtest.Entry{
		{Name: "./"},
		{Name: "./usr/"},
		{Name: "./usr/bin/"},
		{Name: "./usr/bin/tool", Mode: 0o755, Body: "#!"},
		{Name: "./usr/bin/as-root", Mode: 0o4755, GID: 104, Body: "s"},
		{Name: "./usr/bin/again", Type: tar.TypeLink, Link: "./usr/bin/tool"},
		{Name: "./usr/bin/other", Type: tar.TypeSymlink, Link: "/etc/alternatives/other"},
		{Name: "./var/games/", Mode: 0o2775, GID: 60},
		{Name: "./var/games/score", Body: "0", Time: time.Unix(-5, 0)},
	}}, deb.Options{Arch: "amd64", DirTime: time.Unix(1000, 0)})
	if want := (deb.Installed{Package: "demo", Version: "1.0", Arch: "amd64", Files: 5, Bytes: 4}); *done != want {
		t.Errorf("installed %+v, want %+v", *done, want)
	}
	want := map[string]string{
		".":                     "drwxr-xr-x 0:0 1000",
		"usr":                   "drwxr-xr-x 0:0 1000",
		"usr/bin":               "drwxr-xr-x 0:0 1000",
		"usr/bin/tool":          "-rwxr-xr-x 0:0 1580601600 #!",
		"usr/bin/again":         "-rwxr-xr-x 0:0 1580601600 #!",
		"usr/bin/as-root":       "urwxr-xr-x 0:104 1580601600 s",
		"usr/bin/other":         "Lrwxrwxrwx 0:0 1580601600 -> /etc/alternatives/other",
		"var":                   "drwxr-xr-x 0:0 1000",
		"var/games":             "dgrwxrwxr-x 0:60 1000",
		"var/games/score":       "-rw-r--r-- 0:0 0 0",
		"var/lib":               "drwxr-xr-x 0:0 1000",
		"var/lib/dpkg":          "drwxr-xr-x 0:0 1000",
		"var/lib/dpkg/status.d": "drwxr-xr-x 0:0 1000",
	}
	if diff := cmp.Diff(want, tree(t, root)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// Every compression gives the same files.
func TestInstallCompressions(t *testing.T) {
	var first map[string]string
	for _, suffix := range []string{"", ".gz", ".zst"} {
		root := newRoot(t)
		install(t, root, debtest.Deb{Suffix: suffix, Entries: debtest.Files(map[string]string{"usr/lib/x": strings.Repeat("x", 1<<20)})}, deb.Options{})
		got := tree(t, root)
		if first == nil {
			first = got
		}
		if diff := cmp.Diff(first, got); diff != "" || len(got) < 4 {
			t.Errorf("%q (-none +this):\n%s", suffix, diff)
		}
	}
}

// Paths go through the base's links; without links they stay.
func TestInstallThroughTheBasesLinks(t *testing.T) {
	entries := append(debtest.Files(map[string]string{
		"bin/run": "1", "lib/x86_64-linux-gnu/libx.so.1": "2", "usr/lib/y": "3", "var/run/demo/pid": "4", "libexec/z": "5",
	}), debtest.Entry{Name: "./bin/ran", Type: tar.TypeLink, Link: "./bin/run"})
	paths := func(o deb.Options) string {
		root := newRoot(t)
		install(t, root, debtest.Deb{Entries: entries}, o)
		var files []string
		for path, line := range tree(t, root) {
			if strings.HasPrefix(line, "-") {
				files = append(files, path)
			}
		}
		return strings.Join(sorted(files), " ")
	}
	if got, want := paths(deb.Options{Links: merged}), "libexec/z run/demo/pid usr/bin/ran usr/bin/run usr/lib/x86_64-linux-gnu/libx.so.1 usr/lib/y"; got != want {
		t.Errorf("merged: %s, want %s", got, want)
	}
	if got, want := paths(deb.Options{}), "bin/ran bin/run lib/x86_64-linux-gnu/libx.so.1 libexec/z usr/lib/y var/run/demo/pid"; got != want {
		t.Errorf("unmerged: %s, want %s", got, want)
	}
}

// A package may bring one of the base's links itself, but nothing else of that name.
func TestInstallLinkOfTheBase(t *testing.T) {
	root := newRoot(t)
	install(t, root, debtest.Deb{Entries: []debtest.Entry{{Name: "./lib", Type: tar.TypeSymlink, Link: "usr/lib"}}}, deb.Options{Links: merged})
	if target, err := root.Readlink("lib"); err != nil || target != "usr/lib" {
		t.Errorf("/lib is %q, %v", target, err)
	}
	for _, e := range []debtest.Entry{{Name: "./lib", Body: "x"}, {Name: "./lib", Type: tar.TypeSymlink, Link: "elsewhere"}} {
		refused(t, write(t, debtest.Deb{Entries: []debtest.Entry{e}}), deb.Options{Links: merged}, fault.DebUnsafe, "the base has a link to usr/lib of this name")
	}
	_, err := deb.Install(newRoot(t), write(t, debtest.Deb{}), deb.Options{Links: map[string]string{"a": "b", "b": "a"}})
	if !fault.Is(err, fault.Usage) {
		t.Errorf("a circle of links: %v", err)
	}
}

func TestInstallDirTable(t *testing.T) {
	table := map[string]deb.Dir{"/var/mail": {Mode: 0o2775, GID: 8}, "/usr": {Mode: 0o711, UID: 3}}
	root := newRoot(t)
	install(t, root, debtest.Deb{Entries: []debtest.Entry{{Name: "./var/mail/", Mode: 0o700}, {Name: "./var/mail/box", Body: "x"}, {Name: "./usr/a/b", Body: "x"}}},
		deb.Options{Dir: func(p string) (deb.Dir, bool) { d, ok := table[p]; return d, ok }})
	got := tree(t, root)
	for path, want := range map[string]string{
		"var/mail": "dgrwxrwxr-x 0:8 0", "usr": "drwx--x--x 3:0 0", "usr/a": "drwxr-xr-x 0:0 0", "var/mail/box": "-rw-r--r-- 0:0 1580601600 x",
	} {
		if got[path] != want {
			t.Errorf("%s: %s, want %s", path, got[path], want)
		}
	}
}

func TestInstallSlimDocs(t *testing.T) {
	sums := "0  usr/share/doc/demo/copyright\n1  usr/share/man/man1/x.1.gz\n2  usr/bin/x\n"
	d := debtest.Deb{Control: map[string]string{"md5sums": sums}, Entries: append(debtest.Files(map[string]string{
		"usr/bin/x": "x", "usr/share/doc/demo/copyright": "c", "usr/share/doc/demo/changelog.gz": "l", "usr/share/doc/demo/examples/copyright": "e",
		"usr/share/man/man1/x.1.gz": "m", "usr/share/locale/de/LC_MESSAGES/x.mo": "d", "usr/share/lintian/overrides/demo": "o", "usr/share/info/x": "i",
	}), debtest.Entry{Name: "./usr/share/doc/demo-data", Type: tar.TypeSymlink, Link: "demo"})}
	root := newRoot(t)
	done := install(t, root, d, deb.Options{SlimDocs: true})
	var got []string
	for path, line := range tree(t, root) {
		if !strings.HasPrefix(line, "d") || strings.Contains(path, "man") {
			got = append(got, path)
		}
	}
	want := []string{"usr/bin/x", "usr/share/doc/demo-data", "usr/share/doc/demo/copyright"}
	if diff := cmp.Diff(want, sorted(got)); diff != "" || done.LeftOut != 6 {
		t.Errorf("left out %d; files (-want +got):\n%s", done.LeftOut, diff)
	}
	if got := read(t, root, "var/lib/dpkg/status.d/demo.md5sums"); got != strings.Replace(sums, "1  usr/share/man/man1/x.1.gz\n", "", 1) {
		t.Errorf("md5sums:\n%s", got)
	}
	full := install(t, newRoot(t), d, deb.Options{})
	if full.LeftOut != 0 || full.Files != 9 {
		t.Errorf("with docs: %+v", full)
	}
}

func TestInstallRecords(t *testing.T) {
	root := newRoot(t)
	install(t, root, debtest.Deb{Fields: "Multi-Arch: same\nDescription: a demo\n of packages\n"}, deb.Options{DirTime: time.Unix(7, 0)})
	want := "Package: demo\nStatus: install ok installed\nVersion: 1.0\nArchitecture: amd64\nMulti-Arch: same\nDescription: a demo\n of packages\n"
	if got := read(t, root, "var/lib/dpkg/status.d/demo"); got != want {
		t.Errorf("record:\n%s\nwant:\n%s", got, want)
	}
	if _, err := root.Stat("var/lib/dpkg/status.d/demo.md5sums"); !os.IsNotExist(err) {
		t.Errorf("md5sums of a package without: %v", err)
	}
	if st, err := root.Stat("var/lib/dpkg/status.d/demo"); err != nil || st.ModTime().Unix() != 7 || st.Mode() != 0o644 {
		t.Errorf("record: %v, %v", st, err)
	}
}

// Two packages share directories, and a file only if the later one declares it.
func TestInstallTwoPackages(t *testing.T) {
	root := newRoot(t)
	file := debtest.Files(map[string]string{"usr/share/shared": "one"})
	install(t, root, debtest.Deb{Package: "one", Entries: file}, deb.Options{})
	file[len(file)-1].Body = "two"
	path := write(t, debtest.Deb{Package: "two", Entries: file})
	if _, err := deb.Install(root, path, deb.Options{}); !fault.Is(err, fault.Deb) || !strings.Contains(err.Error(), "/usr/share/shared is there already") {
		t.Errorf("a file of two packages: %v", err)
	}
	install(t, root, debtest.Deb{Package: "three", Fields: "Replaces: one (<< 2)\n", Entries: file}, deb.Options{})
	if got := read(t, root, "usr/share/shared"); got != "two" {
		t.Errorf("the file is %q", got)
	}
}

func TestInstallArchitecture(t *testing.T) {
	arm := debtest.Deb{Architecture: "arm64"}
	refused(t, write(t, arm), deb.Options{Arch: "amd64"}, fault.Deb, "demo 1.0 is for arm64, the image for amd64")
	install(t, newRoot(t), arm, deb.Options{Arch: "arm64"})
	install(t, newRoot(t), debtest.Deb{Architecture: "all"}, deb.Options{Arch: "arm64"})
}

func TestInstallWithout(t *testing.T) {
	root := newRoot(t)
	d := debtest.Deb{Entries: debtest.Files(map[string]string{"etc/a": "a", "etc/b": "b"}), Control: map[string]string{"md5sums": "0  etc/a\n1  etc/b\n"}}
	done := install(t, root, d, deb.Options{Without: []string{"/etc/a", "/etc"}})
	if _, err := root.Lstat("etc/a"); !os.IsNotExist(err) || read(t, root, "etc/b") != "b" || done.Files != 1 {
		t.Errorf("%v, %+v", err, done)
	}
	if got := read(t, root, "var/lib/dpkg/status.d/demo.md5sums"); got != "1  etc/b\n" {
		t.Errorf("md5sums: %q", got)
	}
}
