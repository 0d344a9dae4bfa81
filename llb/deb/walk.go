package deb

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits on the data part. Bytes are those of the unpacked archive, headers included.
const (
	maxBytes   = 16 << 30
	maxEntries = 1 << 20
	freeBytes  = 256 << 20 // from here on the archive must not be packed more than maxRatio times
	maxRatio   = 300
	maxPath    = 4095
	maxName    = 255
)

// entry is a file of the data part.
type entry struct {
	File
	time time.Time
}

// rel is the path below the root.
func (e *entry) rel() string { return strings.TrimPrefix(e.Path, "/") }

// walk calls do for each file of the data part, in the order of the archive, with a reader of its contents. limit bounds the
// unpacked bytes, 0 = the usual bound. Faults of single files are collected; after one of the archive or an error of the file
// system it stops.
func (a *archive) walk(limit int64, do func(*entry, io.Reader) error) error {
	in, err := a.data.unpacked()
	if err != nil {
		return a.rep.fault("", fmt.Errorf("%s: %w", a.data.name, err))
	}
	defer in.Close()
	t := tar.NewReader(&bounded{in: in, left: bound(limit, a.data.data.Size())})
	for n := 0; ; n++ {
		h, err := t.Next()
		switch {
		case errors.Is(err, io.EOF):
			return a.rep.err()
		case err != nil:
			a.rep.add("", fmt.Errorf("%s is damaged: %w", a.data.name, err))
			return a.rep.err()
		case n == maxEntries:
			a.rep.add("", fmt.Errorf("it has more than %d files", maxEntries))
			return a.rep.err()
		}
		if stop := a.visit(h, t, do); stop {
			return a.rep.err()
		}
	}
}

// visit checks one header and hands it on. It reports whether going on makes no sense.
func (a *archive) visit(h *tar.Header, t io.Reader, do func(*entry, io.Reader) error) bool {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return false
	}
	e, err := newEntry(h)
	if err != nil {
		a.rep.add(h.Name, err)
		return false
	}
	if e.Path == "/" {
		return false
	}
	if err := do(e, t); err != nil {
		a.rep.add(e.rel(), err)
		_, late := errors.AsType[writeError](err)
		return late || errors.Is(err, errBomb)
	}
	return false
}

// newEntry checks a header.
func newEntry(h *tar.Header) (*entry, error) {
	p, err := cleanPath(h.Name)
	if err != nil {
		return nil, err
	}
	f := File{Path: p, Mode: uint32(h.Mode) & 0o7777, UID: h.Uid, GID: h.Gid}
	if f.UID < 0 || f.GID < 0 || int64(f.UID) >= 1<<31 || int64(f.GID) >= 1<<31 {
		return nil, fmt.Errorf("its owner %d:%d is out of range", f.UID, f.GID)
	}
	switch h.Typeflag {
	case tar.TypeReg:
		f.Kind, f.Size = Regular, h.Size
	case tar.TypeDir:
		f.Kind = Folder
	case tar.TypeSymlink:
		f.Kind, f.Mode, f.Link = Symlink, 0o777, h.Linkname
		err = checkText(h.Linkname)
	case tar.TypeLink:
		f.Kind = Hardlink
		f.Link, err = cleanPath(h.Linkname)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		return nil, errors.New("device nodes and named pipes are refused")
	default:
		return nil, fmt.Errorf("its type %q is unknown", h.Typeflag)
	}
	if err != nil {
		return nil, fmt.Errorf("its target %q: %w", h.Linkname, err)
	}
	return &entry{File: f, time: clamp(h.ModTime)}, nil
}

// clamp cuts a time to whole seconds since 1970.
func clamp(t time.Time) time.Time { return time.Unix(max(t.Unix(), 0), 0).UTC() }

// cleanPath turns the name of an entry ("./usr/bin/x") into an absolute path.
func cleanPath(name string) (string, error) {
	if err := checkText(name); err != nil {
		return "", err
	}
	if strings.HasPrefix(name, "/") {
		return "", errors.New("the path is absolute")
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "./"), "/")
	if name == "" || name == "." {
		return "/", nil
	}
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "..":
			return "", errors.New("the path leaves the package")
		case part == "" || part == ".":
			return "", errors.New("the path has empty parts")
		case len(part) > maxName:
			return "", errors.New("the name is too long")
		}
	}
	return path.Clean("/" + name), nil
}

// checkText refuses what cannot be a path, or cannot be listed one a line.
func checkText(s string) error {
	switch {
	case s == "":
		return errors.New("it is empty")
	case len(s) > maxPath:
		return errors.New("it is too long")
	case !utf8.ValidString(s):
		return errors.New("it is not UTF-8")
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return errors.New("it holds a control character")
	}
	return nil
}

var errBomb = errors.New("it unpacks to more bytes than are allowed")

// bound is how many bytes a data part of this packed size may unpack to.
func bound(limit, packed int64) int64 {
	if limit <= 0 {
		limit = maxBytes
	}
	return min(limit, freeBytes+packed*maxRatio)
}

// bounded fails behind so many bytes.
type bounded struct {
	in   io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errBomb
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.in.Read(p)
	b.left -= int64(n)
	return n, err
}
