package projectdir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// project is a directory with a secret beside it.
func project(t *testing.T) (*FS, string) {
	t.Helper()
	top := t.TempDir()
	dir := filepath.Join(top, "project")
	for name, data := range map[string]string{"secret/token": "hunter2", "project/a/file": "1"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(top, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(top, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{
		"out": "../secret/token", "dir": "../secret", "abs": filepath.Join(top, "secret/token"), "proc": "/proc/self/environ", "in": "a/file", "twice": "in", "outtwice": "out", "a/up": "../a/file",
	} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	f, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f, dir
}

// TestNothingOutside: no link leads out, whichever way a file is read; links inside are followed.
func TestNothingOutside(t *testing.T) {
	f, _ := project(t)
	for _, name := range []string{"out", "dir/token", "abs", "proc", "outtwice"} {
		_, errOpen := f.Open(name)
		data, errRead := fs.ReadFile(f, name)
		_, errStat := fs.Stat(f, name)
		if !errors.Is(errOpen, ErrOutside) || !errors.Is(errRead, ErrOutside) || !errors.Is(errStat, ErrOutside) || data != nil {
			t.Errorf("%s: %q, %v, %v, %v", name, data, errOpen, errRead, errStat)
		}
	}
	if _, err := fs.ReadDir(f, "dir"); !errors.Is(err, ErrOutside) {
		t.Errorf("a linked directory: %v", err)
	}
	if err := f.WriteFile("dir/token", nil); !errors.Is(err, ErrOutside) {
		t.Errorf("written through a link: %v", err)
	}
	for _, name := range []string{"../secret/token", "/etc/passwd", "a/../../secret/token"} {
		if _, err := fs.ReadFile(f, name); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"a/file", "in", "twice", "a/up"} {
		if data, err := fs.ReadFile(f, name); string(data) != "1" || err != nil {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	if to, err := fs.ReadLink(f, "out"); to != "../secret/token" || err != nil {
		t.Errorf("where a link leads: %q, %v", to, err)
	}
}

// TestOnlyFiles: a pipe, a socket or a device of the project is refused at once.
func TestOnlyFiles(t *testing.T) {
	f, dir := project(t)
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := fs.ReadFile(f, "pipe"); err == nil || !strings.Contains(err.Error(), "it is a pipe, not a regular file") || time.Since(began) > time.Second {
		t.Errorf("a pipe: %v after %s", err, time.Since(began))
	}
}

// TestWriteFile: a file is written in place of what is there, a link included, which is not followed.
func TestWriteFile(t *testing.T) {
	f, dir := project(t)
	for _, name := range []string{"new", "a/file", "out"} {
		if err := f.WriteFile(name, []byte("2")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		info, err := os.Lstat(filepath.Join(dir, name))
		if data, _ := fs.ReadFile(f, name); string(data) != "2" || err != nil || info.Mode() != 0o644 {
			t.Errorf("%s: %q, %v, %v", name, data, info, err)
		}
	}
	if data, err := os.ReadFile(filepath.Join(dir, "../secret/token")); string(data) != "hunter2" || err != nil {
		t.Errorf("the file outside: %q, %v", data, err)
	}
	if parts, _ := filepath.Glob(filepath.Join(dir, ".*.part")); parts != nil {
		t.Errorf("left over: %q", parts)
	}
}
