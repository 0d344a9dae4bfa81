package frontend

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/tonistiigi/fsutil/types"

	"github.com/mlbuild/mlbuild/profiles/projectdir"
)

// dirRef is a result at a daemon that is a directory here.
type dirRef struct {
	gateway.Reference
	dir   string
	lists int
}

func (d *dirRef) ReadDir(_ context.Context, req gateway.ReadDirRequest) (all []*types.Stat, err error) {
	d.lists++
	entries, err := os.ReadDir(filepath.Join(d.dir, req.Path))
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		link, _ := os.Readlink(filepath.Join(d.dir, req.Path, e.Name()))
		all = append(all, &types.Stat{Path: e.Name(), Mode: uint32(info.Mode()), Size: info.Size(), Linkname: link})
	}
	return all, err
}

func (d *dirRef) ReadFile(_ context.Context, req gateway.ReadRequest) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(d.dir, req.Filename))
	if err != nil {
		return nil, err
	}
	from := min(req.Range.Offset, len(data))
	return data[from:min(from+req.Range.Length, len(data))], nil
}

// sent is a context with links, and a file that takes several reads.
func sent(t *testing.T) (*contextFS, *dirRef) {
	t.Helper()
	dir := t.TempDir()
	for name, data := range map[string]string{"main.py": "import pkg\n", "pkg/__init__.py": "", "pkg/deep/big.bin": strings.Repeat("x", 2*piece+5), "mlbuild.yaml": "in the context"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"pkg/up": "../main.py", "deep": "pkg/deep", "twice": "deep/../up"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	ref := &dirRef{dir: dir}
	return newContextFS(t.Context(), ref, nil, "mlbuild.yaml", []byte("version: 1\n")), ref
}

// TestContextFS: the client's context is a file system as Go has it; the project file is the one that the client sends apart.
func TestContextFS(t *testing.T) {
	files, ref := sent(t)
	if err := fstest.TestFS(files, "main.py", "pkg/__init__.py", "pkg/deep/big.bin", "mlbuild.yaml"); err != nil {
		t.Error(err)
	}
	if ref.lists != 3 {
		t.Errorf("3 directories were listed %d times", ref.lists)
	}
	for name, want := range map[string]string{"mlbuild.yaml": "version: 1\n", "pkg/up": "import pkg\n", "twice": "import pkg\n", "deep/big.bin": strings.Repeat("x", 2*piece+5)} {
		if data, err := fs.ReadFile(files, name); err != nil || string(data) != want {
			t.Errorf("%s: %d bytes, %v", name, len(data), err)
		}
	}
	if to, err := files.ReadLink("pkg/up"); to != "../main.py" || err != nil {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	if st, err := files.Lstat("deep"); err != nil || st.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", st, err)
	}
	if st, err := files.Stat("deep"); err != nil || !st.IsDir() {
		t.Errorf("it leads to %v, %v", st, err)
	}
}

// TestContextFSHoldsLinks: no link leads out of the context, and one that leads to itself ends.
func TestContextFSHoldsLinks(t *testing.T) {
	files, ref := sent(t)
	for link, to := range map[string]string{"abs": "/etc/passwd", "out": "../secret", "far": "pkg/../../secret", "loop": "loop"} {
		if err := os.Symlink(to, filepath.Join(ref.dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"abs", "out", "far", "loop"} {
		_, err := fs.ReadFile(files, name)
		if err == nil || errors.Is(err, projectdir.ErrOutside) != (name != "loop") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"none", "main.py/none", "pkg/none"} {
		if _, err := files.Open(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
