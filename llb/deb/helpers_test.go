package deb_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/mlbuild/mlbuild/llb/deb"
	"github.com/mlbuild/mlbuild/llb/deb/debtest"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// write puts a package into a directory of its own.
func write(t testing.TB, d debtest.Deb) string {
	t.Helper()
	path, err := d.Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// writeRaw puts bytes into a file with the name of a package.
func writeRaw(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "demo_1.0_amd64.deb")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// newRoot is an empty root directory.
func newRoot(t testing.TB) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// install lays a package down that must be fine.
func install(t testing.TB, root *os.Root, d debtest.Deb, o deb.Options) *deb.Installed {
	t.Helper()
	done, err := deb.Install(root, write(t, d), o)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// tree maps each path below root, the records of packages left out, to a line: mode, owner, time, then target or contents.
func tree(t testing.TB, root *os.Root) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || strings.HasPrefix(path, "var/lib/dpkg/status.d/") {
			return err
		}
		st, err := root.Lstat(path)
		if err != nil {
			return err
		}
		sys := st.Sys().(*syscall.Stat_t)
		line := fmt.Sprintf("%v %d:%d %d", st.Mode(), sys.Uid, sys.Gid, st.ModTime().Unix())
		switch st.Mode().Type() {
		case fs.ModeSymlink:
			target, err := root.Readlink(path)
			out[path] = line + " -> " + target
			return err
		case 0:
			data, err := root.ReadFile(path)
			out[path] = line + " " + short(data)
			return err
		}
		out[path] = line
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func short(data []byte) string {
	if len(data) > 40 {
		return fmt.Sprintf("%x", sha256.Sum256(data))
	}
	return string(data)
}

// refused wants Install to fail with a fault of the code that holds want.
func refused(t *testing.T, path string, o deb.Options, code fault.Code, want string) {
	t.Helper()
	_, err := deb.Install(newRoot(t), path, o)
	if !fault.Is(err, code) || !strings.Contains(err.Error(), want) {
		t.Errorf("error:\n%v\nwant %s with: %s", err, code, want)
	}
}

func read(t testing.TB, root *os.Root, path string) string {
	t.Helper()
	data, err := root.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}
