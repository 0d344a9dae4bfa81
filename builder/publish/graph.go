package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb"
)

// Graph is the graph of one platform.
type Graph struct {
	*llb.Graph
	Base    []digest.Digest // of the base's layers, unpacked
	BaseRef string          // the base by digest; "" = there is no image
	// Apart compiles each of its layers by itself, with the project's files from another session, see Publisher.exportCache.
	Apart func() ([]*pb.Definition, error)
	// Explain makes a fault of what failed in it, asking the daemon if need be.
	Explain func(ctx context.Context, gw gateway.Client, err error) error
}

// history returns the entries of the graph's own layers.
func (g Graph) history() ([]ocispecs.History, error) {
	var c ocispecs.Image
	if err := json.Unmarshal(g.Config, &c); err != nil {
		return nil, fmt.Errorf("read the compiled config: %w", err)
	}
	if len(c.History) < len(g.Plan.Layers) {
		return nil, errors.New("the compiled config does not tell of every layer")
	}
	return c.History[len(c.History)-len(g.Plan.Layers):], nil
}

// unkeyed returns the name of a layer that is neither sent nor known by a key in the history, "" if there is none.
func (g Graph) unkeyed(own []ocispecs.History) string {
	for i, l := range g.Plan.Layers {
		if !l.FromContext() && own[i].Comment == "" {
			return l.Name
		}
	}
	return ""
}
