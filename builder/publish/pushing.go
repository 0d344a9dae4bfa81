package publish

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	bkclient "github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/registry"
)

// What a daemon says of a push (BuildKit util/push/push.go, exporter/containerimage): which manifests there are, when their layers are sent, and nothing between.
const (
	saysManifest = "exporting manifest "
	saysPushing  = "pushing layers"
	// saysLayer is what Pushing says of each layer, with its bytes.
	saysLayer = "pushing layer "
)

// How a registry is asked during a push: not before it lasts, now and then, and only for some of what is missing, the smallest first, which come first.
const (
	askAfter = 2 * time.Second
	askEvery = 2 * time.Second
	askedFor = 8
)

// Pushing tells how far the daemon is with a push: it asks the registry for the layers of the image. Who listens to the daemon has it Hear everything, and Tell gets
// statuses of the same vertex with the layers as they arrive. Nothing that goes wrong here is of interest to a build.
type Pushing struct {
	Content content.Provider // what the daemon holds
	Has     func(context.Context, digest.Digest) (bool, error)
	Tell    func(*bkclient.SolveStatus)

	after, every time.Duration
	mu           sync.Mutex // guards what follows
	manifests    []digest.Digest
	end          context.CancelFunc // of the push that is under way; nil = there is none
}

// NewPushing returns what tells of the pushes of an image under a reference.
func NewPushing(daemon content.Provider, reg *registry.Client, ref string, tell func(*bkclient.SolveStatus)) *Pushing {
	return &Pushing{Content: daemon, Tell: tell, after: askAfter, every: askEvery, Has: func(ctx context.Context, blob digest.Digest) (bool, error) {
		return reg.Has(ctx, ref, blob)
	}}
}

// Hear takes what the daemon says. ctx ends the asking.
func (p *Pushing) Hear(ctx context.Context, s *bkclient.SolveStatus) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, v := range s.Statuses {
		switch name, isManifest := strings.CutPrefix(v.ID, saysManifest); {
		case isManifest:
			if d, err := digest.Parse(name); err == nil && !slices.Contains(p.manifests, d) {
				p.manifests = append(p.manifests, d)
			}
		case v.ID != saysPushing:
		case v.Completed != nil && p.end != nil:
			p.end()
			p.end = nil
		case v.Completed == nil && p.end == nil:
			var following context.Context
			following, p.end = context.WithCancel(ctx)
			go p.follow(following, v.Vertex, slices.Clone(p.manifests))
		}
	}
}

// follow asks for the layers until all are there.
func (p *Pushing) follow(ctx context.Context, vertex digest.Digest, manifests []digest.Digest) {
	if !wait(ctx, p.after) {
		return
	}
	begun := time.Now()
	missing := p.layers(ctx, manifests)
	p.tell(vertex, begun, missing, nil)
	for len(missing) > 0 {
		var there []ocispecs.Descriptor
		for _, l := range missing[:min(len(missing), askedFor)] {
			has, err := p.Has(ctx, l.Digest)
			if err != nil {
				return
			}
			if has {
				there = append(there, l)
			}
		}
		missing = slices.DeleteFunc(missing, func(l ocispecs.Descriptor) bool {
			return slices.ContainsFunc(there, func(t ocispecs.Descriptor) bool { return t.Digest == l.Digest })
		})
		p.tell(vertex, begun, nil, there)
		if len(there) < askedFor && !wait(ctx, p.every) {
			return
		}
	}
}

// wait reports whether a time has gone by before a context ended.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// layers lists the layers of images, the smallest first.
func (p *Pushing) layers(ctx context.Context, manifests []digest.Digest) []ocispecs.Descriptor {
	var all []ocispecs.Descriptor
	for _, d := range manifests {
		data, err := content.ReadBlob(ctx, p.Content, ocispecs.Descriptor{Digest: d})
		if err != nil {
			continue
		}
		var m ocispecs.Manifest
		if json.Unmarshal(data, &m) != nil {
			continue
		}
		for _, l := range m.Layers {
			if !slices.ContainsFunc(all, func(k ocispecs.Descriptor) bool { return k.Digest == l.Digest }) {
				all = append(all, l)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b ocispecs.Descriptor) int { return int(a.Size - b.Size) })
	return all
}

// tell says which layers are on their way, and which have arrived.
func (p *Pushing) tell(vertex digest.Digest, begun time.Time, missing, there []ocispecs.Descriptor) {
	now := time.Now()
	s := &bkclient.SolveStatus{}
	for _, l := range missing {
		s.Statuses = append(s.Statuses, &bkclient.VertexStatus{ID: saysLayer + l.Digest.String(), Vertex: vertex, Total: l.Size, Timestamp: now, Started: &begun})
	}
	for _, l := range there {
		s.Statuses = append(s.Statuses, &bkclient.VertexStatus{ID: saysLayer + l.Digest.String(), Vertex: vertex, Current: l.Size, Total: l.Size, Timestamp: now, Started: &begun, Completed: &now})
	}
	if len(s.Statuses) > 0 {
		p.Tell(s)
	}
}
