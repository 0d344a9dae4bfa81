package wheel_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

func TestRefusesNames(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"/etc/passwd", "its name is absolute"},
		{"../evil.py", `its name has an empty, "." or ".." part`},
		{"demo/../../evil.py", `its name has an empty, "." or ".." part`},
		{"./demo.py", `its name has an empty, "." or ".." part`},
		{"demo//x.py", `its name has an empty, "." or ".." part`},
		{"demo/..", `its name has an empty, "." or ".." part`},
		{`demo\x.py`, "its name has a backslash"},
		{`..\evil.py`, "its name has a backslash"},
		{"C:/evil.py", "its name starts with a drive letter"},
		{"c:evil.py", "its name starts with a drive letter"},
		{"a\x00b.py", "its name has control characters"},
		{"a\nb.py", "its name has control characters"},
		{"a\xff.py", "its name is not UTF-8"},
		{strings.Repeat("a", 256), "its name has a part of more than 255 bytes"},
		{strings.Repeat("abcdefg/", 600) + "x", "its name is too long"},
		{"demo-1.0.data/data/../../../x", `its name has an empty, "." or ".." part`},
	} {
		t.Run(c.name[:min(len(c.name), 30)], func(t *testing.T) {
			z := newRawZip(t, nil)
			z.entries = append(z.entries, newRawEntry(t, c.name, "x"))
			refused(t, write(t, z.bytes()), strictly, fmt.Sprintf("%q: %s", c.name, c.want))
		})
	}
}

func TestRefusesFiles(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"case", map[string]string{"demo/A.py": "", "demo/a.py": ""}, `"demo/a.py": it differs from "demo/A.py" in nothing but case`},
		{"case of a directory", map[string]string{"Demo/a.py": "", "demo/a.py": ""}, "in nothing but case"},
		{"Kelvin sign", map[string]string{"demo/k.py": "", "demo/\u212a.py": ""}, "in nothing but case"},
		{"file and directory", map[string]string{"demo": "", "demo/a.py": ""}, `"demo/a.py": "demo" is a file, not a directory`},
		{"two places of one file", map[string]string{"a.py": "1", "{data}/purelib/a.py": "1"}, `"lib/python3.11/site-packages/a.py": it is there twice`},
		{"file over directory by .data", map[string]string{"a/b.py": "1", "{data}/purelib/a": "1"}, "is a file, not a directory"},
		{"unknown scheme", map[string]string{"{data}/stdlib/os.py": ""}, `"demo-1.0.data/stdlib/os.py": "stdlib" is no scheme of .data`},
		{"no scheme", map[string]string{"{data}/x": ""}, `"demo-1.0.data/x": it is in .data, but under no scheme`},
		{"python", map[string]string{"{data}/scripts/python": ""}, "it would replace bin/python of the virtual environment"},
		{"python3.11", map[string]string{"{data}/data/bin/python3.11": ""}, "it would replace bin/python3.11"},
		{"Python", map[string]string{"{data}/scripts/Python3": ""}, "it would replace bin/Python3"},
		{"pip", map[string]string{"{data}/scripts/pip3.11": ""}, "it would replace bin/pip3.11"},
		{"activate", map[string]string{"{data}/scripts/activate": ""}, "it would replace bin/activate"},
		{"activate.fish", map[string]string{"{data}/data/bin/activate.fish": ""}, "it would replace bin/activate.fish"},
		{"pyvenv.cfg", map[string]string{"{data}/data/pyvenv.cfg": ""}, "it would replace pyvenv.cfg"},
		{"lib64", map[string]string{"{data}/data/lib64": ""}, "it would replace lib64"},
		{"a file lib64/x beside the link", map[string]string{"{data}/data/LIB64/x": ""}, "it would replace LIB64"},
		{"a directory python", map[string]string{"{data}/data/bin/python/x": ""}, "it would replace bin/python"},
		{"bin itself", map[string]string{"{data}/data/bin": ""}, "it would replace the directory bin"},
		{"include itself", map[string]string{"{data}/data/include": ""}, "it would replace the directory include"},
		{"another .dist-info", map[string]string{"other-1.0.dist-info/METADATA": ""}, "two .dist-info directories: demo-1.0.dist-info and other-1.0.dist-info"},
		{"wheel version 2", map[string]string{"{info}/WHEEL": "Wheel-Version: 2.0\nRoot-Is-Purelib: true\n"}, `Wheel-Version is "2.0", only 1.x is known`},
		{"no wheel version", map[string]string{"{info}/WHEEL": "Root-Is-Purelib: true\n"}, `Wheel-Version is ""`},
		{"no root", map[string]string{"{info}/WHEEL": "Wheel-Version: 1.0\n"}, "Root-Is-Purelib is neither true nor false"},
		{"other name", map[string]string{"{info}/METADATA": "Name: other\nVersion: 1.0\n"}, "it is of other 1.0, the file name says demo 1.0"},
		{"other version", map[string]string{"{info}/METADATA": "Name: demo\nVersion: 1.1\n"}, "it is of demo 1.1, the file name says demo 1.0"},
		{"name in the body", map[string]string{"{info}/METADATA": "Version: 1.0\n\nName: demo\n"}, "the file name says demo 1.0"},
	} {
		t.Run(c.name, func(t *testing.T) { refused(t, demo(t, c.files), strictly, c.want) })
	}
}

func TestRefusesLink(t *testing.T) {
	path := demo(t, map[string]string{"demo/passwd": "/etc/passwd"}, wheeltest.Symlink("demo/passwd"))
	refused(t, path, strictly, `"demo/passwd": it is a symbolic link or a special file`)
}

func TestRefusesMissingMetadata(t *testing.T) {
	for _, name := range []string{"WHEEL", "METADATA", "RECORD"} {
		z := newRawZip(t, nil)
		e := z.entry("demo-1.0.dist-info/" + name)
		e.local.name += "2"
		e.central.name += "2"
		refused(t, write(t, z.bytes()), options, `"demo-1.0.dist-info/`+name+`": it is missing`)
	}
	data := wheeltest.Build("other", "1.0", tag, nil)
	refused(t, write(t, data), options, "other-1.0.dist-info does not belong to demo 1.0")
	refused(t, write(t, (&rawZip{}).bytes()), options, "no .dist-info directory")
}

// TestTellsAllFaults wants every fault of one kind, and an end after twenty.
func TestTellsAllFaults(t *testing.T) {
	z := newRawZip(t, nil)
	for i := range 30 {
		z.entries = append(z.entries, newRawEntry(t, fmt.Sprintf("../%02d", i), ""))
	}
	_, err := wheel.Install(newRoot(t), write(t, z.bytes()), options)
	all := fault.All(err)
	if len(all) != 21 || !strings.Contains(all[0].Message, "../00") || !strings.Contains(all[20].Message, "10 more faults") {
		t.Errorf("%d faults:\n%v", len(all), err)
	}
}

// TestFaultOrder wants faults found by several workers in the order of the files.
func TestFaultOrder(t *testing.T) {
	files := map[string]string{}
	for i := range 10 {
		files[fmt.Sprintf("d%d/a.py", i)] = strings.Repeat("x", 10*i)
	}
	wrong := wheeltest.Record(func(s string) string {
		lines := strings.SplitAfter(s, "\n")
		for i, l := range lines {
			if path, rest, _ := strings.Cut(l, ","); strings.HasPrefix(path, "d") && strings.HasSuffix(path, "a.py") {
				_, size, _ := strings.Cut(rest, ",")
				lines[i] = path + "," + sha256Row("other") + "," + size
			}
		}
		return strings.Join(lines, "")
	})
	path := demo(t, files, wrong)
	var first string
	for _, workers := range []int{1, 4} {
		_, err := wheel.Install(newRoot(t), path, wheel.Options{Python: "3.11", Workers: workers, Strict: true})
		if len(fault.All(err)) != 10 {
			t.Fatalf("%d faults, want 10: %v", len(fault.All(err)), err)
		}
		if first == "" {
			first = err.Error()
		}
		if err.Error() != first {
			t.Errorf("faults differ with %d workers:\n%v\nand\n%s", workers, err, first)
		}
	}
}

func TestAllowsOwnPip(t *testing.T) {
	files := map[string]string{"{info}/entry_points.txt": "[console_scripts]\npip = pip.main:main\npip3.11 = pip.main:main\n"}
	path, err := wheeltest.Write(t.TempDir(), "pip", "1.0", tag, files)
	if err != nil {
		t.Fatal(err)
	}
	root, _ := install(t, path, options)
	read(t, root, "opt/venv/bin/pip3.11")
	refused(t, demo(t, files), options, "it would replace bin/pip of the virtual environment")
}
