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
	// Sent are the keys of layers that are made from files of the project too, in the order of the plan; "" = the layer is another, or its files may be others by now. Nil = there is none.
	Sent []string
	// Steady reports whether the files of such a layer stayed as its key says while the image was built; nil = there is none.
	Steady func(layer int) bool
	// Apart compiles each of its layers by itself, with the project's files from another session, see Publisher.exportCache.
	Apart func() ([]*pb.Definition, error)
	// Explain makes a fault of what failed in it, asking the daemon if need be.
	Explain func(ctx context.Context, gw gateway.Client, err error) error
}

// keys returns by what each of the graph's own layers is known: the key in the image's history, or one that says what the layer's files hold, too. "" = by nothing.
func (g Graph) keys() ([]string, error) {
	var c ocispecs.Image
	if err := json.Unmarshal(g.Config, &c); err != nil {
		return nil, fmt.Errorf("read the compiled config: %w", err)
	}
	if len(c.History) < len(g.Plan.Layers) {
		return nil, errors.New("the compiled config does not tell of every layer")
	}
	keys := make([]string, len(g.Plan.Layers))
	for i, h := range c.History[len(c.History)-len(g.Plan.Layers):] {
		if keys[i] = h.Comment; keys[i] == "" && i < len(g.Sent) {
			keys[i] = g.Sent[i]
		}
	}
	return keys, nil
}

// made returns the keys under which layers that the graph has made may be remembered.
func (g Graph) made() ([]string, error) {
	keys, err := g.keys()
	for i := range keys {
		if i < len(g.Sent) && g.Sent[i] != "" && !g.Steady(i) {
			keys[i] = ""
		}
	}
	return keys, err
}

// unkeyed returns the name of a layer that takes work to make and is known by nothing, "" if there is none.
func (g Graph) unkeyed(keys []string) string {
	for i, l := range g.Plan.Layers {
		if !l.FromContext() && keys[i] == "" {
			return l.Name
		}
	}
	return ""
}
