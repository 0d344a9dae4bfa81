package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestUnsafeWheels lets the index serve wheels that no installer may unpack, each under the hash that the lock promises.
func TestUnsafeWheels(t *testing.T) {
	b := connect(t, testbed.Shared(t).Daemon.Addr())
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	strict := map[string]bool{"twice": true, "lying": true, "linked": true} // what pip and uv install
	for _, test := range []struct {
		name, entry string
		files       map[string]string
		opts        []wheeltest.Option
		says        []string
	}{
		{"slip", "../../etc/cron.d/slip", map[string]string{"../../etc/cron.d/slip": "* * * * * root id\n"}, nil, nil},
		{"rooted", "/etc/passwd", map[string]string{"/etc/passwd": "root::0:0::/:/bin/sh\n"}, nil, nil},
		{"twice", "twice/__init__.py", map[string]string{"twice/__init__.py": ""},
			[]wheeltest.Option{wheeltest.Order("twice/__init__.py", "twice/__init__.py")}, nil},
		{"lying", "lying/__init__.py", map[string]string{"lying/__init__.py": "true", "lying/other.py": "file"},
			[]wheeltest.Option{wheeltest.Record(func(s string) string { return swapHashes(s, "lying/__init__.py", "lying/other.py") })}, nil},
		{"starter", "starter.pth", map[string]string{"starter.pth": "import os; os.system('id')\n"}, nil,
			[]string{"a line starts with import, so it runs at every start of Python; allow starter/starter.pth if you trust it"}},
		{"linked", "linked/up", map[string]string{"linked/up": "../../../../etc"}, []wheeltest.Option{wheeltest.Symlink("linked/up")}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			x.AddWheel("simple", test.name, "1.0", pureTag, test.files, test.opts...)
			file := wheeltest.Filename(test.name, "1.0", pureTag)
			good := pure(x, "good", "1.0")
			p := indexed(t, x, test.name, "")
			p.handLock(x, entry{name: test.name, version: "1.0", files: []string{file}}, entry{name: "good", version: "1.0", files: []string{good}})
			v := p.variant("cpu")
			if strict[test.name] {
				if err := p.attempt(b, p.quiet(v)); err != nil {
					t.Errorf("refused without being asked to: %v", err)
				}
			}
			v.Recipes[0].Requires.StrictWheels = strict[test.name]
			err := p.attempt(b, p.quiet(v))
			want{code: fault.WheelUnsafe, says: append(test.says, file, test.entry), hints: []string{"choose another version"}}.check(t, err)
			for _, f := range fault.All(err) {
				if f.Code != fault.WheelUnsafe || strings.Contains(f.Message, good) {
					t.Errorf("also %v", f)
				}
			}
		})
	}
}

// swapHashes gives each of two files of a RECORD the other's hash.
func swapHashes(record, a, b string) string {
	return strings.NewReplacer(a+",", b+",", b+",", a+",").Replace(record)
}

// A .pth file that the project allows comes in.
func TestAllowedPth(t *testing.T) {
	b := connect(t, testbed.Shared(t).Daemon.Addr())
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	x.AddWheel("simple", "starter", "2.0", pureTag, map[string]string{"starter.pth": "import sys\n"})
	p := indexed(t, x, "starter", "")
	p.handLock(x, entry{name: "starter", version: "2.0", files: []string{wheeltest.Filename("starter", "2.0", pureTag)}})
	v := p.variant("cpu")
	v.Recipes[0].Requires.Allow = []string{"starter/starter.pth"}
	if err := p.attempt(b, p.quiet(v)); err != nil {
		t.Error(err)
	}
}

// TestFileVanishes removes a file after the project was read.
func TestFileVanishes(t *testing.T) {
	b := connect(t, testbed.Shared(t).Daemon.Addr())
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	p := indexed(t, x, "one", "")
	p.handLock(x, entry{name: "one", version: "1.0", files: []string{pure(x, "one", "1.0")}})
	v := p.variant("cpu")
	if err := os.Remove(filepath.Join(p.dir, "main.py")); err != nil {
		t.Fatal(err)
	}
	want{code: fault.Context, says: []string{"a file of the project is missing: ", "main.py"}, hints: []string{"removed during the build"}}.
		check(t, p.attempt(b, p.quiet(v)))
}

// TestDirectoryVanishes removes the project itself.
func TestDirectoryVanishes(t *testing.T) {
	b := connect(t, testbed.Shared(t).Daemon.Addr())
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	p := indexed(t, x, "", "")
	req := p.quiet(p.variant("cpu"))
	if err := os.RemoveAll(p.dir); err != nil {
		t.Fatal(err)
	}
	want{code: fault.Context, says: []string{"cannot open the project's directory"}}.check(t, p.attempt(b, req))
}
