// Package projectdir reads the files of a project: a directory comes in, a file system goes out in which no path and no link leads out of the directory, and in which only
// regular files and directories can be opened, so that nobody waits for a pipe or reads a device.
package projectdir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrOutside is in the error for a link that leads out of the project.
var ErrOutside = errors.New("a link leads out of the project's directory")

// FS is a project's directory. It implements fs.FS, fs.StatFS, fs.ReadFileFS, fs.ReadDirFS and fs.ReadLinkFS.
type FS struct {
	root  *os.Root
	files rootFS
}

// rootFS is what os.Root.FS returns.
type rootFS interface {
	fs.StatFS
	fs.ReadDirFS
	fs.ReadLinkFS
}

// Open opens the directory. It stays open as long as the FS is used.
func Open(dir string) (*FS, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	files, ok := root.FS().(rootFS)
	if !ok {
		return nil, fmt.Errorf("%s: os.Root has another form", dir)
	}
	return &FS{root, files}, nil
}

// Up opens the directory that lies n levels above, by the names of the path that this one was opened by: what uv takes for its parents. dir is this directory as
// it is seen from there, a slash path. The error is fs.ErrNotExist where there are not so many.
func (f *FS) Up(n int) (above fs.FS, dir string, err error) {
	abs, err := filepath.Abs(f.root.Name())
	if err != nil {
		return nil, "", err
	}
	parts := strings.Split(strings.Trim(filepath.ToSlash(strings.TrimPrefix(abs, filepath.VolumeName(abs))), "/"), "/")
	if n > len(parts) || parts[0] == "" {
		return nil, "", fs.ErrNotExist
	}
	up, err := Open(filepath.Join(abs, strings.Repeat("../", n)))
	if err != nil {
		return nil, "", err
	}
	return up, path.Join(parts[len(parts)-n:]...), nil
}

// Close closes the directory, for one that Up opened and that is not the one looked for.
func (f *FS) Close() error { return f.root.Close() }

// Open implements fs.FS. The errors are of type *fs.PathError; errors.Is(err, ErrOutside) finds links that lead out.
func (f *FS) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	// Without O_NONBLOCK the opening of a pipe waits for its other end.
	file, err := f.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, f.outside(err)
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		err = &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("it is %s, not a regular file", kind(info.Mode()))}
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

func kind(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "something else"
}

// ReadFile implements fs.ReadFileFS.
func (f *FS) ReadFile(name string) ([]byte, error) {
	file, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

// Stat implements fs.StatFS.
func (f *FS) Stat(name string) (fs.FileInfo, error) {
	info, err := f.files.Stat(name)
	return info, f.outside(err)
}

// Lstat implements fs.ReadLinkFS.
func (f *FS) Lstat(name string) (fs.FileInfo, error) {
	info, err := f.files.Lstat(name)
	return info, f.outside(err)
}

// ReadLink implements fs.ReadLinkFS.
func (f *FS) ReadLink(name string) (string, error) {
	to, err := f.files.ReadLink(name)
	return to, f.outside(err)
}

// ReadDir implements fs.ReadDirFS.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := f.files.ReadDir(name)
	return entries, f.outside(err)
}

// WriteFile puts a file at a path of the project, so that nobody sees it half written. A link at the path is replaced.
func (f *FS) WriteFile(name string, data []byte) error {
	part := path.Join(path.Dir(name), "."+path.Base(name)+".part")
	if err := f.root.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return f.outside(err)
	}
	file, err := f.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return f.outside(err)
	}
	_, err = file.Write(data)
	err = errors.Join(err, file.Chmod(0o644), file.Close())
	if err == nil {
		err = f.root.Rename(part, name)
	}
	if err != nil {
		_ = f.root.Remove(part)
	}
	return f.outside(err)
}

// outside gives os.Root's refusal, which has no name there, the one of ErrOutside.
func (f *FS) outside(err error) error {
	p, ok := errors.AsType[*fs.PathError](err)
	if ok && strings.Contains(p.Err.Error(), "escapes from parent") {
		return &fs.PathError{Op: p.Op, Path: p.Path, Err: ErrOutside}
	}
	return err
}
