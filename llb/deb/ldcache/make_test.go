package ldcache

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// so is a shared library with nothing but a name for itself, "" for none.
func so(machine uint16, soname string) string {
	var b bytes.Buffer
	w := func(values ...any) {
		for _, v := range values {
			_ = binary.Write(&b, binary.LittleEndian, v)
		}
	}
	const dynamic, texts = 64 + 2*56, 64 + 2*56 + 4*16
	size := uint64(texts + 1 + len(soname) + 1)
	w([]byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00"), uint16(3), machine, uint32(1), uint64(0), uint64(64), uint64(0), uint32(0), uint16(64), uint16(56), uint16(2), uint16(0), uint16(0), uint16(0))
	w(uint32(1), uint32(5), uint64(0), uint64(0x1000), uint64(0x1000), size, size, uint64(0x1000))
	w(uint32(2), uint32(6), uint64(dynamic), uint64(0x1000+dynamic), uint64(0x1000+dynamic), uint64(4*16), uint64(4*16), uint64(8))
	w(uint64(5), uint64(0x1000+texts), uint64(10), size-texts)
	if soname == "" {
		w(uint64(0), uint64(0))
	} else {
		w(uint64(14), uint64(1))
	}
	w(uint64(0), uint64(0))
	w([]byte("\x00" + soname + "\x00"))
	return b.String()
}

// system is a base, and a layer over it.
var system = []map[string]string{
	{
		"etc/ld.so.conf": "# first\ninclude ld.so.conf.d/*.conf\n", "etc/ld.so.conf.d/b.conf": "/lib/x86_64-linux-gnu\n/usr/lib/x86_64-linux-gnu\n", "lib": "-> usr/lib",
		"etc/ld.so.conf.d/a.conf": "/usr/local/lib # local\n", "usr/lib/x86_64-linux-gnu/libz.so.1.2.13": so(62, "libz.so.1"), "usr/lib/x86_64-linux-gnu/libz.so.1": "-> libz.so.1.2.13",
		"usr/lib/x86_64-linux-gnu/libz.so": "-> libz.so.1.2.13", "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2": so(62, "ld-linux-x86-64.so.2"),
		"usr/lib/x86_64-linux-gnu/libtext.so": "/* GNU ld script */", "usr/lib/x86_64-linux-gnu/libarm.so.1": so(183, "libarm.so.1"), "usr/lib/x86_64-linux-gnu/other.so.1": so(62, "other.so.1"),
		"usr/lib/x86_64-linux-gnu/libgone.so.1": "-> nowhere",
	},
	{
		"usr/lib/x86_64-linux-gnu/libzbar.so.0.3.0": so(62, "libzbar.so.0"), "usr/lib/x86_64-linux-gnu/libzbar.so.0": "-> libzbar.so.0.3.0",
		"usr/lib/x86_64-linux-gnu/libplugin.so": so(62, ""), "etc/ld.so.conf.d/c.conf": "/opt/x/lib\n", "opt/x/lib/libz.so.1": so(62, "libz.so.1"),
		"opt/y/liby.so.1": so(62, "liby.so.1"), "opt/x/lib/libx.so.9": so(62, "libx.so.9"), "opt/x/lib/libx.so.10": so(62, "libx.so.10"), "opt/x/lib/libabs.so.1": "-> /usr/lib/x86_64-linux-gnu/libzbar.so.0",
	},
}

// lay writes files, and links where a text begins with an arrow.
func lay(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		p := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(p), 0o755)
		if target, link := strings.CutPrefix(text, "-> "); link && err == nil {
			err = os.Symlink(target, p)
		} else if err == nil {
			err = os.WriteFile(p, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// made returns the entries of the cache that is made of roots.
func made(t *testing.T, dirs ...string) []Library {
	t.Helper()
	var roots []*os.Root
	for _, dir := range append(dirs, t.TempDir()) {
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		roots = append(roots, root)
	}
	out, at := roots[len(roots)-1], time.Unix(315532800, 0)
	if err := Make(out, roots[:len(roots)-1], "amd64", []string{"/opt/y"}, at); err != nil {
		t.Fatal(err)
	}
	data, err := out.ReadFile("etc/ld.so.cache")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"etc/ld.so.cache", "etc", "."} {
		if info, err := out.Stat(name); err != nil || !info.ModTime().Equal(at) {
			t.Errorf("%s: %v, %v, want the fixed time", name, info.ModTime(), err)
		}
	}
	all, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestMake: the libraries of base and layer, in the loader's order.
func TestMake(t *testing.T) {
	base, layer := t.TempDir(), t.TempDir()
	lay(t, base, system[0])
	lay(t, layer, system[1])
	want := []string{
		"libzbar.so.0 (0x303) => /lib/x86_64-linux-gnu/libzbar.so.0", "libzbar.so.0 (0x303) => /opt/x/lib/libabs.so.1",
		"libz.so.1 (0x303) => /lib/x86_64-linux-gnu/libz.so.1", "libz.so.1 (0x303) => /opt/x/lib/libz.so.1", "libz.so (0x303) => /lib/x86_64-linux-gnu/libz.so",
		"liby.so.1 (0x303) => /opt/y/liby.so.1",
		"libx.so.10 (0x303) => /opt/x/lib/libx.so.10", "libx.so.9 (0x303) => /opt/x/lib/libx.so.9", "libplugin.so (0x303) => /lib/x86_64-linux-gnu/libplugin.so",
		"ld-linux-x86-64.so.2 (0x303) => /lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
	}
	if d := cmp.Diff(want, lines(made(t, base, layer))); d != "" {
		t.Errorf("cache (-want +got):\n%s", d)
	}
}

func lines(all []Library) []string {
	var lines []string
	for _, l := range all {
		lines = append(lines, l.String())
	}
	return lines
}

// TestMakeLikeLdconfig: of the same files in one root ldconfig makes a cache with the same entries in the same order, and reads ours.
func TestMakeLikeLdconfig(t *testing.T) {
	ldconfig, err := exec.LookPath("/sbin/ldconfig")
	if err != nil || os.Getuid() != 0 {
		t.Skip("needs glibc's ldconfig, and root for its -r")
	}
	root := t.TempDir()
	lay(t, root, system[0])
	lay(t, root, system[1])
	ours := made(t, root)
	if out, err := exec.CommandContext(t.Context(), ldconfig, "-X", "-r", root).CombinedOutput(); err != nil {
		t.Fatalf("ldconfig: %v\n%s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(root, "etc/ld.so.cache"))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	// ldconfig names a link that it would make (-X: it does not), we the file that is there.
	same := func(l []string) []string {
		return slices.DeleteFunc(slices.Clone(l), func(s string) bool {
			return strings.Contains(s, "liby") || strings.Contains(s, "libabs") || strings.Contains(s, "/opt/x/lib/libzbar")
		})
	}
	if d := cmp.Diff(same(lines(theirs)), same(lines(ours))); d != "" {
		t.Errorf("cache (-ldconfig +ours):\n%s", d)
	}
	file := filepath.Join(t.TempDir(), "cache")
	if err := os.WriteFile(file, encode(ours), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), ldconfig, "-p", "-C", file).CombinedOutput()
	if err != nil || !strings.Contains(string(out), fmt.Sprintf("%d libs found", len(ours))) || !strings.Contains(string(out), "libzbar.so.0 (libc6,x86-64) => /lib/x86_64-linux-gnu/libzbar.so.0") {
		t.Errorf("ldconfig -p of ours: %v\n%s", err, out)
	}
}

// TestDamagedLibraries: what is cut short is no library, and nobody falls over it.
func TestDamagedLibraries(t *testing.T) {
	whole := so(62, "libx.so.1")
	for n := range len(whole) {
		flags, soname := readLibrary(strings.NewReader(whole[:n]), "amd64")
		if soname != "" || n < 64+2*56 && flags != 0 {
			t.Errorf("%d bytes of %d: %#x, %q", n, len(whole), flags, soname)
		}
	}
	if flags, soname := readLibrary(strings.NewReader(whole), "amd64"); flags != 0x303 || soname != "libx.so.1" {
		t.Errorf("all of it: %#x, %q", flags, soname)
	}
}

// TestParseDamaged: a cache that is cut short is an error and no panic.
func TestParseDamaged(t *testing.T) {
	whole := encode([]Library{{"liba.so.1", "/lib/liba.so.1", 0x303}, {"libb.so.1", "/lib/libb.so.1", 0x303}})
	for n := range len(whole) {
		if all, err := Parse(whole[:n]); err == nil {
			t.Errorf("%d bytes of %d: %v", n, len(whole), all)
		}
	}
}
