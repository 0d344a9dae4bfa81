package localfs

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/tonistiigi/fsutil/types"
)

// sum is the sha256 of a file's contents.
type sum [sha256.Size]byte

// The times that files are sent with lie in the 36 years from here on: none is in the future, where make and ninja would stumble, and none is before what a ZIP
// file can say (1980).
const (
	fixedTime = 315_619_200 * 1e9 // 1980-01-02, in nanoseconds since 1970: of what has no contents
	timeBits  = 60
)

// file is a regular file as it was read.
type file struct {
	stat *types.Stat
	info fs.FileInfo
	sum  sum
	up   int // directories above the project's that its path begins in
}

// read finds the sum of an open file and its extended attributes, and makes the time of them that it is sent with.
func (f *file) read(open *os.File, d *Dir) (err error) {
	if f.sum, err = d.sums.of(strings.Repeat("../", f.up)+f.stat.Path, open, f.info); err != nil {
		return fmt.Errorf("read %s: %w", f.stat.Path, err)
	}
	if f.stat.Xattrs, err = xattrs(open); err != nil {
		return fmt.Errorf("read the extended attributes of %s: %w", f.stat.Path, err)
	}
	f.stat.ModTime = d.id.time(f.sum, f.stat.Xattrs)
	return nil
}

// time returns the time that stands for contents, in nanoseconds since 1970. Nobody can make another file of that time who does not know the id.
func (id ID) time(s sum, attributes map[string][]byte) int64 {
	mac := hmac.New(sha256.New, id[:])
	mac.Write(s[:])
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		fmt.Fprintf(mac, "%q%q", name, attributes[name])
	}
	return fixedTime + int64(binary.BigEndian.Uint64(mac.Sum(nil))>>(64-timeBits))
}

// checked reads a file that is sent, and fails where it is not the one that was listed.
type checked struct {
	file io.ReadCloser
	hash hash.Hash
	want sum
	path string
	fail func(error) error
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.file.Read(p)
	c.hash.Write(p[:n])
	switch {
	case errors.Is(err, io.EOF) && sum(c.hash.Sum(nil)) != c.want:
		return 0, c.fail(changed(c.path))
	case err != nil && !errors.Is(err, io.EOF):
		return 0, c.fail(fmt.Errorf("read a file of the project: %w", err))
	}
	return n, err
}

func (c *checked) Close() error { return c.file.Close() }

// ErrChanged says that a file was changed while it was sent.
var ErrChanged = errors.New("it was changed while it was sent")

func changed(path string) error { return fmt.Errorf("%s: %w", path, ErrChanged) }

var buffers = sync.Pool{New: func() any { b := make([]byte, 128<<10); return &b }}

// sumOf reads size bytes. What comes after them is another file, which is noticed when it is sent.
func sumOf(r io.Reader, size int64) (s sum, err error) {
	h := sha256.New()
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	n, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{io.LimitReader(r, size)}, *buf)
	if err == nil && n < size {
		err = ErrChanged
	}
	return sum(h.Sum(nil)), err
}
