package publish

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// archive packs headers; a regular file's contents are its name.
func archive(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, h := range headers {
		h.ModTime = time.Unix(1_700_000_000, 0)
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(h.Name))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := w.Write([]byte(h.Name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func fill(t *testing.T, dir string, data []byte) error {
	t.Helper()
	w, err := Unpack(dir)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	if closed := w.Close(); closed != nil {
		err = closed
	}
	return err
}

// TestUnpackOverAnother: what an earlier image had as another kind of file makes way, whatever it holds; a link is not followed.
func TestUnpackOverAnother(t *testing.T) {
	dir, kept := t.TempDir(), t.TempDir()
	first := archive(t, tar.Header{Typeflag: tar.TypeDir, Name: "x/", Mode: 0o755}, tar.Header{Typeflag: tar.TypeReg, Name: "x/y", Mode: 0o644}, tar.Header{Typeflag: tar.TypeReg, Name: "z", Mode: 0o644},
		tar.Header{Typeflag: tar.TypeDir, Name: "l/", Mode: 0o755}, tar.Header{Typeflag: tar.TypeReg, Name: "l/y", Mode: 0o644}, tar.Header{Typeflag: tar.TypeSymlink, Name: "out", Linkname: kept})
	second := archive(t, tar.Header{Typeflag: tar.TypeReg, Name: "x", Mode: 0o644}, tar.Header{Typeflag: tar.TypeDir, Name: "z/", Mode: 0o755}, tar.Header{Typeflag: tar.TypeReg, Name: "z/y", Mode: 0o644},
		tar.Header{Typeflag: tar.TypeSymlink, Name: "l", Linkname: "z"}, tar.Header{Typeflag: tar.TypeDir, Name: "out/", Mode: 0o755}, tar.Header{Typeflag: tar.TypeReg, Name: "out/y", Mode: 0o644})
	for _, data := range [][]byte{first, second, first, second} {
		if err := fill(t, dir, data); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"x": "x", "z/y": "z/y", "l/y": "z/y", "out/y": "out/y"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if entries, err := os.ReadDir(kept); err != nil || len(entries) > 0 {
		t.Errorf("written through a link: %v, %v", entries, err)
	}
}

func TestUnpack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "here")
	data := archive(t,
		tar.Header{Typeflag: tar.TypeDir, Name: "closed/", Mode: 0o555},
		tar.Header{Typeflag: tar.TypeReg, Name: "closed/file", Mode: 0o4640},
		tar.Header{Typeflag: tar.TypeSymlink, Name: "link", Linkname: "/etc/passwd"},
		tar.Header{Typeflag: tar.TypeLink, Name: "hard", Linkname: "closed/file"},
		tar.Header{Typeflag: tar.TypeFifo, Name: "pipe", Mode: 0o644},
	)
	for range 2 { // the second time over what the first left
		if err := fill(t, dir, data); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]os.FileMode{"closed": os.ModeDir | 0o555, "closed/file": 0o640, "hard": 0o640, "link": os.ModeSymlink | 0o777} {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v; want %v", name, info, err, want)
		}
		if err == nil && name != "link" && !info.ModTime().Equal(time.Unix(1_700_000_000, 0)) {
			t.Errorf("%s has the time %s", name, info.ModTime())
		}
	}
	if got, err := os.ReadFile(filepath.Join(dir, "hard")); err != nil || string(got) != "closed/file" {
		t.Errorf("hard link: %q, %v", got, err)
	}
	if target, err := os.Readlink(filepath.Join(dir, "link")); err != nil || target != "/etc/passwd" {
		t.Errorf("link to %q, %v", target, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "pipe")); err == nil {
		t.Error("the pipe was made")
	}
}

func TestUnpackFaults(t *testing.T) {
	outside := t.TempDir()
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"cut off", archive(t, tar.Header{Typeflag: tar.TypeReg, Name: "file", Mode: 0o644})[:514], "unexpected EOF"},
		{"through a link", archive(t,
			tar.Header{Typeflag: tar.TypeSymlink, Name: "out", Linkname: outside},
			tar.Header{Typeflag: tar.TypeReg, Name: "out/file", Mode: 0o644}), "escapes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := fill(t, filepath.Join(t.TempDir(), "d"), tt.data)
			if !fault.Is(err, fault.Output) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	if err := fill(t, filepath.Join(t.TempDir(), "d"), archive(t, tar.Header{Typeflag: tar.TypeReg, Name: "../../above", Mode: 0o644})); err != nil {
		t.Errorf("a name that leads above the directory is taken below it: %v", err)
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
		t.Errorf("outside: %v, %v", left, err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := fill(t, file, nil); !fault.Is(err, fault.Output) {
		t.Errorf("a file in place of the directory: %v", err)
	}
}
