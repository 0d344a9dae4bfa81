package publish

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/mlbuild/mlbuild/builder/limits"
	"github.com/mlbuild/mlbuild/builder/registry"
)

// RemoteState is what a repository held before the build.
type RemoteState struct {
	digest  string                 // of the image under the first tag, "" = none
	image   remoteImage            // that image, or where there is none the one to start from
	caches  []string               // those of Options.OwnCaches that are there
	layers  map[digest.Digest]bool // of all
	cached  map[digest.Digest]bool // of the caches
	unknown bool                   // the registry did not let the client look
	failed  error                  // why
	refused error                  // the registry would not take the image of this account
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

// Look asks the registry what is there already: BuildKit does not say which layers it pushed.
func Look(ctx context.Context, r *registry.Client, o Options) *RemoteState {
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
			all[i], err = r.Find(egctx, ref, ref == o.Tags[0])
			return err
		})
	}
	s := &RemoteState{layers: map[digest.Digest]bool{}, cached: map[digest.Digest]bool{}}
	if s.failed = eg.Wait(); s.failed != nil {
		s.unknown = true
		return s
	}
	for i, f := range all {
		if f != nil {
			s.add(refs[i], f, refs[i] == o.Tags[0])
		}
	}
	if o.Pushes() && s.digest == "" {
		s.lookFurther(ctx, r, o)
	}
	return s
}

// Failed returns why the registry did not let the client look, nil if it did.
func (s *RemoteState) Failed() error { return s.failed }

// lookFurther finds an image to start from, where the first tag is new: that of another tag of the profile, as a branch's beside a commit's, or the last one that was noted.
func (s *RemoteState) lookFurther(ctx context.Context, r *registry.Client, o Options) {
	for _, ref := range o.starts() {
		if f, err := r.Find(ctx, ref, true); err == nil && f != nil {
			s.image = remoteImage{f.Desc, f.Data, f.Config}
			s.know(f.Layers)
			return
		}
	}
}

// starts lists the references of images that a build may start from.
func (o Options) starts() []string {
	all := slices.DeleteFunc(slices.Clone(o.Tags[1:]), func(t string) bool { return registry.Repository(t) != o.repository() })
	if o.NoOwnCache {
		return all
	}
	for _, cache := range o.OwnCaches() {
		all = append(all, lastOf(cache))
	}
	return all
}

func (s *RemoteState) add(ref string, f *registry.Found, isImage bool) {
	if isImage {
		s.digest, s.image = f.Desc.Digest.String(), remoteImage{f.Desc, f.Data, f.Config}
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
func (s *RemoteState) know(layers []ocispecs.Descriptor) {
	for _, l := range layers {
		s.layers[l.Digest] = true
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

// keyed reports whether the image to start from may have layers that can be reused.
func (s *RemoteState) keyed() bool {
	var c ocispecs.Image
	return json.Unmarshal(s.image.config, &c) == nil && slices.ContainsFunc(c.History, func(h ocispecs.History) bool { return isKey(h.Comment) })
}

func isKey(comment string) bool { return digest.Digest(comment).Validate() == nil }

// layers reads the manifest.
func (p remoteImage) layers() ([]ocispecs.Descriptor, error) {
	var m ocispecs.Manifest
	if err := json.Unmarshal(p.data, &m); err != nil {
		return nil, fmt.Errorf("manifest %s: %w", p.desc.Digest, err)
	}
	return m.Layers, nil
}

// refs returns the layers of an image, and the entry of its history for each.
func (p remoteImage) refs() ([]layerRef, []ocispecs.History, error) {
	layers, err := p.layers()
	if err != nil {
		return nil, nil, err
	}
	var c ocispecs.Image
	if err := json.Unmarshal(p.config, &c); err != nil {
		return nil, nil, fmt.Errorf("read the config of %s: %w", p.desc.Digest, err)
	}
	history := slices.DeleteFunc(c.History, func(h ocispecs.History) bool { return h.EmptyLayer })
	if len(c.RootFS.DiffIDs) != len(layers) || len(history) != len(layers) {
		return nil, nil, fmt.Errorf("%s does not tell of every layer", p.desc.Digest)
	}
	all := make([]layerRef, len(layers))
	for i, l := range layers {
		all[i] = layerRef{l, c.RootFS.DiffIDs[i]}
	}
	return all, history, nil
}

// with returns the layers that the repository has, with some that were brought there since.
func (s *RemoteState) with(brought []ocispecs.Descriptor) map[digest.Digest]bool {
	all := maps.Clone(s.layers)
	for _, l := range brought {
		all[l.Digest] = true
	}
	return all
}
