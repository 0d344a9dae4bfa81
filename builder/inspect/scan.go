package inspect

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
)

const (
	atOnce   = 4        // layers that are read at the same time
	minTwice = 64 << 10 // bytes of a file from which on a second copy is looked for
	maxText  = 16 << 20 // bytes that are kept of a file that lists packages
	maxZstd  = 1 << 30  // bytes of memory for a layer's window
)

// What compressed streams begin with.
var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// file is one file of a layer.
type file struct {
	size int64
	sum  [sha256.Size]byte // zero where no second copy is looked for
}

// contents is what one layer holds.
type contents struct {
	files   map[string]file   // by path, without the first slash
	order   []string          // of the paths
	gone    map[string]bool   // paths that it takes away
	emptied map[string]bool   // directories whose former files it takes away
	texts   map[string][]byte // files that list packages
	bytes   int64
}

// scanAll reads the layers of an image.
func scanAll(ctx context.Context, from source, ref string, layers []ocispecs.Descriptor) ([]contents, error) {
	all := make([]contents, len(layers))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, d := range layers {
		group.Go(func() error {
			blob, err := from.Open(ctx, ref, d)
			if err != nil {
				return err
			}
			defer blob.Close()
			if all[i], err = scanBlob(blob, d.Digest); err != nil {
				return fmt.Errorf("layer %d, %s: %w", i+1, d.Digest, err)
			}
			return nil
		})
	}
	return all, group.Wait()
}

// scanBlob reads one layer to its end and checks its digest.
func scanBlob(blob io.Reader, want digest.Digest) (contents, error) {
	if err := want.Validate(); err != nil {
		return contents{}, err
	}
	verifier := want.Verifier()
	whole := io.TeeReader(blob, verifier)
	unpacked, done, err := decompressed(whole)
	if err != nil {
		return contents{}, err
	}
	defer done()
	c, err := scan(unpacked)
	if err != nil {
		return c, err
	}
	if _, err := io.Copy(io.Discard, unpacked); err != nil {
		return c, err
	}
	if _, err := io.Copy(io.Discard, whole); err != nil {
		return c, err
	}
	if !verifier.Verified() {
		return c, errors.New("its bytes are not those of its digest")
	}
	return c, nil
}

// decompressed unpacks gzip and zstd, which it knows by their first bytes: media types are not always right.
func decompressed(r io.Reader) (io.Reader, func(), error) {
	b := bufio.NewReaderSize(r, 1<<16)
	magic, err := b.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	switch {
	case bytes.HasPrefix(magic, gzipMagic):
		z, err := gzip.NewReader(b)
		return z, func() {}, err
	case bytes.Equal(magic, zstdMagic):
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxZstd))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}
	return b, func() {}, nil
}

// scan reads the tar file of a layer.
func scan(r io.Reader) (contents, error) {
	c := contents{files: map[string]file{}, gone: map[string]bool{}, emptied: map[string]bool{}, texts: map[string][]byte{}}
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return c, nil
		}
		if err != nil {
			return c, err
		}
		name := strings.TrimPrefix(path.Clean("/"+h.Name), "/")
		dir, base := path.Split(name)
		switch hidden, whiteout := strings.CutPrefix(base, ".wh."); {
		case base == ".wh..wh..opq":
			c.emptied[strings.TrimSuffix(dir, "/")] = true
		case whiteout:
			c.gone[dir+hidden] = true
		case h.Typeflag != tar.TypeDir:
			if err := c.add(name, h, t); err != nil {
				return c, err
			}
		}
	}
}

// add takes one file in.
func (c *contents) add(name string, h *tar.Header, r io.Reader) error {
	var f file
	if h.Typeflag == tar.TypeReg {
		f.size = h.Size
	}
	var text bytes.Buffer
	sum := sha256.New()
	switch {
	case f.size == 0:
	case isList(name) && f.size <= maxText:
		if _, err := io.Copy(&text, r); err != nil {
			return err
		}
		c.texts[name] = text.Bytes()
	case f.size >= minTwice:
		if _, err := io.Copy(sum, r); err != nil {
			return err
		}
		sum.Sum(f.sum[:0])
	}
	if old, again := c.files[name]; again {
		c.bytes -= old.size
	} else {
		c.order = append(c.order, name)
	}
	c.files[name] = f
	c.bytes += f.size
	return nil
}
