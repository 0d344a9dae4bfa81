package kept

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/statefile"
)

// maxBlob is the size of the largest manifest or config that is kept, in bytes: the largest that registries take (distribution spec, "Pushing manifests").
const maxBlob = 4 << 20

// maxBlobs is how many are kept; those written first make room.
const maxBlobs = 300

// Store is a content store with a directory before it.
type Store struct {
	Dir    string           // "" = nothing is kept
	Daemon content.Provider // nil = nobody is asked for what is not kept
}

// ReaderAt opens a blob: the one that is kept, or the daemon's, which then is kept. Errors: the daemon's, and errdefs.ErrNotFound without one.
func (s Store) ReaderAt(ctx context.Context, desc ocispecs.Descriptor) (content.ReaderAt, error) {
	if data := s.read(desc.Digest); data != nil {
		return blob{bytes.NewReader(data)}, nil
	}
	if s.Daemon == nil {
		return nil, fmt.Errorf("%s is not kept: %w", desc.Digest, errdefs.ErrNotFound)
	}
	data, err := content.ReadBlob(ctx, s.Daemon, desc)
	if err != nil {
		return nil, err
	}
	s.write(desc.Digest, data)
	return blob{bytes.NewReader(data)}, nil
}

// read returns a blob that is kept, nil where there is none with these bytes.
func (s Store) read(d digest.Digest) []byte {
	if s.Dir == "" || d.Validate() != nil {
		return nil
	}
	path := s.path(d)
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxBlob {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil || d.Algorithm().FromBytes(data) != d {
		return nil
	}
	return data
}

// write keeps a blob. One that cannot be written is asked for again.
func (s Store) write(d digest.Digest, data []byte) {
	if s.Dir == "" || len(data) > maxBlob || d.Algorithm().FromBytes(data) != d {
		return
	}
	if os.MkdirAll(s.Dir, 0o700) != nil || statefile.Put(s.path(d), data, os.Rename) != nil {
		return
	}
	s.makeRoom()
}

// makeRoom removes the oldest blobs where there are too many.
func (s Store) makeRoom() {
	entries, err := os.ReadDir(s.Dir)
	if err != nil || len(entries) <= maxBlobs {
		return
	}
	written := func(e os.DirEntry) int64 {
		info, err := e.Info()
		if err != nil {
			return 0
		}
		return info.ModTime().UnixNano()
	}
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return cmp.Compare(written(a), written(b)) })
	for _, e := range entries[:len(entries)-maxBlobs] {
		_ = os.Remove(filepath.Join(s.Dir, e.Name()))
	}
}

func (s Store) path(d digest.Digest) string {
	return filepath.Join(s.Dir, d.Algorithm().String()+"-"+d.Encoded())
}

// blob is a blob in memory.
type blob struct{ *bytes.Reader }

// Close does nothing.
func (blob) Close() error { return nil }
