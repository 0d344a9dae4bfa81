package publish

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
)

// nameKey is the result's metadata by which the exporter with the name "*" learns where to push (BuildKit exporter/containerimage/export.go).
const nameKey = "image.name"

// Solve has the daemon make what the plan exports, and lets the exporter push or not.
func (p Publisher) Solve(ctx context.Context, gw gateway.Client, d Decided) (res *gateway.Result, err error) {
	if d.Plan.Whole() {
		res, err = p.solveGraphs(ctx, gw, d)
	} else {
		res, err = p.solvePart(ctx, gw, d)
	}
	switch {
	case err != nil || d.Plan.Expected.Kind == NotPushed:
	case d.Plan.deferred():
		res.AddMeta(nameKey, nil)
	default:
		res.AddMeta(nameKey, []byte(p.Tags[0]))
	}
	return res, err
}

// solveGraphs is SolveAll with the caches of the profile.
func (p Publisher) solveGraphs(ctx context.Context, gw gateway.Client, d Decided) (*gateway.Result, error) {
	return SolveAll(ctx, gw, d.Graphs, p.Imports(d.Remote, d.Graphs))
}

// SolveAll has every platform's graph solved and puts the results together as the exporters want them. The errors are those of Graph.Solve.
func SolveAll(ctx context.Context, gw gateway.Client, graphs []Graph, imports []Cache) (*gateway.Result, error) {
	refs := make([]gateway.Reference, len(graphs))
	eg, egctx := errgroup.WithContext(ctx)
	for i, g := range graphs {
		eg.Go(func() (err error) {
			refs[i], err = g.Solve(egctx, gw, g.Definition, imports)
			return err
		})
	}
	if err := eg.Wait(); err != nil {
		return nil, err
	}
	res := gateway.NewResult()
	if len(refs) == 1 {
		res.SetRef(refs[0])
		res.AddMeta(exptypes.ExporterImageConfigKey, graphs[0].Config)
		return res, nil
	}
	return res, addPlatforms(res, graphs, refs)
}

func addPlatforms(res *gateway.Result, graphs []Graph, refs []gateway.Reference) error {
	var list exptypes.Platforms
	for i, g := range graphs {
		id := platforms.FormatAll(g.Platform)
		res.AddRef(id, refs[i])
		res.AddMeta(exptypes.ExporterImageConfigKey+"/"+id, g.Config)
		list.Platforms = append(list.Platforms, exptypes.Platform{ID: id, Platform: g.Platform})
	}
	return withPlatforms(res, list)
}

// Solve solves a definition of the graph to the end, so that a failing step is known here and not in the exporter.
func (g Graph) Solve(ctx context.Context, gw gateway.Client, def *pb.Definition, imports []Cache) (gateway.Reference, error) {
	res, err := gw.Solve(ctx, gateway.SolveRequest{Definition: def, Evaluate: true, CacheImports: gatewayCaches(imports)})
	if err != nil {
		return nil, g.Explain(ctx, gw, err)
	}
	return res.SingleRef()
}

// solvePart has the layers that are to be made solved alone, as an image with the config and the history that they have in the whole one.
func (p Publisher) solvePart(ctx context.Context, gw gateway.Client, d Decided) (*gateway.Result, error) {
	g, r := d.Graphs[0], d.Plan.reuse
	config, err := r.partConfig(g)
	if err != nil {
		return nil, err
	}
	ref, err := g.Solve(ctx, gw, r.part, p.partImports(d))
	if err != nil {
		return nil, err
	}
	res := gateway.NewResult()
	res.SetRef(ref)
	res.AddMeta(exptypes.ExporterImageConfigKey, config)
	return res, nil
}

// solveLayers has every layer solved by itself, with what some caches hold, and names them in order.
func solveLayers(ctx context.Context, gw gateway.Client, layers []*pb.Definition, imports []Cache) (*gateway.Result, error) {
	refs := make([]gateway.Reference, len(layers))
	eg, egctx := errgroup.WithContext(ctx)
	for i, def := range layers {
		eg.Go(func() error {
			res, err := gw.Solve(egctx, gateway.SolveRequest{Definition: def, Evaluate: true, CacheImports: gatewayCaches(imports)})
			if err != nil {
				return err
			}
			refs[i], err = res.SingleRef()
			return err
		})
	}
	if err := eg.Wait(); err != nil {
		return nil, err
	}
	return numbered(refs)
}

// numbered puts refs that are no images into one result. A result of several refs needs a platform for each, and the daemon warns unless they are
// those of the request (exporter/verifier): each has one that does not exist.
func numbered(refs []gateway.Reference) (*gateway.Result, error) {
	res := gateway.NewResult()
	var list exptypes.Platforms
	for i, ref := range refs {
		p := numberedPlatform(i)
		res.AddRef(platforms.FormatAll(p), ref)
		list.Platforms = append(list.Platforms, exptypes.Platform{ID: platforms.FormatAll(p), Platform: p})
	}
	return res, withPlatforms(res, list)
}

func numberedPlatform(i int) ocispecs.Platform {
	return ocispecs.Platform{OS: "linux", Architecture: "layer", Variant: strconv.Itoa(i)}
}

// numberedPlatforms are the platforms that a request for n refs names.
func numberedPlatforms(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = platforms.FormatAll(numberedPlatform(i))
	}
	return strings.Join(names, ",")
}

// withPlatforms says which ref of the result is for which platform.
func withPlatforms(res *gateway.Result, list exptypes.Platforms) error {
	data, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("encode the list of platforms: %w", err)
	}
	res.AddMeta(exptypes.ExporterPlatformsKey, data)
	return nil
}
