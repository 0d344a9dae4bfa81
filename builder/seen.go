package builder

import (
	"context"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/mlbuild/mlbuild/builder/registry"
)

// seen is what a repository held before the build.
type seen struct {
	digest  string                 // of the image under the first tag, "" = none
	image   placed                 // that image, or where there is none the one under another tag of the variant
	caches  []string               // those of ownCaches that are there
	layers  map[digest.Digest]bool // of all
	cached  map[digest.Digest]bool // of the caches
	unknown bool                   // the registry did not let the client look
}

// look asks the registry what is there already: BuildKit does not say which layers it pushed.
func (b *build) look(ctx context.Context, req Request, v Variant) *seen {
	refs := b.interesting(req, v)
	all := make([]*registry.Found, len(refs))
	eg, egctx := errgroup.WithContext(ctx)
	for i, ref := range refs {
		eg.Go(func() (err error) {
			all[i], err = b.registry.Find(egctx, ref, ref == v.Tags[0])
			return err
		})
	}
	s := &seen{layers: map[digest.Digest]bool{}, cached: map[digest.Digest]bool{}}
	if eg.Wait() != nil {
		s.unknown = true
		return s
	}
	for i, f := range all {
		if f != nil {
			s.add(refs[i], f, refs[i] == v.Tags[0])
		}
	}
	if b.pushes(v) && s.digest == "" {
		b.lookFurther(ctx, req, v, s)
	}
	return s
}

// lookFurther finds an image to start from, where the first tag is new: that of another tag of the variant, as a branch's beside a commit's, or the last one that was noted.
func (b *build) lookFurther(ctx context.Context, req Request, v Variant, s *seen) {
	for _, ref := range starts(req, v) {
		if f, err := b.registry.Find(ctx, ref, true); err == nil && f != nil {
			s.image = placed{f.Desc, f.Data, f.Config}
			s.know(f.Layers)
			return
		}
	}
}

// starts lists the references of images that a build may start from.
func starts(req Request, v Variant) []string {
	all := slices.DeleteFunc(slices.Clone(v.Tags[1:]), func(t string) bool { return registry.Repository(t) != registry.Repository(v.Tags[0]) })
	if req.NoOwnCache {
		return all
	}
	for _, cache := range ownCaches(req, v) {
		all = append(all, lastOf(cache))
	}
	return all
}

func (s *seen) add(ref string, f *registry.Found, isImage bool) {
	if isImage {
		s.digest, s.image = f.Desc.Digest.String(), placed{f.Desc, f.Data, f.Config}
	} else {
		s.caches = append(s.caches, ref)
	}
	s.know(f.Layers)
	for _, l := range f.Layers {
		if !isImage {
			s.cached[l.Digest] = true
		}
	}
}

// know notes layers that the repository has.
func (s *seen) know(layers []ocispecs.Descriptor) {
	for _, l := range layers {
		s.layers[l.Digest] = true
	}
}

// interesting lists what is worth asking the registry for. A build that pushes nothing asks for its cache alone, and not Docker Hub, where a bare
// name like app:dev lands that is meant for this machine.
func (b *build) interesting(req Request, v Variant) []string {
	switch {
	case len(v.Tags) == 0:
		return nil
	case b.pushes(v) && req.NoOwnCache:
		return v.Tags[:1]
	case b.pushes(v):
		return append(v.Tags[:1:1], ownCaches(req, v)...)
	case req.NoOwnCache || registry.Host(v.Tags[0]) == "docker.io":
		return nil
	}
	return ownCaches(req, v)
}
