package deb_test

import (
	"archive/tar"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/llb/deb"
	"github.com/mlbuild/mlbuild/llb/deb/debtest"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

func TestInstallRefusesEntries(t *testing.T) {
	link := func(name, target string) debtest.Entry {
		return debtest.Entry{Name: name, Type: tar.TypeSymlink, Link: target}
	}
	hard := func(name, target string) debtest.Entry {
		return debtest.Entry{Name: name, Type: tar.TypeLink, Link: target}
	}
	file := func(name string) debtest.Entry { return debtest.Entry{Name: name, Body: "x"} }
	for _, c := range []struct {
		name    string
		entries []debtest.Entry
		want    string
	}{
		{"parent", []debtest.Entry{file("../../etc/cron.d/x")}, `"../../etc/cron.d/x": the path leaves the package`},
		{"parent inside", []debtest.Entry{file("./usr/../../x")}, "the path leaves the package"},
		{"absolute", []debtest.Entry{file("/etc/x")}, "the path is absolute"},
		{"empty part", []debtest.Entry{file("./usr//x")}, "the path has empty parts"},
		{"newline", []debtest.Entry{file("./usr/a\nb")}, "it holds a control character"},
		{"not UTF-8", []debtest.Entry{file("./usr/\xff")}, "it is not UTF-8"},
		{"long", []debtest.Entry{file("./" + strings.Repeat("x", 300))}, "the name is too long"},
		{"twice", []debtest.Entry{file("./x"), file("./x")}, "it is there twice, as file and as file"},
		{"twice through a link", []debtest.Entry{file("./lib/x"), file("./usr/lib/x")}, "it is there twice"},
		{"own symlink out", []debtest.Entry{link("./out", "/etc"), file("./out/x")}, "the path goes through the symbolic link /out"},
		{"own symlink up", []debtest.Entry{link("./out", "../.."), file("./out/a/b")}, "the path goes through the symbolic link /out"},
		{"own symlink inside", []debtest.Entry{file("./usr/y"), link("./out", "usr"), file("./out/x")}, "the path goes through the symbolic link /out"},
		{"directory, then symlink", []debtest.Entry{file("./a/b"), link("./a", "/etc")}, "a directory of this name is there already"},
		{"file as directory", []debtest.Entry{file("./a"), file("./a/b")}, "/a is needed as a directory, but is a file"},
		{"hard link out", []debtest.Entry{hard("./a", "../etc/shadow")}, "the path leaves the package"},
		{"hard link to nothing", []debtest.Entry{hard("./a", "./etc/shadow")}, "which is no file before it"},
		{"hard link to a symlink", []debtest.Entry{link("./s", "/etc/shadow"), hard("./a", "./s")}, "which is no file before it"},
		{"hard link to documentation", []debtest.Entry{file("./usr/share/man/x"), hard("./a", "./usr/share/man/x")}, "/usr/share/man/x, which is left out"},
		{"device", []debtest.Entry{{Name: "./dev/sda", Type: tar.TypeBlock}}, "device nodes and named pipes are refused"},
		{"terminal", []debtest.Entry{{Name: "./dev/tty", Type: tar.TypeChar}}, "device nodes and named pipes are refused"},
		{"pipe", []debtest.Entry{{Name: "./p", Type: tar.TypeFifo}}, "device nodes and named pipes are refused"},
		{"own record", []debtest.Entry{file("./var/lib/dpkg/status.d/demo")}, "the package has a file of this name"},
		{"unknown type", []debtest.Entry{{Name: "./x", Type: 'Z'}}, "its type 'Z' is unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			refused(t, write(t, debtest.Deb{Entries: c.entries}), deb.Options{Links: merged, SlimDocs: true}, fault.DebUnsafe, c.want)
		})
	}
}

// Nothing is written outside the root, whatever the package is.
func TestInstallStaysInside(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "root")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	first := debtest.Deb{Package: "first", Entries: []debtest.Entry{{Name: "./out", Type: tar.TypeSymlink, Link: "../.."}, {Name: "./up", Type: tar.TypeSymlink, Link: top}}}
	install(t, root, first, deb.Options{})
	second := debtest.Deb{Package: "second", Entries: []debtest.Entry{{Name: "./out/x", Body: "x"}, {Name: "./up/y", Body: "y"}}}
	if _, err := deb.Install(root, write(t, second), deb.Options{}); len(fault.All(err)) != 2 {
		t.Errorf("files behind the links of another package: %v", err)
	}
	if names, err := os.ReadDir(top); err != nil || len(names) != 1 {
		t.Errorf("beside the root: %v, %v", names, err)
	}
}

func TestInstallRefusesArchives(t *testing.T) {
	whole := string(debtest.Deb{Entries: debtest.Files(map[string]string{"usr/x": "text"})}.Build())
	control := func(text string) []byte { return debtest.Deb{Control: map[string]string{"control": text}}.Build() }
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "it is no Debian package"},
		{"no archive", []byte("<html>not found</html>"), "it is no Debian package"},
		{"cut off", []byte(whole[:len(whole)-600]), "bytes, but only"},
		{"cut off header", []byte(whole[:30]), "its end is cut off at byte 30"},
		{"member size", []byte(strings.Replace(whole, "4         `", "-4        `", 1)), `the size of member "debian-binary" is damaged`},
		{"header end", []byte(strings.Replace(whole, "`", "'", 1)), "the member header at byte 8 is damaged"},
		{"format 3", debtest.Ar("debian-binary", "3.0\n", "control.tar", "", "data.tar", ""), `its format is "3."`},
		{"no data", debtest.Ar("debian-binary", "2.0\n", "control.tar", ""), "its members are not"},
		{"order", debtest.Ar("debian-binary", "2.0\n", "data.tar", "", "control.tar", ""), "its members are not"},
		{"compression", debtest.Ar("debian-binary", "2.0\n", "control.tar.lzma", "", "data.tar", ""), "the compression of control.tar.lzma is unknown"},
		{"damaged xz", debtest.Ar("debian-binary", "2.0\n", "control.tar.xz", "no xz at all", "data.tar", ""), "control.tar.xz"},
		{"no control", debtest.Ar("debian-binary", "2.0\n", "control.tar", "", "data.tar", ""), "the field Package is missing"},
		{"bad package name", control("Package: ../x\nVersion: 1\nArchitecture: all\n"), `the field Package is missing or malformed: "../x"`},
		{"bad version", control("Package: xx\nVersion: a b\nArchitecture: all\n"), "the field Version"},
		{"no architecture", control("Package: xx\nVersion: 1\n"), "the field Architecture"},
		{"twice a field", control("Package: xx\nVersion: 1\nArchitecture: all\nversion: 2\n"), "the field version is there twice"},
		{"two paragraphs", control("Package: xx\n\nVersion: 1\nArchitecture: all\n"), "it holds an empty line"},
		{"no field", control("Package: xx\nnonsense\n"), `the line "nonsense" is no field`},
		{"size", control("Package: xx\nVersion: 1\nArchitecture: all\nInstalled-Size: many\n"), "Installed-Size is malformed"},
		{"control escapes", debtest.Deb{Control: map[string]string{"../x": "y"}}.Build(), "only regular files may stand there"},
	} {
		t.Run(c.name, func(t *testing.T) {
			refused(t, writeRaw(t, c.data), deb.Options{}, fault.DebUnsafe, c.want)
			if _, err := deb.Inspect(writeRaw(t, c.data)); !fault.Is(err, fault.DebUnsafe) {
				t.Errorf("Inspect: %v", err)
			}
		})
	}
}

func TestInstallRefusesBombs(t *testing.T) {
	d := debtest.Deb{Suffix: ".zst", Entries: []debtest.Entry{{Name: "./zeros", Body: strings.Repeat("\x00", 1<<20)}}}
	refused(t, write(t, d), deb.Options{MaxBytes: 1 << 20}, fault.DebUnsafe, "it unpacks to more bytes than are allowed")
	d.Entries[0].Body = strings.Repeat("\x00", 300<<20) // packed more than 300 times
	refused(t, write(t, d), deb.Options{}, fault.DebUnsafe, "it unpacks to more bytes than are allowed")
}

func TestInstallMissing(t *testing.T) {
	refused(t, filepath.Join(t.TempDir(), "none.deb"), deb.Options{}, fault.Internal, "open the package")
}

// A hostile package tells a bounded number of faults.
func TestInstallManyFaults(t *testing.T) {
	var entries []debtest.Entry
	for range 50 {
		entries = append(entries, debtest.Entry{Name: "../x"})
	}
	_, err := deb.Install(newRoot(t), write(t, debtest.Deb{Entries: entries}), deb.Options{})
	if all := fault.All(err); len(all) != 21 || !strings.Contains(err.Error(), "30 more faults") {
		t.Errorf("%d faults: %v", len(all), err)
	}
}
