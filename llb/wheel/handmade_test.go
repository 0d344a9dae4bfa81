package wheel_test

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/llb/wheel"
)

// handmade is a wheel of the distribution pk 1.0, as a builder's slip or a hand made it, and what installers do with it: what pip 23.2 and uv 0.13 did is written down here.
type handmade struct {
	name    string
	file    string            // name of the file; "" = pk-1.0-py3-none-any.whl
	info    string            // name of .dist-info; "" = pk-1.0.dist-info
	wheel   string            // WHEEL; "" = as it should be
	meta    string            // METADATA; "" = as it should be
	add     map[string]string // files beside pk/__init__.py and pk/a.py; "{info}/" and "{data}/" as in wheeltest
	record  func(string) string
	bend    func(*rawZip)
	takes   string            // "pip uv", "pip", "uv" or "": who installs it
	laid    map[string]string // what they install beside pk/__init__.py, pk/a.py and .dist-info, below site-packages or, with a leading slash, the environment; "*" before an executable's text
	refused string            // what is said of it where it is not installed
	flaw    string            // what is told of it, and what it is refused for by choice; "" = it is as it should be
	docs    string            // words of the page by which it stands there, for what only one of the two does, or they do differently
}

// lines changes the lines of a RECORD that match.
func lines(pattern, to string) func(string) string {
	re := regexp.MustCompile("(?m)" + pattern)
	return func(s string) string { return re.ReplaceAllString(s, to) }
}

const (
	metaOK      = "Metadata-Version: 2.1\nName: pk\nVersion: 1.0\n"
	emptySHA256 = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
	noRow       = "RECORD does not list it"
	noVersions  = "import sys, types, os;p = os.path.join(sys._getframe(1).f_locals['sitedir'], *('google',));importlib = __import__('importlib.util');__import__('importlib.machinery');" +
		"m = sys.modules.setdefault('google', importlib.util.module_from_spec(importlib.machinery.PathFinder.find_spec('google', [os.path.dirname(p)])));" +
		"m = m or sys.modules.setdefault('google', types.ModuleType('google'));mp = (m or []) and m.__dict__.setdefault('__path__',[]);(p not in mp) and mp.append(p)\n"
	oldNamespace = "import sys, types, os;p = os.path.join(sys._getframe(1).f_locals['sitedir'], *('google',));ie = os.path.exists(os.path.join(p,'__init__.py'));" +
		"m = not ie and sys.modules.setdefault('google', types.ModuleType('google'));mp = (m or []) and m.__dict__.setdefault('__path__',[]);(p not in mp) and mp.append(p)\n"
	oldestNamespace = "import sys,types,os; p = os.path.join(sys._getframe(1).f_locals['sitedir'], *('a', 'b')); ie = os.path.exists(os.path.join(p,'__init__.py')); " +
		"m = not ie and sys.modules.setdefault('a.b',types.ModuleType('a.b')); mp = (m or []) and m.__dict__.setdefault('__path__',[]); (p not in mp) and mp.append(p); m and setattr(sys.modules['a'], 'b', m)\n"
)

// method gives an entry another compression method.
func method(n uint16) func(*rawZip) {
	return func(z *rawZip) {
		for _, e := range z.entries {
			e.local.method, e.central.method = n, n
		}
	}
}

// mode gives an entry another Unix mode.
func mode(name string, m uint32) func(*rawZip) {
	return func(z *rawZip) { z.entry(name).central.mode = m }
}

// again adds an entry of a name that is there already.
func again(t *testing.T, name, text string) func(*rawZip) {
	return func(z *rawZip) { z.entries = append(z.entries, newRawEntry(t, name, text)) }
}

// without drops an entry.
func without(name string) func(*rawZip) {
	return func(z *rawZip) {
		z.entries = slices.DeleteFunc(z.entries, func(e *rawEntry) bool { return e.local.name == name })
	}
}

// withRecord are the wheels whose RECORD is not that of their files.
func withRecord() []handmade {
	const both = "pip uv"
	aHash := sha256Row("y=2\n")
	return []handmade{
		{name: "RECORD with a slash before its paths", record: lines("^pk/", "/pk/"), takes: both, flaw: noRow},
		{name: "RECORD with backslashes", record: func(s string) string { return strings.ReplaceAll(s, "pk/", `pk\`) }, takes: both, flaw: noRow},
		{name: "RECORD with another hash", record: func(s string) string { return strings.Replace(s, aHash, sha256Row("other"), 1) }, takes: both, flaw: "RECORD says " + sha256Row("other")},
		{name: "RECORD without a file", add: map[string]string{"LICENSES.txt": "MIT"}, record: lines("^LICENSES.*\n", ""), takes: both,
			laid: map[string]string{"LICENSES.txt": "MIT"}, flaw: `"LICENSES.txt": ` + noRow},
		{name: "RECORD with hashes in hex", record: lines("sha256=[^,]*", "sha256="+strings.Repeat("ab", 32)), takes: both, flaw: "is no sha256"},
		{name: "RECORD with commas that are not quoted", add: map[string]string{"pk/config_E=8,N=14336.json": "{}"}, record: func(s string) string { return strings.ReplaceAll(s, `"`, "") },
			takes: "pip", laid: map[string]string{"pk/config_E=8,N=14336.json": "{}"}, flaw: "fields, not path, hash and size", docs: "A line of RECORD that cannot be read"},
		{name: "RECORD without hashes", record: lines(`sha256=[^,]*,\d+`, ","), takes: both, flaw: "RECORD has no hash of it"},
		{name: "RECORD with md5", record: lines("sha256=[^,]*", "md5=1B2M2Y8AsgTpgAmY7PhCfg"), takes: both, flaw: "want sha256"},
		{name: "RECORD with a file that is gone", record: func(s string) string { return s + "pk/removed.py," + emptySHA256 + ",0\n" }, takes: both, flaw: "the wheel does not have it"},
		{name: "RECORD without a line", record: func(string) string { return "" }, takes: both, flaw: noRow},
		{name: "RECORD with ./", record: lines("^pk/", "./pk/"), takes: both, flaw: noRow},
		{name: "RECORD with another hash of METADATA", record: lines("(METADATA),[^,]*,", "${1},"+emptySHA256+","), takes: both, flaw: "RECORD says " + emptySHA256},
		// Neighbours.
		{name: "RECORD with another size", record: lines(`^(pk/a.py,[^,]*),\d+`, "${1},999"), takes: both, flaw: "RECORD says 999"},
		{name: "RECORD with two rows", record: func(s string) string { return "pk/a.py," + sha256Row("zz") + ",2\n" + s }, takes: both, flaw: "two different rows"},
		{name: "RECORD with two fields", record: lines(`^(pk/a.py,[^,]*),\d+`, "$1"), takes: "pip", flaw: "2 fields", docs: "A line of RECORD that cannot be read"},
		{name: "RECORD with a byte order mark", record: func(s string) string { return "\uFEFF" + s }, takes: both, flaw: noRow},
		{name: "RECORD with an open quote", record: func(s string) string { return "\"pk/b.py\n" + s }, takes: "pip", flaw: "read RECORD", docs: "A line of RECORD that cannot be read"},
		{name: "RECORD with a size in words", record: lines(`^(pk/a.py,[^,]*),\d+`, "${1},many"), takes: "pip", flaw: `"many" is no size`, docs: "A line of RECORD that cannot be read"},
		{name: "RECORD with a path that leaves the wheel", record: func(s string) string { return s + "../../../../etc/passwd,,\n" }, takes: both, flaw: "the wheel does not have it"},
		{name: "no RECORD", bend: without("pk-1.0.dist-info/RECORD"), refused: "it is missing"},
	}
}

// withMetadata are the wheels whose .dist-info is odd.
func withMetadata() []handmade {
	const both = "pip uv"
	return []handmade{
		{name: "empty tags", wheel: "Wheel-Version: 1.0\nGenerator: custom\nRoot-Is-Purelib: false\nTag: \nTag: -manylinux_2_17_x86_64\n", takes: both},
		{name: "no Root-Is-Purelib", wheel: "Wheel-Version: 1.0\nGenerator: bazel\nTag: py3-none-any\n", takes: both, flaw: "Root-Is-Purelib"},
		{name: "METADATA with a byte order mark", meta: "\uFEFF" + metaOK, refused: "the file name says pk 1.0"},
		{name: "METADATA in Latin-1", meta: metaOK + "Author: Andr\xe9\n", takes: "uv", docs: "METADATA in another encoding"},
		{name: "METADATA of another version", file: "pk-1.0.dev0-py3-none-any.whl", info: "pk-1.0.dev0.dist-info", meta: "Metadata-Version: 2.1\nName: pk\nVersion: 1.0.0.dev1+g123\n",
			takes: "pip", refused: "the file name says pk 1.0.dev0", docs: "METADATA of another name or version"},
		{name: "METADATA with a version in another spelling", file: "pk-1.10.0.dev0-py3-none-any.whl", info: "pk-1.10.0.dev0.dist-info", meta: "Metadata-Version: 2.1\nName: pk\nVersion: 1.10.0-dev\n", takes: both},
		{name: "METADATA of another name", meta: "Metadata-Version: 2.1\nName: Other\nVersion: 1.0\n", takes: "pip", refused: "the file name says pk 1.0", docs: "METADATA of another name or version"},
		{name: ".dist-info in capitals", info: "PK-1.0.dist-info", takes: both},
		{name: ".dist-info of another version", info: "pk-1.0+123.ab1.dist-info", takes: both, flaw: "does not belong to pk 1.0"},
		{name: ".data in capitals", add: map[string]string{"Pk-1.0.data/scripts/pkrun": "#!python\nprint(1)\n"}, takes: both,
			laid: map[string]string{"/bin/pkrun": "*#!/opt/venv/bin/python\nprint(1)\n"}, docs: "`.data` in other capitals"},
		{name: "a build tag with letters", file: "pk-1.0-1fixedarch-py3-none-any.whl", takes: both},
		{name: "two .dist-info", add: map[string]string{"vendored-2.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: vendored\nVersion: 2.0\n"}, refused: "two .dist-info directories"},
		{name: ".egg-info", add: map[string]string{"pk.egg-info/PKG-INFO": "x"}, takes: both, laid: map[string]string{"pk.egg-info/PKG-INFO": "x"}},
		{name: "a version with zeros", file: "pk-2024.01.05-py3-none-any.whl", info: "pk-2024.01.05.dist-info", meta: "Metadata-Version: 2.1\nName: pk\nVersion: 2024.01.05\n", takes: both},
		{name: "a local version", file: "pk-2.1.2+pt21cu121-cp311-cp311-linux_x86_64.whl", info: "pk-2.1.2+pt21cu121.dist-info",
			meta: "Metadata-Version: 2.1\nName: pk\nVersion: 2.1.2+pt21cu121\n", takes: both},
		{name: "Wheel-Version 1.9", wheel: "Wheel-Version: 1.9\nGenerator: t\nRoot-Is-Purelib: True\nTag: py3-none-any\n", takes: both},
		{name: "no Metadata-Version", meta: "Name: pk\nVersion: 1.0\n", takes: both},
		// Neighbours.
		{name: "Root-Is-Purelib is yes", wheel: "Wheel-Version: 1.0\nRoot-Is-Purelib: yes\n", takes: both, flaw: "Root-Is-Purelib"},
		{name: "no Wheel-Version", wheel: "Generator: x\nRoot-Is-Purelib: true\n", refused: `Wheel-Version is ""`},
		{name: "Wheel-Version 2.0", wheel: "Wheel-Version: 2.0\nRoot-Is-Purelib: true\n", refused: "only 1.x is known"},
		{name: ".dist-info of another name", info: "other-1.0.dist-info", refused: "does not belong to pk 1.0"},
		{name: "METADATA with a broken line", meta: "Metadata-Version: 2.1\nbroken line\nName: pk\nVersion: 1.0\n", refused: "the file name says pk 1.0"},
		{name: "METADATA in small letters", meta: "metadata-version: 2.1\nname: pk\nversion: 1.0\n", takes: both},
		{name: ".data of the version of .dist-info", info: "pk-1.0+123.ab1.dist-info", add: map[string]string{"pk-1.0+123.ab1.data/scripts/pkrun": "#!python\nprint(1)\n"}, takes: both,
			laid: map[string]string{"/bin/pkrun": "*#!/opt/venv/bin/python\nprint(1)\n"}, flaw: "does not belong to pk 1.0", docs: "Scripts that the zip does not mark as executable"},
		{name: ".dist-info without a version", info: "pk.dist-info", takes: both, flaw: "does not belong to pk 1.0"},
		{name: "no WHEEL", bend: without("pk-1.0.dist-info/WHEEL"), refused: "it is missing"},
		{name: "no METADATA", bend: without("pk-1.0.dist-info/METADATA"), refused: "it is missing"},
	}
}

// withScripts are the wheels with programs.
func withScripts() []handmade {
	const both = "pip uv"
	const script = "#!/opt/venv/bin/python\n# -*- coding: utf-8 -*-\nimport sys\nfrom pk import main\nif __name__ == \"__main__\":\n    sys.exit(main())\n"
	points := func(text string) map[string]string { return map[string]string{"{info}/entry_points.txt": text} }
	return []handmade{
		{name: "a script with carriage returns", add: map[string]string{"{data}/scripts/pkrun": "#!/bin/sh\r\necho hi\r\n"}, takes: both,
			laid: map[string]string{"/bin/pkrun": "*#!/bin/sh\r\necho hi\r\n"}, docs: "Scripts that the zip does not mark as executable"},
		{name: "an entry point without a value", add: points("[console_scripts]\npkrun = pk:main\npk tool = pk:main\n[foo]\nbar\n"), refused: `"bar" of section foo has no value`},
		{name: "an entry point that is a module", add: points("[console_scripts]\npkrun = pk\n"), refused: "is not of the form name = module:function"},
		{name: "an entry point in no section", add: points("pkrun = pk:main\n"), takes: "pip", docs: "Lines of `entry_points.txt`"},
		{name: "a script of another Python", add: map[string]string{"{data}/scripts/python-config-pk": "#!/usr/bin/env python3\nprint(1)\n"}, takes: both,
			laid: map[string]string{"/bin/python-config-pk": "*#!/usr/bin/env python3\nprint(1)\n"}, docs: "Scripts that the zip does not mark as executable"},
		{name: "a section in capitals", add: points("[Console_Scripts]\npkrun = pk:main\n"), takes: both},
		// Neighbours.
		{name: "an entry point over two lines", add: points("[foo]\nbar =\n  baz\n[console_scripts]\npkrun = pk:main\n"), takes: "uv", laid: map[string]string{"/bin/pkrun": "*" + script},
			docs: "Lines of `entry_points.txt`"},
		{name: "entry points in two cases", add: points("[console_scripts]\npkrun = pk:main\nPKrun = pk:main\n"), takes: both,
			laid: map[string]string{"/bin/pkrun": "*" + script, "/bin/PKrun": "*" + script}, flaw: "in nothing but case"},
		{name: "an entry point twice", add: points("[console_scripts]\npkrun = pk:main\npkrun = pk.a:main\n"), takes: "pip", refused: "two different programs", docs: "Two programs of one name"},
		{name: "a program python", add: map[string]string{"{data}/scripts/python": "x"}, takes: "pip", refused: "it would replace bin/python", docs: "takes the place of the interpreter"},
	}
}

// withFiles are the wheels whose zip or whose files' names are odd.
func withFiles(t *testing.T) []handmade {
	const both = "pip uv"
	return []handmade{
		{name: "names in two cases", add: map[string]string{"pk/include/xt_DSCP.h": "a", "pk/include/xt_dscp.h": "b"}, takes: both,
			laid: map[string]string{"pk/include/xt_DSCP.h": "a", "pk/include/xt_dscp.h": "b"}, flaw: "in nothing but case"},
		{name: "a symbolic link", add: map[string]string{"pk/libfoo.so": "libfoo.so.1", "pk/libfoo.so.1": "elf"}, bend: mode("pk/libfoo.so", 0o120777), takes: both,
			laid: map[string]string{"pk/libfoo.so": "libfoo.so.1", "pk/libfoo.so.1": "elf"}, flaw: "symbolic link", docs: "A symbolic link"},
		{name: "names beyond ASCII", add: map[string]string{"pk/données.txt": "x", "pk/日本.json": "{}"}, takes: both, laid: map[string]string{"pk/données.txt": "x", "pk/日本.json": "{}"},
			bend: func(z *rawZip) {
				for _, e := range z.entries {
					e.local.flags, e.central.flags = 0x800, 0x800
				}
			}},
		{name: "names beyond ASCII without the flag", add: map[string]string{"pk/données.txt": "x", "pk/日本.json": "{}"}, takes: "pip",
			laid: map[string]string{"pk/données.txt": "x", "pk/日本.json": "{}"}, docs: "without the zip's flag for UTF-8"},
		{name: "no Unix modes", takes: both, bend: func(z *rawZip) {
			for _, e := range z.entries {
				e.central.mode = 0
			}
		}},
		{name: "bzip2", bend: method(12), takes: "pip", refused: "compression method 12", docs: "bzip2 and LZMA"},
		{name: "LZMA", bend: method(14), takes: "pip", refused: "compression method 14", docs: "bzip2 and LZMA"},
		{name: "an executable", add: map[string]string{"pk/bin/tool": "#!/bin/sh\necho ok\n"}, bend: mode("pk/bin/tool", 0o100755), takes: both,
			laid: map[string]string{"pk/bin/tool": "*#!/bin/sh\necho ok\n"}},
		{name: "bin at the top", add: map[string]string{"bin/tool": "x", "{data}/data/etc/pk.conf": "x", "{data}/data/share/jupyter/kernels/pk/kernel.json": "{}"}, takes: both,
			laid: map[string]string{"bin/tool": "x", "/etc/pk.conf": "x", "/share/jupyter/kernels/pk/kernel.json": "{}"}},
		{name: "an unknown scheme", add: map[string]string{"{data}/sysconfig/x": "y"}, refused: "is no scheme of .data"},
		{name: "a backslash in a name", add: map[string]string{`pk\win.py`: "x=1"}, takes: both, laid: map[string]string{`pk\win.py`: "x=1"}, flaw: "backslash"},
		{name: "a file twice", bend: again(t, "pk/a.py", "y=2\n"), takes: both, flaw: "it is there twice"},
		{name: "bytecode", add: map[string]string{"pk/__pycache__/a.cpython-311.pyc": "\x00\x00"}, takes: both, laid: map[string]string{"pk/__pycache__/a.cpython-311.pyc": "\x00\x00"}},
		{name: "a namespace with a carriage return", add: map[string]string{"pk-1.0-nspkg.pth": strings.Replace(namespace, "\n", "\r\n", 1)}, takes: both,
			laid: map[string]string{"pk-1.0-nspkg.pth": strings.Replace(namespace, "\n", "\r\n", 1)}},
		{name: "a namespace of old", add: map[string]string{"pk-1.0-nspkg.pth": oldNamespace}, takes: both, laid: map[string]string{"pk-1.0-nspkg.pth": oldNamespace}},
		{name: "headers", add: map[string]string{"{data}/headers/pk.h": "int x;\n", "{data}/data/include/pk2.h": "int y;\n"}, takes: both,
			laid: map[string]string{"/include/site/python3.11/pk/pk.h": "int x;\n", "/include/pk2.h": "int y;\n"}},
		// Neighbours.
		{name: "a link out of the wheel", add: map[string]string{"pk/up": "../../../../etc/passwd"}, bend: mode("pk/up", 0o120777), takes: both,
			laid: map[string]string{"pk/up": "../../../../etc/passwd"}, flaw: "symbolic link", docs: "A symbolic link"},
		{name: "a device", bend: mode("pk/a.py", 0o060644), takes: both, flaw: "special file"},
		{name: "a file with the mode of a directory", bend: mode("pk/a.py", 0o040755), takes: both, flaw: "special file", docs: "A symbolic link"},
		{name: "a file twice with other bytes", add: map[string]string{"pk/c.py": "1"}, bend: again(t, "pk/c.py", "2"), takes: both, laid: map[string]string{"pk/c.py": "2"}, flaw: "it is there twice"},
		{name: "directories in two cases", add: map[string]string{"Pk/b.py": "z=1\n"}, takes: both, laid: map[string]string{"Pk/b.py": "z=1\n"}},
		{name: "a file and a directory", add: map[string]string{"pk": "x"}, refused: `"pk" is a file, not a directory`},
		{name: "a file in purelib as well", add: map[string]string{"pk/c.py": "1", "{data}/purelib/pk/c.py": "2"}, takes: both, laid: map[string]string{"pk/c.py": "2"}, flaw: "it is there twice"},
		{name: "backslashes that would lead out", add: map[string]string{`..\evil.py`: "x=1"}, takes: both, laid: map[string]string{`..\evil.py`: "x=1"}, flaw: "backslash"},
		{name: "a drive letter", add: map[string]string{"C:/evil.py": "x=1"}, takes: both, laid: map[string]string{"C:/evil.py": "x=1"}, flaw: "drive letter"},
		{name: "./ in a name", add: map[string]string{"./pk/c.py": "x=1"}, takes: both, laid: map[string]string{"pk/c.py": "x=1"}, flaw: "part"},
		{name: "// in a name", add: map[string]string{"pk//c.py": "x=1"}, takes: both, laid: map[string]string{"pk/c.py": "x=1"}, flaw: "part"},
		{name: "../ in a name", add: map[string]string{"../evil.py": "x=1"}, takes: "uv", refused: "part", docs: "A name that leaves the wheel"},
		{name: "../ in a name that stays inside", add: map[string]string{"pk/../c.py": "x=1"}, takes: both, refused: "part", docs: "A name with `..`"},
		{name: "an absolute name", add: map[string]string{"/abs.py": "x=1"}, takes: "uv", refused: "its name is absolute", docs: "A name that leaves the wheel"},
		{name: "a tab in a name", add: map[string]string{"pk/a\tb.py": "x"}, takes: "pip", refused: "control characters", docs: "control characters"},
		{name: "bytes before the zip", bend: func(z *rawZip) { z.prefix = []byte("#!/bin/sh\n") }, takes: "pip", refused: "data before the first entry", docs: "Bytes before, between or behind"},
		{name: "bytes behind the zip", bend: func(z *rawZip) { z.trailing = []byte("more") }, takes: "pip", refused: "data after the end", docs: "Bytes before, between or behind"},
		{name: "a namespace of today", add: map[string]string{"pk-1.0-nspkg.pth": noVersions}, takes: both, laid: map[string]string{"pk-1.0-nspkg.pth": noVersions}},
		{name: "a namespace of long ago", add: map[string]string{"pk-1.0-nspkg.pth": oldestNamespace}, takes: both, laid: map[string]string{"pk-1.0-nspkg.pth": oldestNamespace}},
	}
}

// path writes the wheel.
func (h handmade) path(t *testing.T) string {
	t.Helper()
	info := orElse(h.info, "pk-1.0.dist-info")
	expand := strings.NewReplacer("{info}/", info+"/", "{data}/", strings.TrimSuffix(info, ".dist-info")+".data/")
	all := map[string]string{
		"pk/__init__.py": "x=1\n", "pk/a.py": "y=2\n",
		info + "/WHEEL":    orElse(h.wheel, "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
		info + "/METADATA": orElse(h.meta, metaOK),
	}
	for name, text := range h.add {
		all[expand.Replace(name)] = text
	}
	var rows strings.Builder
	z := &rawZip{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		z.entries = append(z.entries, newRawEntry(t, name, all[name]))
		quoted := name
		if strings.Contains(name, ",") {
			quoted = `"` + name + `"`
		}
		fmt.Fprintf(&rows, "%s,%s,%d\n", quoted, sha256Row(all[name]), len(all[name]))
	}
	record := rows.String() + info + "/RECORD,,\n"
	if h.record != nil {
		record = h.record(record)
	}
	z.entries = append(z.entries, newRawEntry(t, info+"/RECORD", record))
	if h.bend != nil {
		h.bend(z)
	}
	return writeAs(t, orElse(h.file, "pk-1.0-py3-none-any.whl"), z.bytes())
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// TestHandmadeWheels: what pip and uv both install is installed, with the same files, and a RECORD of them; what neither installs is refused. Where the two differ, or one of
// their ways is not followed, the page says so with the reason.
func TestHandmadeWheels(t *testing.T) {
	page, err := os.ReadFile("../../docs/wheels.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range slices.Concat(withRecord(), withMetadata(), withScripts(), withFiles(t)) {
		t.Run(h.name, func(t *testing.T) {
			agree := h.takes == "pip uv" && h.refused == "" || h.takes == "" && h.refused != ""
			if !agree && h.docs == "" || !strings.Contains(string(page), h.docs) {
				t.Errorf("docs/wheels.md does not say %q", h.docs)
			}
			path := h.path(t)
			if h.refused != "" {
				refused(t, path, options, h.refused)
				return
			}
			root, done := install(t, path, options)
			h.compare(t, root)
			if told := strings.Join(done.Flaws, "\n"); !strings.Contains(told, h.flaw) || h.flaw == "" && told != "" {
				t.Errorf("told of it:\n%s\nwant %q", told, h.flaw)
			}
			if h.flaw != "" {
				refused(t, path, strictly, h.flaw)
			} else if _, err := wheel.Install(newRoot(t), path, strictly); err != nil {
				t.Errorf("refused by choice, though nothing is wrong with it: %v", err)
			}
		})
	}
}

// TestFlawedParts: of a wheel that is split, each part is installed, and RECORD says of the other parts what the wheel says.
func TestFlawedParts(t *testing.T) {
	path := handmade{record: func(s string) string {
		return lines(`^pk/b.py.*\n`, "")(strings.Replace(s, sha256Row("y=2\n"), sha256Row("other"), 1))
	}, add: map[string]string{"pk/b.py": strings.Repeat("b", 900), "pk/c.py": strings.Repeat("c", 800)}}.path(t)
	there, record := map[string]string{}, ""
	for k := range 3 {
		o := options
		o.Part = wheel.Part{K: k, N: 3}
		root, _ := install(t, path, o)
		for name := range files(tree(t, root)) {
			there[name] = read(t, root, name)
			if strings.HasSuffix(name, "/RECORD") {
				record = there[name]
			}
		}
	}
	if !strings.Contains(record, "pk/b.py,,900\n") || !strings.Contains(record, "pk/c.py,"+sha256Row(strings.Repeat("c", 800))+",800\n") || there[site+"pk/a.py"] != "y=2\n" {
		t.Errorf("RECORD:\n%s", record)
	}
}

// TestFlawedReplaced: a wheel without hashes takes the place of another's files.
func TestFlawedReplaced(t *testing.T) {
	path := handmade{record: func(string) string { return "" }}.path(t)
	o := options
	o.Replace = true
	root, _ := install(t, path, o)
	done, err := wheel.Install(root, path, o)
	if err != nil || !slices.Contains(done.Replaced, "/"+site+"pk/a.py") {
		t.Errorf("%+v, %v", done, err)
	}
}

// compare holds what is installed against what is laid down by others, and RECORD against what is there.
func (h handmade) compare(t *testing.T, root *os.Root) {
	t.Helper()
	info := site + orElse(h.info, "pk-1.0.dist-info")
	want := map[string]string{site + "pk/__init__.py": "x=1\n", site + "pk/a.py": "y=2\n"}
	for name, text := range h.laid {
		if below, ok := strings.CutPrefix(name, "/"); ok {
			want["opt/venv/"+below] = text
		} else {
			want[site+name] = text
		}
	}
	got, there := map[string]string{}, map[string]string{}
	for name, line := range files(tree(t, root)) {
		text := read(t, root, name)
		there[name] = text
		if !strings.HasPrefix(name, info) {
			got[name] = map[bool]string{true: "*"}[strings.HasPrefix(line, "-rwx")] + text
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	checkOwnRecord(t, there, info+"/RECORD")
}

// checkOwnRecord wants a RECORD that lists every file once, with its hash and size.
func checkOwnRecord(t *testing.T, there map[string]string, record string) {
	t.Helper()
	rows, err := wheel.ReadRecord(strings.NewReader(there[record]))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		name := site + row.Path
		if below, ok := strings.CutPrefix(row.Path, "../../../"); ok {
			name = "opt/venv/" + below
		}
		text, ok := there[name]
		if !ok || name != record && (row.Hash != sha256Row(text) || row.Size != int64(len(text))) {
			t.Errorf("RECORD says %+v; there are %d bytes with %s", row, len(text), sha256Row(text))
		}
		delete(there, name)
	}
	for name := range there {
		t.Errorf("RECORD does not list %s", name)
	}
}
