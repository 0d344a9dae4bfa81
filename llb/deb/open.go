package deb

import (
	"bufio"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"
)

// Limits on what a package may make a reader do; a package is somebody else's input.
const (
	readBuffer = 256 << 10
	maxDict    = 256 << 20 // bytes of an xz or zstd window; xz -9 takes 64 MiB
)

// archive is a package that is open for reading.
type archive struct {
	file    *os.File
	rep     *report
	control member
	data    member
}

// open opens a package and finds its parts. The caller closes it.
func open(path string) (*archive, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, ioFault(err, "open the package")
	}
	a := &archive{file: f, rep: &report{deb: filepath.Base(path)}}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, ioFault(err, "look at the package")
	}
	if err := a.findParts(info.Size()); err != nil {
		f.Close()
		return nil, a.rep.fault("", err)
	}
	return a, nil
}

func (a *archive) Close() error { return a.file.Close() }

// findParts finds the members that deb(5) prescribes: debian-binary with a version 2.x, control.tar, data.tar, in this order.
// Members whose name starts with an underscore may stand between them.
func (a *archive) findParts(size int64) error {
	members, err := readAr(a.file, size)
	if err != nil {
		return err
	}
	var parts []member
	for _, m := range members {
		if !strings.HasPrefix(m.name, "_") {
			parts = append(parts, m)
		}
	}
	if len(parts) != 3 || parts[0].name != "debian-binary" ||
		!strings.HasPrefix(parts[1].name, "control.tar") || !strings.HasPrefix(parts[2].name, "data.tar") {
		return errors.New("its members are not debian-binary, control.tar and data.tar")
	}
	version := make([]byte, 2)
	if _, err := io.ReadFull(parts[0].data, version); err != nil || string(version) != "2." {
		return fmt.Errorf("its format is %q, known is 2.0", strings.TrimSpace(string(version)))
	}
	a.control, a.data = parts[1], parts[2]
	return nil
}

// unpacked reads a part uncompressed. The caller closes it.
func (m member) unpacked() (io.ReadCloser, error) {
	in := bufio.NewReaderSize(io.NewSectionReader(m.data, 0, m.data.Size()), readBuffer)
	_, suffix, _ := strings.Cut(m.name, ".tar")
	switch suffix {
	case "":
		return io.NopCloser(in), nil
	case ".gz":
		return gzip.NewReader(in)
	case ".xz":
		r, err := xz.NewReader(in, maxDict)
		return io.NopCloser(r), err
	case ".zst":
		r, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxDict), zstd.WithDecoderMaxMemory(maxDict))
		if err != nil {
			return nil, err
		}
		return r.IOReadCloser(), nil
	case ".bz2":
		return io.NopCloser(bzip2.NewReader(in)), nil
	}
	return nil, fmt.Errorf("the compression of %s is unknown", m.name)
}
