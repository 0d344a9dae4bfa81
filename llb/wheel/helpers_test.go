package wheel_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

const (
	tag  = "py3-none-any"
	site = "opt/venv/lib/python3.11/site-packages/"
	info = site + "demo-1.0.dist-info/"
)

var options = wheel.Options{Python: "3.11"}

// strictly refuses what installers take although the specification does not.
var strictly = wheel.Options{Python: "3.11", Strict: true}

// demo writes a wheel of the distribution demo 1.0.
func demo(t testing.TB, files map[string]string, opts ...wheeltest.Option) string {
	t.Helper()
	path, err := wheeltest.Write(t.TempDir(), "demo", "1.0", tag, files, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// write puts raw bytes into a file with the name of a wheel of demo 1.0.
func write(t testing.TB, data []byte) string {
	t.Helper()
	return writeAs(t, "demo-1.0-py3-none-any.whl", data)
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

// install installs a wheel that must be fine and returns its root.
func install(t testing.TB, path string, o wheel.Options) (*os.Root, *wheel.Installed) {
	t.Helper()
	root := newRoot(t)
	done, err := wheel.Install(root, path, o)
	if err != nil {
		t.Fatal(err)
	}
	return root, done
}

// tree maps each path below root to a line: mode, time, size and hash.
func tree(t testing.TB, root *os.Root) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		line := fmt.Sprintf("%v %d", st.Mode(), st.ModTime().UnixNano())
		if st.Mode().IsRegular() {
			data, err := root.ReadFile(path)
			if err != nil {
				return err
			}
			sum := sha256.Sum256(data)
			line += fmt.Sprintf(" %d %s", len(data), hex.EncodeToString(sum[:]))
		}
		out[path] = line
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// files are the regular files of a tree.
func files(tree map[string]string) map[string]string {
	out := map[string]string{}
	for path, line := range tree {
		if strings.HasPrefix(line, "-") {
			out[path] = line
		}
	}
	return out
}

func read(t testing.TB, root *os.Root, path string) string {
	t.Helper()
	data, err := root.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// refused wants Install to fail with a fault.WheelUnsafe that names the wheel and holds want.
func refused(t *testing.T, path string, o wheel.Options, want string) {
	t.Helper()
	_, err := wheel.Install(newRoot(t), path, o)
	if err == nil {
		t.Fatalf("installed; want an error with %q", want)
	}
	for _, f := range fault.All(err) {
		if f.Code != fault.WheelUnsafe || !strings.HasPrefix(f.Message, filepath.Base(path)+": ") {
			t.Errorf("fault %s %q does not name the wheel as unsafe", f.Code, f.Message)
		}
	}
	if !strings.Contains(err.Error(), want) {
		t.Errorf("error:\n%v\nwant in it: %s", err, want)
	}
}

// writeAs puts data into a file of this name.
func writeAs(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
