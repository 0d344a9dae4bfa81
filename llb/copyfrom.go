package llb

import (
	"slices"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/projectstep"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// layersFromElsewhere returns the outputs of build steps, and the files of other images and of these steps.
func layersFromElsewhere(r *recipe.Recipe, in given, table ops.DirTable) (ops.Layers, error) {
	layers, steps, err := buildSteps(r, in, table)
	if err != nil {
		return nil, err
	}
	return layers.And(copyLayers(r, in, table, steps)...), nil
}

// copyLayers returns the files of other images and of build steps, one layer for each of these. It is a function of the image's digest and of the rules.
func copyLayers(r *recipe.Recipe, in given, table ops.DirTable, steps map[string]projectstep.Result) (layers ops.Layers) {
	type source struct{ image, step string }
	var order []source
	bySource := map[source][]recipe.Output{}
	for _, c := range r.CopyFrom {
		from := source{c.Image, c.Step}
		if !slices.Contains(order, from) {
			order = append(order, from)
		}
		bySource[from] = append(bySource[from], c.Output)
	}
	s := in.setting().Group(ops.GroupCopy)
	for _, from := range order {
		outputs := bySource[from]
		if from.step != "" {
			done := steps[from.step]
			l := layerplan.Layer{Kind: layerplan.KindCopy, Name: projectstep.OutputNames(outputs) + " from the " + done.Script.Who}
			layers = layers.And(ops.Layer{Layer: l, State: done.Collect(outputs, table, in.setting())})
			continue
		}
		ref := in.Images[from.image].Ref
		image := bkllb.Image(ref, bkllb.Platform(in.platform), s.Named("%s", ref))
		l := layerplan.Layer{Kind: layerplan.KindCopy, Name: projectstep.OutputNames(outputs) + " from " + from.image}
		layers = layers.And(ops.Layer{Layer: l, State: projectstep.Copied(image, outputs, table, s, "copy "+l.Name)})
	}
	return layers
}
