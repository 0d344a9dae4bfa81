package runner

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/llb/step"
)

const epoch = 315532800

// tree writes files below a new directory: a text, "-> target" for a link, or "dir/" with any text for an empty directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, data := range files {
		file := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(file), 0o755)
		if target, link := strings.CutPrefix(data, "-> "); link {
			err = os.Symlink(target, file)
		} else if strings.HasSuffix(name, "/") {
			err = os.MkdirAll(file, 0o755)
		} else if err == nil {
			err = os.WriteFile(file, []byte(data), 0o640)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// listing describes everything below a directory, and fails the test unless it has the fixed time.
func listing(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == root {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.ModTime().Unix() != epoch {
			t.Errorf("%s has the time %s", name, info.ModTime())
		}
		shown := fmt.Sprintf("%04o", info.Mode().Perm())
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(name)
			all[name[len(root):]] = "-> " + to
			return err
		case info.Mode().IsRegular():
			data, err := os.ReadFile(name)
			all[name[len(root):]] = shown + " " + string(data)
			return err
		}
		all[name[len(root):]] = shown
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// of is a collection from a root into a new directory, with the files as the test's user.
func of(t *testing.T, in string, c step.Collection) step.Collection {
	t.Helper()
	c.In, c.Out, c.Time, c.Step = in, t.TempDir(), epoch, `step "lib"`
	for i := range c.Dirs {
		c.Dirs[i].UID, c.Dirs[i].GID = os.Getuid(), os.Getgid()
	}
	for i := range c.Files {
		c.Files[i].UID, c.Files[i].GID = os.Getuid(), os.Getgid()
	}
	return c
}

func TestCollect(t *testing.T) {
	in := tree(t, map[string]string{
		"usr/local/lib/libz.so": "-> libz.so.1", "usr/local/lib/libz.so.1": "code", "usr/local/lib/other.a": "a", "lib": "-> usr/local/lib",
		"usr/share/doc/a/b": "text", "usr/share/doc/empty/": "", "abs": "-> /usr/local/lib/libz.so.1", "out": "-> ../../../../etc",
		"etc/inside": "scoped",
	})
	mode := uint32(0o640)
	c := of(t, in, step.Collection{
		Dirs: []step.Dir{{Path: "/opt", Mode: 0o755}, {Path: "/opt/lib", Mode: 0o711}},
		Files: []step.File{
			{From: "/lib/libz*", To: "/opt/lib/"}, {From: "/usr/share/doc", To: "/opt/doc", Mode: &mode}, {From: "/abs", To: "/opt/one"},
			{From: "/out/inside", To: "/opt/"}, {From: "/usr/local/lib/other.a", To: "/opt/one"},
		},
	})
	if err := Collect(c); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"/opt": "0755", "/opt/lib": "0711", "/opt/lib/libz.so": "-> libz.so.1", "/opt/lib/libz.so.1": "0640 code",
		"/opt/doc": "0750", "/opt/doc/a": "0750", "/opt/doc/a/b": "0640 text", "/opt/doc/empty": "0750",
		"/opt/inside": "0640 scoped", "/opt/one": "0640 a",
	}
	if d := cmp.Diff(want, listing(t, c.Out)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestMissingOutputs(t *testing.T) {
	in := tree(t, map[string]string{"lib/liba.so": "x", "loop": "-> loop", "empty/": ""})
	for _, c := range []struct{ from, want string }{
		{"/lib/libb.so", `E-STEP: step "lib" made nothing at /lib/libb.so; /lib has liba.so`},
		{"/lib/*.a", `step "lib" made nothing at /lib/*.a; /lib has liba.so`},
		{"/lib/x/y", "made nothing at /lib/x/y; /lib has liba.so"},
		{"/empty/x", "/empty is empty"},
		{"/loop", "too many links"},
	} {
		err := Collect(of(t, in, step.Collection{Files: []step.File{{From: c.from, To: "/x/"}}, Dirs: []step.Dir{{Path: "/x", Mode: 0o755}}}))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.from, err, c.want)
		}
	}
}

// TestSecretInOutput: contents, names and links are searched, also across the pieces in which a file is read.
func TestSecretInOutput(t *testing.T) {
	const value = "hunter2-hunter2"
	secret := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(secret, []byte(value+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	collection := step.Collection{Files: []step.File{{From: "/o", To: "/o"}}, Secrets: []step.Secret{{ID: "token", File: secret}}}
	for name, files := range map[string]map[string]string{
		"contents": {"o/f": strings.Repeat("x", 32<<10-7) + value}, "name": {"o/" + value: ""}, "link": {"o/l": "-> /x/" + value},
		"base64": {"o/f": "auth = aHVudGVyMi1odW50ZXIy\n"},
	} {
		c := of(t, tree(t, files), collection)
		err := Collect(c)
		if err == nil || !strings.HasPrefix(err.Error(), "E-SECRET-LEAK: ") || !strings.Contains(err.Error(), `the secret "token"`) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), value) {
			t.Errorf("%s: the message holds the value: %v", name, err)
		}
	}
	c := of(t, tree(t, map[string]string{"o/f": "hunter2-hunter3"}), collection)
	if err := Collect(c); err != nil {
		t.Errorf("nothing is there: %v", err)
	}
}

// TestCollectOverPackages: a file that a package has is an error that names both, unless it is the same, or its rule says that it comes in its place.
func TestCollectOverPackages(t *testing.T) {
	const site = "opt/venv/lib/python3.11/site-packages/"
	in := tree(t, map[string]string{"src/d/new.dic": "made", "src/d/same": "1", "src/d/other": "mine", "src/tool": "x"})
	packages := tree(t, map[string]string{
		site + "uni/d/same": "1", site + "uni/d/other": "theirs", site + "uni-1.1.0.dist-info/RECORD": "uni/d/same,sha256=x,1\n\"uni/d/other\",,\n../../../bin/uni,,\n", "opt/venv/bin/uni": "#!",
	})
	empty := tree(t, map[string]string{"opt/": "-"})
	at := func(from, to string, replace bool) step.Collection {
		return of(t, in, step.Collection{Packages: []string{empty, packages}, Dirs: []step.Dir{{Path: "/opt", Mode: 0o755}, {Path: "/opt/x", Mode: 0o755}}, Files: []step.File{{From: from, To: to, Replace: replace}}})
	}
	for _, c := range []struct{ from, to, want string }{
		{"/src/d", "/" + site + "uni/d", "E-SPEC: step \"lib\" would put another /" + site + "uni/d/other in place of the one that uni 1.1.0 has"},
		{"/src/tool", "/opt/venv/bin/uni", "/opt/venv/bin/uni in place of the one that uni 1.1.0 has"},
		{"/src/tool", "/" + site + "uni/d", "uni/d in place of the one that a package has"},
		{"/src/d", "/opt/venv/bin/uni", "bin/uni in place of the one that uni 1.1.0 has"},
	} {
		col := at(c.from, c.to, false)
		mkdirs(t, &col, c.to)
		if err := Collect(col); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s to %s: %v, want %q", c.from, c.to, err, c.want)
		}
	}
	col := at("/src/d", "/"+site+"uni/d", true)
	mkdirs(t, &col, "/"+site+"uni/d")
	if err := Collect(col); err != nil {
		t.Fatal(err)
	}
	if got := listing(t, col.Out); got["/"+site+"uni/d/other"] != "0640 mine" || got["/"+site+"uni/d/new.dic"] != "0640 made" || got["/"+site+"uni/d"] != "0755" {
		t.Errorf("replaced: %v", got)
	}
	col = at("/src/d/same", "/"+site+"uni/d/same", false)
	mkdirs(t, &col, "/"+site+"uni/d/same")
	if err := Collect(col); err != nil {
		t.Fatal(err)
	}
	if got := listing(t, col.Out); got["/"+site+"uni/d/same"] != "" {
		t.Errorf("a file that the package has is in the layer: %v", got)
	}
}

// mkdirs has a collection make what is above a destination.
func mkdirs(t *testing.T, c *step.Collection, to string) {
	t.Helper()
	c.Dirs = nil
	for i, r := range to {
		if r == '/' && i > 0 {
			c.Dirs = append(c.Dirs, step.Dir{Path: to[:i], Mode: 0o755, UID: os.Getuid(), GID: os.Getgid()})
		}
	}
}
