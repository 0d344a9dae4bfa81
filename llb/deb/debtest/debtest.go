// Package debtest makes small Debian packages for tests, byte for byte the same on every run.
package debtest

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Time is the time of every entry that does not name another.
var Time = time.Date(2020, 2, 2, 0, 0, 0, 0, time.UTC)

// Entry is an entry of data.tar. Name is written as it is ("./usr/bin/x").
type Entry struct {
	Name string
	Type byte // of package tar; 0 = a regular file, or a directory if Name ends with a slash
	Mode int64
	UID  int
	GID  int
	Body string
	Link string
	Time time.Time
}

// Deb is a package to be made.
type Deb struct {
	Package      string            // "demo" if empty
	Version      string            // "1.0" if empty
	Architecture string            // "amd64" if empty
	Fields       string            // more lines of the control paragraph, each ending with a newline
	Control      map[string]string // more files of the control part, and control itself to replace it
	Entries      []Entry
	Suffix       string // compression of both parts: ".gz", ".zst" or "", which is none
}

// Files are entries for regular files, path ("usr/bin/x") → contents, with their directories, in sorted order.
func Files(files map[string]string) []Entry {
	var all []Entry
	dirs := map[string]bool{".": true}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		var up []string
		for d := filepath.Dir(name); !dirs[d]; d = filepath.Dir(d) {
			dirs[d] = true
			up = append(up, d)
		}
		for _, d := range slices.Backward(up) {
			all = append(all, Entry{Name: "./" + d + "/"})
		}
		all = append(all, Entry{Name: "./" + name, Body: files[name]})
	}
	return all
}

// Build returns the bytes of the package. It panics where a package cannot be made, which only a faulty test can cause.
func (d Deb) Build() []byte {
	control := map[string]string{"control": fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: %s\n%s",
		or(d.Package, "demo"), or(d.Version, "1.0"), or(d.Architecture, "amd64"), d.Fields)}
	maps.Copy(control, d.Control)
	parts := []Entry{{Name: "./"}}
	for _, name := range slices.Sorted(maps.Keys(control)) {
		e := Entry{Name: "./" + name, Body: control[name]}
		if strings.HasPrefix(e.Body, "#!") {
			e.Mode = 0o755
		}
		parts = append(parts, e)
	}
	return Ar("debian-binary", "2.0\n", "control.tar"+d.Suffix, d.pack(parts), "data.tar"+d.Suffix, d.pack(d.Entries))
}

// Filename is the name of the package's file.
func (d Deb) Filename() string {
	return or(d.Package, "demo") + "_" + or(d.Version, "1.0") + "_" + or(d.Architecture, "amd64") + ".deb"
}

// Write puts the package into dir and returns its path.
func (d Deb) Write(dir string) (string, error) {
	path := filepath.Join(dir, d.Filename())
	if err := os.WriteFile(path, d.Build(), 0o644); err != nil {
		return "", fmt.Errorf("write a package: %w", err)
	}
	return path, nil
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// Ar is the outer archive of members, given as name, data, name, data…
func Ar(members ...string) []byte {
	var b bytes.Buffer
	b.WriteString("!<arch>\n")
	for i := 0; i+1 < len(members); i += 2 {
		data := members[i+1]
		fmt.Fprintf(&b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", members[i], Time.Unix(), 0, 0, "100644", len(data))
		b.WriteString(data + strings.Repeat("\n", len(data)%2))
	}
	return b.Bytes()
}

// pack makes a compressed tar.
func (d Deb) pack(entries []Entry) string {
	var b bytes.Buffer
	z := compressor(&b, d.Suffix)
	t := tar.NewWriter(z)
	for _, e := range entries {
		h := header(e)
		err := t.WriteHeader(h)
		if err == nil && h.Size > 0 {
			_, err = io.WriteString(t, e.Body)
		}
		if err != nil {
			panic(fmt.Sprintf("debtest: entry %s: %v", e.Name, err))
		}
	}
	if err := t.Close(); err != nil {
		panic(fmt.Sprintf("debtest: %v", err))
	}
	if err := z.Close(); err != nil {
		panic(fmt.Sprintf("debtest: %v", err))
	}
	return b.String()
}

func header(e Entry) *tar.Header {
	h := &tar.Header{Name: e.Name, Typeflag: e.Type, Mode: e.Mode, Uid: e.UID, Gid: e.GID, Linkname: e.Link, ModTime: e.Time, Format: tar.FormatGNU}
	if h.ModTime.IsZero() {
		h.ModTime = Time
	}
	if h.Typeflag == 0 {
		h.Typeflag = tar.TypeReg
		if strings.HasSuffix(e.Name, "/") {
			h.Typeflag = tar.TypeDir
		}
	}
	if h.Typeflag == tar.TypeReg {
		h.Size = int64(len(e.Body))
	}
	if h.Mode == 0 {
		h.Mode = 0o644
		if h.Typeflag == tar.TypeDir {
			h.Mode = 0o755
		}
	}
	return h
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

func compressor(to io.Writer, suffix string) io.WriteCloser {
	switch suffix {
	case ".gz":
		return gzip.NewWriter(to)
	case ".zst":
		z, err := zstd.NewWriter(to, zstd.WithEncoderConcurrency(1))
		if err != nil {
			panic(fmt.Sprintf("debtest: %v", err))
		}
		return z
	case "":
		return nopCloser{to}
	}
	panic("debtest: no compressor for " + suffix)
}
