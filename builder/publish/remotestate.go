package publish

import (
	"context"
	"maps"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/mlbuild/mlbuild/builder/limits"
	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/builder/trust"
)

// RemoteState is what a repository held before the build, and what is believed of it.
type RemoteState struct {
	digest  string                 // of the image under the first tag, "" = none
	image   remoteImage            // that image, or where there is none the one to start from
	caches  []string               // those of Options.OwnCaches that are there
	imports []string               // those of them that are believed, by digest
	layers  map[digest.Digest]bool // blobs that the repository has: it was asked for each
	lost    map[digest.Digest]bool // blobs of the image that it does not have any more
	seen    map[digest.Digest]bool // layers of all manifests that were read
	cached  map[digest.Digest]bool // layers of the caches
	beliefs beliefs
	base    []layerRef // the base's layers by its own manifest, nil = unknown
	unknown bool       // the registry did not let the client look
	failed  error      // why
	refused error      // the registry would not take the image of this account
}

// remoteImage is an image in a registry.
type remoteImage struct {
	desc   ocispecs.Descriptor
	data   []byte // the manifest
	config []byte // nil = not one image, or not read
}

// layerRef is a layer as it is in a registry, and its digest when unpacked.
type layerRef struct {
	desc ocispecs.Descriptor
	diff digest.Digest
}

// Look asks the registry what is there already: BuildKit does not say which layers it pushed. Records of layers are read beside it, local ones and signed ones.
func Look(ctx context.Context, r *registry.Client, o Options, local trust.Local) *RemoteState {
	s := &RemoteState{layers: map[digest.Digest]bool{}, seen: map[digest.Digest]bool{}, cached: map[digest.Digest]bool{}}
	refs := o.interesting()
	if len(refs) > 0 {
		what := "what " + registry.Host(refs[0]) + " has of the image"
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limits.Look, &limits.TimedOutError{What: what, For: limits.Look})
		defer cancel()
	}
	all := make([]*registry.Found, len(refs))
	eg, egctx := errgroup.WithContext(ctx)
	for i, ref := range refs {
		eg.Go(func() (err error) {
			all[i], err = r.Find(egctx, ref, o.isImage(ref))
			return err
		})
	}
	eg.Go(func() error {
		s.beliefs = readBeliefs(egctx, r, o, local)
		return nil
	})
	if err := eg.Wait(); err != nil {
		s.unknown, s.failed = true, err
		s.imports = s.beliefs.writtenBefore(o)
		return s
	}
	for i, f := range all {
		if f != nil {
			s.add(refs[i], f, o)
		}
	}
	if o.Pushes() && s.digest == "" && len(s.beliefs.all) == 0 {
		s.lookFurther(ctx, r, o)
	}
	return s
}

// Failed returns why the registry did not let the client look, nil if it did.
func (s *RemoteState) Failed() error { return s.failed }

// isImage reports whether a reference of those that are asked for is the image's own, and no cache's.
func (o Options) isImage(ref string) bool { return ref == o.Tags[0] }

// readBeliefs reads the records that are believed. One that cannot be read tells nothing.
func readBeliefs(ctx context.Context, r *registry.Client, o Options, local trust.Local) (b beliefs) {
	if len(o.Tags) == 0 {
		return b
	}
	for i, cache := range o.OwnCaches() {
		kept := local.Read(cache)
		if i == 0 {
			b.local = kept
		}
		b.believe(kept)
	}
	if o.NoOwnCache || len(o.interesting()) == 0 {
		return b
	}
	own, signs := signer(o.Keys)
	for i, cache := range cachesBeside(o.repository(), o.Profile, o.Target) {
		for _, k := range o.Keys {
			_, data, err := r.Manifest(ctx, recordOf(cache, k))
			if err != nil {
				continue
			}
			record := openRecord(k, data)
			if i == 0 && signs && k.ID() == own.ID() {
				b.signed = record
			}
			b.believe(record)
		}
	}
	return b
}

// lookFurther finds an image to start from where no record is believed and the first tag is new: that of another tag of the profile, as a branch's beside a commit's. Only what
// the repository has is learned from it.
func (s *RemoteState) lookFurther(ctx context.Context, r *registry.Client, o Options) {
	for _, ref := range o.starts() {
		if f, err := r.Find(ctx, ref, true); err == nil && f != nil {
			s.image = remoteImage{f.Desc, f.Data, f.Config}
			maps.Copy(s.layers, f.Held.There)
			s.know(f.Layers)
			return
		}
	}
}

// starts lists the references of images that a build may start from.
func (o Options) starts() []string {
	return slices.DeleteFunc(slices.Clone(o.Tags[1:]), func(t string) bool { return registry.Repository(t) != o.repository() })
}

func (s *RemoteState) add(ref string, f *registry.Found, o Options) {
	s.know(f.Layers)
	if o.isImage(ref) {
		s.digest, s.image = f.Desc.Digest.String(), remoteImage{f.Desc, f.Data, f.Config}
		s.lost = f.Held.Lost
		maps.Copy(s.layers, f.Held.There)
		return
	}
	believed := s.beliefs.cache(ref, f.Desc.Digest)
	if believed {
		s.imports = append(s.imports, registry.Repository(ref)+"@"+f.Desc.Digest.String())
	}
	if _, signs := signer(o.Keys); signs && !believed {
		return // it is written anew
	}
	s.caches = append(s.caches, ref)
	for _, l := range f.Layers {
		s.cached[l.Digest] = true
	}
}

// know notes layers that a manifest of the repository names.
func (s *RemoteState) know(layers []ocispecs.Descriptor) {
	for _, l := range layers {
		s.seen[l.Digest] = true
	}
}

// interesting lists what is worth asking the registry for. A build that pushes nothing asks for its cache alone, and not Docker Hub, where a bare
// name like app:dev lands that is meant for this machine.
func (o Options) interesting() []string {
	switch {
	case len(o.Tags) == 0:
		return nil
	case o.Pushes() && o.NoOwnCache:
		return o.Tags[:1]
	case o.Pushes():
		return append(o.Tags[:1:1], o.OwnCaches()...)
	case o.NoOwnCache || registry.Host(o.Tags[0]) == "docker.io":
		return nil
	}
	return o.OwnCaches()
}

// Refused returns why the registry would not take the image, nil if it might: a build that is to be pushed need not begin.
func (s *RemoteState) Refused() error { return s.refused }

// Tagged reports whether the first tag named an image.
func (s *RemoteState) Tagged() bool { return s.digest != "" }

// keyed reports whether there may be layers that can be taken.
func (s *RemoteState) keyed() bool {
	return slices.ContainsFunc(s.beliefs.all, func(r trust.Record) bool { return len(r.Layers) > 0 })
}

// WithoutCaches returns the same without the profile's own caches, as if they were not there.
func (s *RemoteState) WithoutCaches() *RemoteState {
	next := *s
	next.caches, next.imports, next.cached = nil, nil, map[digest.Digest]bool{}
	return &next
}

func isKey(comment string) bool { return digest.Digest(comment).Validate() == nil }

// with returns the layers that the repository has, with some that were brought there since.
func (s *RemoteState) with(brought []ocispecs.Descriptor) map[digest.Digest]bool {
	all := maps.Clone(s.layers)
	for _, l := range brought {
		all[l.Digest] = true
	}
	return all
}
