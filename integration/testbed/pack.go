package testbed

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"io"
	"os"
	"runtime"
	"syscall"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
)

//go:embed pack.go
var packSource string

// fixedTime is the time of everything that has none of its own.
var fixedTime = time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)

// cacheKey names a cached thing after its inputs.
func cacheKey(inputs ...string) string {
	h := sha256.New()
	for _, in := range append(inputs, runtime.GOARCH) {
		_, _ = io.WriteString(h, in)
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// layerFile is a .tar.gz in the making.
type layerFile struct {
	file  *os.File
	gz    *gzip.Writer
	tar   *tar.Writer
	links map[uint64]string // inode of a file with several names → the first of them
}

func newLayerFile(path string) (*layerFile, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	gz := gzip.NewWriter(f)
	return &layerFile{file: f, gz: gz, tar: tar.NewWriter(gz), links: map[uint64]string{}}, nil
}

// add writes the file at path under name, with owner, mode and (directories excepted) time.
func (l *layerFile) add(path, name string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	target := ""
	if info.Mode()&os.ModeSymlink != 0 {
		if target, err = os.Readlink(path); err != nil {
			return err
		}
	}
	h, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return err
	}
	h.Name, h.Uname, h.Gname, h.Format = name, "", "", tar.FormatPAX
	h.AccessTime, h.ChangeTime, h.ModTime = time.Time{}, time.Time{}, h.ModTime.Truncate(time.Second)
	if info.IsDir() {
		h.Name, h.ModTime = name+"/", fixedTime
	}
	l.linkTo(h, info)
	if err := l.tar.WriteHeader(h); err != nil || h.Typeflag != tar.TypeReg {
		return err
	}
	return l.copyFile(path)
}

// linkTo makes h a hard link when its file was written before under another name.
func (l *layerFile) linkTo(h *tar.Header, info os.FileInfo) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() || st.Nlink < 2 {
		return
	}
	if first, ok := l.links[st.Ino]; ok {
		h.Typeflag, h.Linkname, h.Size = tar.TypeLink, first, 0
		return
	}
	l.links[st.Ino] = h.Name
}

func (l *layerFile) copyFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(l.tar, f)
	return err
}

func (l *layerFile) close() error {
	if err := l.tar.Close(); err != nil {
		return err
	}
	if err := l.gz.Close(); err != nil {
		return err
	}
	return l.file.Close()
}

// file is an entry of a layer that the test writes itself: a symbolic link if link is set.
type file struct {
	name, data, link string
	mode             int64
}

// smallLayer makes a layer of a few files, owned by root, with the fixed time.
func smallLayer(files ...file) (v1.Layer, error) {
	var buf bytes.Buffer
	gz := gzip.NewWriter(&buf)
	tw := tar.NewWriter(gz)
	for _, f := range files {
		h := &tar.Header{
			Typeflag: tar.TypeReg, Name: f.name, Mode: f.mode, Size: int64(len(f.data)), ModTime: fixedTime, Format: tar.FormatPAX,
		}
		if f.link != "" {
			h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, f.link, 0o777
		}
		if err := tw.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := io.WriteString(tw, f.data); err != nil {
			return nil, err
		}
	}
	if err := tw.Close(); err != nil {
		return nil, err
	}
	if err := gz.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buf.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer))
}
