package wheel_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// everything is a wheel with a file of every kind.
func everything(t testing.TB) string {
	return demo(t, map[string]string{
		"demo/":                         "",
		"demo/__init__.py":              "x = 1\n",
		"demo/tool":                     "binary",
		"demo/ü, \"q\".txt":             "odd name",
		"{data}/purelib/pure.py":        "pure\n",
		"{data}/platlib/plat.py":        "plat\n",
		"{data}/scripts/run":            "#!python\nprint(1)\n",
		"{data}/scripts/runw":           "#!pythonw -E -s\r\nprint(2)\n",
		"{data}/scripts/tool":           "#!/bin/sh\necho\n",
		"{data}/scripts/demo":           "#!python\nshadowed by the entry point\n",
		"{data}/headers/demo.h":         "int x;\n",
		"{data}/data/share/demo.txt":    "data\n",
		"{data}/data/lib64/demo.so":     "lib\n",
		"{data}/data/bin/helper":        "#!python\nas it is\n",
		"{info}/entry_points.txt":       "[console_scripts]\ndemo = demo.cli:Main.run [extra]\n[gui_scripts]\ndemo-gui=demo:main\n[other]\nx = y\n",
		"{info}/RECORD.jws":             "signature",
		"{info}/INSTALLER":              "somebody else",
		"{info}/direct_url.json":        "{}",
		"{info}/licenses/LICENSE":       "free\n",
		"{info}/sboms/demo.cdx.json":    "{}",
		"demo/sub/__init__.py":          "",
		"another_top.py":                "top\n",
		"demo-1.0.data.txt":             "no scheme\n",
		"other-2.0.data/purelib/old.py": "of no meaning\n",
	}, wheeltest.Executable("demo/tool", "{data}/data/bin/helper"))
}

func TestInstallPlaces(t *testing.T) {
	o := options
	o.Requested, o.DirectURL = true, []byte(`{"url": "https://files.example/demo"}`)
	root, done := install(t, everything(t), o)
	want := map[string]string{
		site + "demo/__init__.py":                      "x = 1\n",
		site + "demo/tool":                             "binary",
		site + "demo/ü, \"q\".txt":                     "odd name",
		site + "demo/sub/__init__.py":                  "",
		site + "pure.py":                               "pure\n",
		site + "plat.py":                               "plat\n",
		"opt/venv/bin/run":                             "#!/opt/venv/bin/python\nprint(1)\n",
		"opt/venv/bin/runw":                            "#!/opt/venv/bin/python -E -s\nprint(2)\n",
		"opt/venv/bin/tool":                            "#!/bin/sh\necho\n",
		"opt/venv/bin/helper":                          "#!python\nas it is\n",
		"opt/venv/share/demo.txt":                      "data\n",
		"opt/venv/lib/demo.so":                         "lib\n",
		info + "INSTALLER":                             "mlbuild\n",
		info + "REQUESTED":                             "",
		info + "direct_url.json":                       `{"url": "https://files.example/demo"}`,
		info + "licenses/LICENSE":                      "free\n",
		info + "sboms/demo.cdx.json":                   "{}",
		site + "another_top.py":                        "top\n",
		site + "demo-1.0.data.txt":                     "no scheme\n",
		site + "other-2.0.data/purelib/old.py":         "of no meaning\n",
		"opt/venv/include/site/python3.11/demo/demo.h": "int x;\n",
		"opt/venv/bin/demo": `#!/opt/venv/bin/python
# -*- coding: utf-8 -*-
import sys
from demo.cli import Main
if __name__ == "__main__":
    sys.exit(Main.run())
`,
		"opt/venv/bin/demo-gui": `#!/opt/venv/bin/python
# -*- coding: utf-8 -*-
import sys
from demo import main
if __name__ == "__main__":
    sys.exit(main())
`,
	}
	got := map[string]string{}
	for path := range files(tree(t, root)) {
		got[path] = read(t, root, path)
	}
	var bytes int64
	for _, text := range got {
		bytes += int64(len(text))
	}
	if done.Name != "demo" || done.Version != "1.0" || done.Files != len(got) || done.Bytes != bytes || done.Replaced != nil {
		t.Errorf("Installed %+v; %d files and %d bytes are there", done, len(got), bytes)
	}
	for _, made := range []string{info + "RECORD", info + "WHEEL", info + "METADATA", info + "entry_points.txt"} {
		if got[made] == "" {
			t.Errorf("%s is missing", made)
		}
		delete(got, made)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestModesTimesOwners(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	root, _ := install(t, everything(t), options)
	exec := []string{site + "demo/tool", "opt/venv/bin/demo", "opt/venv/bin/demo-gui", "opt/venv/bin/helper", "opt/venv/bin/run", "opt/venv/bin/runw", "opt/venv/bin/tool"}
	err := fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o644)
		if d.IsDir() {
			want = fs.ModeDir | 0o755
		} else if slices.Contains(exec, path) {
			want = 0o755
		}
		if st.Mode() != want {
			t.Errorf("%s has mode %v, want %v", path, st.Mode(), want)
		}
		if st.ModTime().Unix() != 315532800 || st.ModTime().Nanosecond() != 0 {
			t.Errorf("%s has time %v", path, st.ModTime())
		}
		if sys := st.Sys().(*syscall.Stat_t); int(sys.Uid) != os.Getuid() || int(sys.Gid) != os.Getgid() {
			t.Errorf("%s belongs to %d:%d", path, sys.Uid, sys.Gid)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRecord holds the RECORD against the files that are there.
func TestRecord(t *testing.T) {
	o := options
	o.Requested = true
	root, _ := install(t, everything(t), o)
	rows, err := wheel.ReadRecord(strings.NewReader(read(t, root, info+"RECORD")))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSortedFunc(rows, func(a, b wheel.Row) int { return strings.Compare(a.Path, b.Path) }) {
		t.Error("RECORD is not sorted")
	}
	listed := map[string]bool{}
	for _, row := range rows {
		path := filepath.Join(site, row.Path)
		listed[path] = true
		if path == info+"RECORD" {
			if row.Hash != "" || row.Size != -1 {
				t.Errorf("RECORD has its own hash: %+v", row)
			}
			continue
		}
		data := read(t, root, path)
		if int64(len(data)) != row.Size || sha256Row(data) != row.Hash {
			t.Errorf("%s: RECORD says %+v, there are %d bytes with %s", path, row, len(data), sha256Row(data))
		}
	}
	there := files(tree(t, root))
	for path := range there {
		if !listed[path] {
			t.Errorf("RECORD does not list %s", path)
		}
	}
	if len(listed) != len(there) {
		t.Errorf("RECORD lists %d files, there are %d", len(listed), len(there))
	}
}

func TestEqualTrees(t *testing.T) {
	path := everything(t)
	root, _ := install(t, path, options)
	want := tree(t, root)
	for _, workers := range []int{1, 2, 3, 16} {
		o := options
		o.Workers = workers
		again, _ := install(t, path, o)
		if diff := cmp.Diff(want, tree(t, again)); diff != "" {
			t.Errorf("%d workers (-first +now):\n%s", workers, diff)
		}
	}
}

func TestParts(t *testing.T) {
	big := map[string]string{"{data}/scripts/run": "#!python\n" + strings.Repeat("#", 5000), "{data}/data/share/x": "x"}
	for i, size := range []int{9000, 7000, 7000, 4000, 100, 90, 1} {
		big["demo/"+string(rune('a'+i))] = strings.Repeat("x", size)
	}
	path := demo(t, big)
	root, _ := install(t, path, options)
	whole := files(tree(t, root))
	for _, n := range []int{1, 2, 3, 5, 50} {
		union := map[string]string{}
		for k := range n {
			o := options
			o.Part = wheel.Part{K: k, N: n}
			root, done := install(t, path, o)
			part := files(tree(t, root))
			if len(part) != done.Files {
				t.Errorf("part %d of %d has %d files, says %d", k, n, len(part), done.Files)
			}
			for p, line := range part {
				if union[p] != "" {
					t.Errorf("%s is in two parts of %d", p, n)
				}
				union[p] = line
			}
			if _, ok := part[info+"RECORD"]; ok != (k == 0) {
				t.Errorf("RECORD in part %d of %d: %t", k, n, ok)
			}
		}
		if diff := cmp.Diff(whole, union); diff != "" {
			t.Errorf("%d parts (-whole +parts):\n%s", n, diff)
		}
	}
	o := options
	o.Part = wheel.Part{K: 2, N: 3}
	root, _ = install(t, path, o)
	o.Part = wheel.Part{K: 49, N: 50}
	empty, done := install(t, path, o)
	if st, err := empty.Stat("."); err != nil || done.Files != 0 || !st.ModTime().Equal(wheel.ModTime) {
		t.Errorf("an empty part: %+v, root's time %v, %v", done, st.ModTime(), err)
	}
	got := slices.Sorted(maps.Keys(files(tree(t, root))))
	if want := []string{site + "demo/b", site + "demo/d"}; !slices.Equal(got, want) {
		t.Errorf("part 2 of 3 has %v, want %v", got, want)
	}
}

func TestReplace(t *testing.T) {
	first := demo(t, map[string]string{"shared/same.py": "same", "shared/other.py": "one", "shared/x": "file"})
	make2 := func(files map[string]string) string {
		path, err := wheeltest.Write(t.TempDir(), "second", "2", tag, files)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	second := make2(map[string]string{"shared/same.py": "same", "shared/other.py": "two"})
	root, _ := install(t, first, options)
	if _, err := wheel.Install(root, second, options); !fault.Is(err, fault.WheelUnsafe) || !strings.Contains(err.Error(), `"shared/other.py": another wheel has a file of this name`) {
		t.Errorf("without Replace: %v", err)
	}
	root, _ = install(t, first, options)
	o := options
	o.Replace = true
	done, err := wheel.Install(root, second, o)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"/" + site + "shared/other.py"}; !slices.Equal(done.Replaced, want) {
		t.Errorf("Replaced %v, want %v", done.Replaced, want)
	}
	if got := read(t, root, site+"shared/other.py"); got != "two" {
		t.Errorf("the first wheel's file is there: %q", got)
	}
	for path, line := range tree(t, root) {
		if !strings.Contains(line, " 315532800000000000") {
			t.Errorf("%s: %s: not the fixed time", path, line)
		}
	}
	if _, err := wheel.Install(root, make2(map[string]string{"shared/x/y": ""}), o); !fault.Is(err, fault.WheelUnsafe) || !strings.Contains(err.Error(), `second-2-py3-none-any.whl: "/`+site+`shared/x": it is needed as a directory`) {
		t.Errorf("a directory over a file: %v", err)
	}
	if _, err := wheel.Install(root, make2(map[string]string{"shared": ""}), o); !fault.Is(err, fault.WheelUnsafe) || !strings.Contains(err.Error(), `"shared": another wheel has a directory of this name`) {
		t.Errorf("a file over a directory: %v", err)
	}
}

func TestLargeEntry(t *testing.T) {
	text := strings.Repeat("0123456789abcdef", 3<<20/16*7)
	root, done := install(t, demo(t, map[string]string{"demo/big.so": text}), options)
	if got := read(t, root, site+"demo/big.so"); got != text {
		t.Errorf("the large file has %d bytes, want %d, or others", len(got), len(text))
	}
	if done.Bytes < int64(len(text)) {
		t.Errorf("Bytes = %d", done.Bytes)
	}
	// A link out of the root, made by somebody else, is not followed.
	outside := t.TempDir()
	bad := newRoot(t)
	if err := os.Symlink(outside, filepath.Join(bad.Name(), "opt")); err != nil {
		t.Fatal(err)
	}
	if _, err := wheel.Install(bad, demo(t, nil), options); err == nil {
		t.Error("installed through a link out of the root")
	}
	if left, _ := os.ReadDir(outside); len(left) > 0 {
		t.Errorf("wrote outside the root: %v", left)
	}
}

func TestInspect(t *testing.T) {
	path := everything(t)
	root, _ := install(t, path, options)
	listed, err := wheel.Inspect(path, options)
	if err != nil {
		t.Fatal(err)
	}
	there := files(tree(t, root))
	for _, f := range listed {
		p := strings.TrimPrefix(f.Path, "/")
		if data := read(t, root, p); sha256Row(data) != f.Hash || int64(len(data)) != f.Size {
			t.Errorf("%+v: there are %d bytes with %s", f, len(data), sha256Row(data))
		}
		if !strings.HasPrefix(there[p], fs.FileMode(f.Mode).String()) {
			t.Errorf("%+v: is %s", f, there[p])
		}
	}
	if len(listed) != len(there) {
		t.Errorf("%d files listed, %d there", len(listed), len(there))
	}
}

// TestEveryPython: a layer for any Python is made without one. Only its directory differs, and the scripts are the same.
func TestEveryPython(t *testing.T) {
	path := demo(t, nil)
	root, _ := install(t, path, options)
	there := tree(t, root)
	for _, python := range []string{"3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"} {
		want := map[string]string{}
		for name, says := range there {
			want[strings.Replace(name, "/python"+options.Python, "/python"+python, 1)] = says
		}
		root, _ := install(t, path, wheel.Options{Python: python})
		if d := cmp.Diff(want, tree(t, root)); d != "" {
			t.Errorf("Python %s (-want +got):\n%s", python, d)
		}
	}
}

func TestOptions(t *testing.T) {
	path := demo(t, nil)
	for _, o := range []wheel.Options{
		{}, {Python: "3"}, {Python: "3.x"}, {Python: "../.."}, {Python: "3.11", Part: wheel.Part{K: 2, N: 2}},
		{Python: "3.11", Part: wheel.Part{K: -1, N: 2}}, {Python: "3.11", Part: wheel.Part{K: 1}}, {Python: "3.11", AllowPth: []string{"demo"}},
	} {
		if _, err := wheel.Install(newRoot(t), path, o); !fault.Is(err, fault.Usage) {
			t.Errorf("%+v: %v, want %s", o, err, fault.Usage)
		}
	}
	root, _ := install(t, path, wheel.Options{Python: "3.13t"})
	read(t, root, "opt/venv/lib/python3.13t/site-packages/demo-1.0.dist-info/RECORD")
	if _, err := wheel.Install(root, "missing-1.0-py3-none-any.whl", options); !fault.Is(err, fault.Internal) {
		t.Errorf("missing wheel: %v", err)
	}
	dirs := wheel.ParentDirs("3.11")
	if dirs[0] != (wheel.Dir{Path: "/opt", Mode: 0o755}) || dirs[len(dirs)-1].Path != "/"+strings.TrimSuffix(site, "/") {
		t.Errorf("ParentDirs: %v", dirs)
	}
}
