package session

import (
	"context"
	"slices"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/helper"
	"github.com/mlbuild/mlbuild/llb/ops"
)

// Stores are the content stores that a session offers, by name: the programs that steps run on the daemon's own platform, "linux/amd64", and those that run a project's steps on
// the platforms of images.
func Stores(own string, h ops.Helpers, images []string) map[string]content.Store {
	programs := map[digest.Digest]program{
		digest.Digest(h.Wheels): {helper.Wheels, own}, digest.Digest(h.Packages): {helper.Packages, own},
	}
	for _, p := range append(slices.Clone(images), own) {
		for _, name := range []string{helper.Steps, helper.Checks} {
			if d, err := helper.Digest(name, p); err == nil { // without it only graphs that need it fail, when they are compiled
				programs[digest.Digest(d)] = program{name, p}
			}
		}
	}
	return map[string]content.Store{ops.HelperStore: helperStore{programs}}
}

// program is one of the helpers, for a platform.
type program struct{ name, platform string }

// helperStore offers the helpers to the daemon, and nothing else: it is a content store of a few blobs that cannot be written.
type helperStore struct{ programs map[digest.Digest]program }

func (s helperStore) open(want digest.Digest) (*helper.Program, error) {
	p, ok := s.programs[want]
	if !ok {
		return nil, errdefs.ErrNotFound
	}
	return helper.Open(p.name, p.platform)
}

// Info implements content.Store.
func (s helperStore) Info(_ context.Context, want digest.Digest) (content.Info, error) {
	p, err := s.open(want)
	if err != nil {
		return content.Info{}, err
	}
	return content.Info{Digest: want, Size: p.Size()}, nil
}

// ReaderAt implements content.Store.
func (s helperStore) ReaderAt(_ context.Context, want ocispecs.Descriptor) (content.ReaderAt, error) {
	return s.open(want.Digest)
}

// Walk implements content.Store.
func (s helperStore) Walk(context.Context, content.WalkFunc, ...string) error {
	return errdefs.ErrNotImplemented
}

// Update implements content.Store.
func (s helperStore) Update(context.Context, content.Info, ...string) (content.Info, error) {
	return content.Info{}, errdefs.ErrNotImplemented
}

// Delete implements content.Store.
func (s helperStore) Delete(context.Context, digest.Digest) error { return errdefs.ErrNotImplemented }

// Status implements content.Store.
func (s helperStore) Status(context.Context, string) (content.Status, error) {
	return content.Status{}, errdefs.ErrNotImplemented
}

// ListStatuses implements content.Store.
func (s helperStore) ListStatuses(context.Context, ...string) ([]content.Status, error) {
	return nil, errdefs.ErrNotImplemented
}

// Abort implements content.Store.
func (s helperStore) Abort(context.Context, string) error { return errdefs.ErrNotImplemented }

// Writer implements content.Store.
func (s helperStore) Writer(context.Context, ...content.WriterOpt) (content.Writer, error) {
	return nil, errdefs.ErrNotImplemented
}

var (
	_ content.Store    = helperStore{}
	_ content.ReaderAt = (*helper.Program)(nil)
)
