package publish

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// unpacker writes the contents of the archive that it is given into a directory. It stands in for BuildKit's local exporter, whose client and
// daemon wait for each other for ever once there are thousands of files (moby/buildkit#2950).
type unpacker struct {
	*io.PipeWriter
	end chan error
}

// Unpack makes the directory and returns what fills it with the archive that is written. Close reports how it went: fault.Output.
func Unpack(dir string) (io.WriteCloser, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fault.New(fault.Output, "cannot make the directory: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fault.New(fault.Output, "cannot write to the directory: %w", err)
	}
	r, w := io.Pipe()
	u := &unpacker{w, make(chan error, 1)}
	go func() {
		err := errors.Join(unpack(r, root), root.Close())
		if err != nil {
			err = fault.New(fault.Output, "cannot fill the directory %s: %w", dir, err)
		}
		_ = r.CloseWithError(err)
		u.end <- err
	}()
	return u, nil
}

// Close ends the archive and waits until everything is written.
func (u *unpacker) Close() error {
	_ = u.PipeWriter.Close()
	return <-u.end
}

// unpack writes every entry below root, as the user who runs this: owners are not kept, as in BuildKit's local exporter. Directories get their
// modes and times last, because writing into them needs the one and changes the other.
func unpack(r io.Reader, root *os.Root) error {
	var dirs []*tar.Header
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			_, _ = io.Copy(io.Discard, r) // padding behind the archive
			break
		}
		if err != nil {
			return fmt.Errorf("read the archive: %w", err)
		}
		h.Name = path.Join(".", path.Clean("/"+h.Name))
		if h.Typeflag == tar.TypeDir {
			dirs = append(dirs, h)
		}
		if err := unpackEntry(root, h, tr); err != nil {
			return err
		}
	}
	for _, h := range slices.Backward(dirs) {
		if err := settle(root, h); err != nil {
			return err
		}
	}
	return nil
}

// unpackEntry replaces what an earlier build left under the name, a directory too, as BuildKit's local exporter does. Devices and pipes are left out.
func unpackEntry(root *os.Root, h *tar.Header, data io.Reader) error {
	old, err := root.Lstat(h.Name)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case err == nil && (h.Typeflag != tar.TypeDir || !old.IsDir()):
		if err := root.RemoveAll(h.Name); err != nil {
			return err
		}
	}
	if h.Typeflag == tar.TypeDir {
		return root.MkdirAll(h.Name, 0o755)
	}
	switch h.Typeflag {
	case tar.TypeSymlink:
		return root.Symlink(h.Linkname, h.Name)
	case tar.TypeLink:
		return root.Link(path.Join(".", path.Clean("/"+h.Linkname)), h.Name)
	case tar.TypeReg:
		f, err := root.OpenFile(h.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, data)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
		return settle(root, h)
	}
	return nil
}

func settle(root *os.Root, h *tar.Header) error {
	return errors.Join(root.Chmod(h.Name, h.FileInfo().Mode().Perm()), root.Chtimes(h.Name, h.ModTime, h.ModTime))
}
