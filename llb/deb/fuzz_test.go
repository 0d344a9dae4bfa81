package deb_test

import (
	"archive/tar"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/mlbuild/mlbuild/llb/deb"
	"github.com/mlbuild/mlbuild/llb/deb/debtest"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// FuzzInstall lays mutated packages down: no panic, nothing outside the root, nothing but files, directories and symbolic
// links inside, and a fault of the package for everything that fails. What Install takes, Inspect takes too.
func FuzzInstall(f *testing.F) {
	entries := append(debtest.Files(map[string]string{"usr/bin/x": "x", "lib/y": "y", "usr/share/man/z": "z"}),
		debtest.Entry{Name: "./usr/l", Type: tar.TypeSymlink, Link: "../.."}, debtest.Entry{Name: "./usr/h", Type: tar.TypeLink, Link: "./lib/y"})
	for _, suffix := range []string{"", ".gz", ".zst"} {
		f.Add(debtest.Deb{Suffix: suffix, Entries: entries, Control: map[string]string{"postinst": "#!/bin/sh\n", "md5sums": "0  lib/y\n"}}.Build())
	}
	f.Add(debtest.Ar("debian-binary", "2.0\n", "_x", "", "control.tar.xz", "\xfd7zXZ\x00", "data.tar.bz2", "BZh9"))
	f.Fuzz(func(t *testing.T, data []byte) {
		top := t.TempDir()
		path := filepath.Join(top, "demo_1.0_amd64.deb")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(top, "root"), 0o755); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(filepath.Join(top, "root"))
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		_, err = deb.Install(root, path, deb.Options{Links: merged, SlimDocs: true, MaxBytes: 1 << 20})
		for _, f := range fault.All(err) {
			if f.Code != fault.DebUnsafe {
				t.Errorf("fault %v", f)
			}
		}
		if err == nil {
			if _, err := deb.Inspect(path); err != nil {
				t.Errorf("installed, but: %v", err)
			}
		}
		checkInside(t, top, root)
	})
}

func checkInside(t *testing.T, top string, root *os.Root) {
	t.Helper()
	if names, err := os.ReadDir(top); err != nil || len(names) != 2 {
		t.Errorf("beside the root: %v, %v", names, err)
	}
	err := fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type() != 0 && d.Type() != fs.ModeDir && d.Type() != fs.ModeSymlink {
			t.Errorf("%s: %v", path, d.Type())
		}
		return err
	})
	if err != nil {
		t.Errorf("walk: %v", err)
	}
}
