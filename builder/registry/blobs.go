package registry

import (
	"context"
	"sync"

	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
)

// atOnce is the number of blobs that are asked for at the same time.
const atOnce = 24

// Held is what a repository said of blobs. Of one that is in neither set it said nothing of use.
type Held struct {
	There map[digest.Digest]bool
	Lost  map[digest.Digest]bool
}

// Hold asks the repository of a reference for blobs, each by itself. A registry has no request for several, and a manifest says nothing of blobs that were lost since.
func (r *Client) Hold(ctx context.Context, ref string, blobs []ocispecs.Descriptor) Held {
	held := Held{There: map[digest.Digest]bool{}, Lost: map[digest.Digest]bool{}}
	var mu sync.Mutex
	eg := errgroup.Group{}
	eg.SetLimit(atOnce)
	once := map[digest.Digest]bool{}
	for _, desc := range blobs {
		b := desc.Digest
		if once[b] {
			continue
		}
		once[b] = true
		eg.Go(func() error {
			there, err := r.Has(ctx, ref, b)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
			case there:
				held.There[b] = true
			default:
				held.Lost[b] = true
			}
			return nil
		})
	}
	_ = eg.Wait() // nothing in it fails
	return held
}
