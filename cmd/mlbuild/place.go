package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// place is where a file is to be written.
type place struct {
	path   string // without links
	stream bool   // a device, a pipe or a stream of this process: it is written to, and never replaced
}

// placeOf looks at what is at a path.
func placeOf(path string) place {
	abs, err := filepath.Abs(path)
	if err != nil {
		return place{path: path}
	}
	if strings.HasPrefix(abs, "/dev/") || strings.HasPrefix(abs, "/proc/") {
		return place{path, true} // a link to what a stream was redirected to stands for the stream
	}
	info, err := os.Stat(path)
	if err != nil {
		return place{path: path}
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return place{path, !info.Mode().IsRegular() && !info.IsDir()}
}

// open opens a stream for writing.
func (p place) open() (io.WriteCloser, error) {
	f, err := os.OpenFile(p.path, os.O_WRONLY, 0)
	if err != nil {
		return nil, fault.New(fault.Output, "cannot write %s: %w", p.path, pathCause(err))
	}
	return f, nil
}

// checkFile finds before anything is built why a file could not be written that a flag names, as in "dest=".
func checkFile(flag, path string) *fault.Fault {
	p := placeOf(path)
	switch dir := filepath.Dir(p.path); {
	case p.stream:
		if _, err := os.Stat(p.path); err != nil {
			return fault.New(fault.Output, "%s%s cannot be written: %w", flag, path, pathCause(err))
		}
	case isDir(path):
		return fault.New(fault.Output, "%s%s is a directory, a file is wanted", flag, path)
	case !isDir(dir):
		return fault.New(fault.Output, "%s%s: the directory %s does not exist", flag, path, dir).Hint("mkdir -p %s", dir)
	default:
		if err := writable(dir); err != nil {
			return fault.New(fault.Output, "%s%s cannot be written: %w", flag, path, pathCause(err))
		}
	}
	return nil
}

// checkDir finds before anything is built why a directory could not be filled. It need not be there yet.
func checkDir(flag, path string) *fault.Fault {
	for dir := path; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		switch {
		case err == nil && !info.IsDir():
			return fault.New(fault.Output, "%s%s: %s is not a directory", flag, path, dir)
		case err == nil:
			if err := writable(dir); err != nil {
				return fault.New(fault.Output, "%s%s cannot be written: %w", flag, path, pathCause(err))
			}
			return nil
		case dir == filepath.Dir(dir) || !os.IsNotExist(err):
			return fault.New(fault.Output, "%s%s cannot be written: %w", flag, path, pathCause(err))
		}
	}
}

// writable tries whether files can be made in a directory.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".mlbuild-*")
	if err != nil {
		return err
	}
	_ = f.Close()
	return os.Remove(f.Name())
}
