package builder

import (
	"context"

	bkclient "github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/builder/publish"
	"github.com/mlbuild/mlbuild/llb/layerplan"
)

// An exporter compresses layers when everything is made, and the checks of an image with many new packages take as long as that. So the packages' layers are compressed while they are
// checked, by an export of their own that goes nowhere: the daemon keeps the blobs that it makes of a layer, and the export of the image finds them. Where a check fails they are of no use.

// besideFrom is the size of packages, in bytes of downloads, from which this gains more than a second build costs.
const besideFrom = 100 << 20

// unchecked returns the part of a graph that its check of the packages runs on, nil where that is not to be compressed meanwhile: a cache may have the layers and the check, and what a cache has must
// not be pulled; steps that run again would do so twice; layers of another codec are made later.
func unchecked(p publish.Publisher, d publish.Decided) *pb.Definition {
	exports, err := p.Entries()
	if err != nil || !p.Pushes() || p.Again || !d.Plan.Whole() || len(d.Graphs) != 1 || publish.OtherCodec(exports) || len(p.Imports(d.Remote, d.Graphs)) > 0 {
		return nil
	}
	g := d.Graphs[0]
	layers := checkedLayers(g.Plan.Layers)
	if len(layers) == 0 {
		return nil
	}
	part, err := g.Part(len(g.Base) > 0, layers)
	if err != nil {
		return nil
	}
	return part
}

// checkedLayers are the indexes of the layers that the check of the packages runs on, none where there is no check or little to compress.
func checkedLayers(all []layerplan.Layer) (below []int) {
	bytes := int64(0)
	for i, l := range all {
		if l.Kind == layerplan.KindCheck && bytes >= besideFrom {
			return below
		}
		below, bytes = append(below, i), bytes+l.Size
	}
	return nil
}

// beside is what goes on while packages are checked. The zero value is nothing.
type beside struct{ end func() }

// stop ends it, whether it has come to its end or not.
func (b beside) stop() {
	if b.end != nil {
		b.end()
	}
}

// compressBeside compresses the layers of a part of a build's graph as soon as the build has made them, until it is stopped. What goes wrong here goes wrong in the build, too, and is told there.
func (r runner) compressBeside(ctx context.Context, gw gateway.Client, part *pb.Definition, blobs bkclient.ExportEntry) beside {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if r.laidOut(ctx, gw, part) {
			r.compress(ctx, part, blobs)
		}
	}()
	return beside{func() {
		cancel()
		<-done
	}}
}

// laidOut waits for the layers, and for the tree that the check runs on: laying it out and compressing slow each other down. It reports whether there is something to compress. Where the daemon had most of
// the layers it has the check, too, or their blobs.
func (r runner) laidOut(ctx context.Context, gw gateway.Client, part *pb.Definition) bool {
	res, err := gw.Solve(ctx, gateway.SolveRequest{Definition: part, Evaluate: true})
	if err != nil {
		return false
	}
	if steps := r.w.LayerSteps(); steps.Ran <= steps.Cached {
		return false
	}
	ref, err := res.SingleRef()
	if err != nil {
		return false
	}
	_, err = ref.StatFile(ctx, gateway.StatRequest{Path: "/"})
	return err == nil
}

// compress exports a part to nowhere, in a build of its own: the exporter of a build waits for its checks. Its steps are those of the build, which are told already.
func (r runner) compress(ctx context.Context, part *pb.Definition, blobs bkclient.ExportEntry) {
	quiet := runner{r.build, r.v, diagnose.NewWatcher(nil)}
	defer quiet.w.Close()
	run := publish.Run{Exports: []bkclient.ExportEntry{blobs}}
	_, _ = quiet.run(ctx, run, func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) { // without it the exporter does all
		return gw.Solve(ctx, gateway.SolveRequest{Definition: part, Evaluate: true})
	})
}
