package llb

import (
	"path"
	"slices"
	"strconv"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
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
func copyLayers(r *recipe.Recipe, in given, table ops.DirTable, steps map[string]ran) (layers ops.Layers) {
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
	s := ops.Group{ID: ops.GroupCopy, NoCache: in.NoCache}
	for _, from := range order {
		outputs := bySource[from]
		if from.step != "" {
			done := steps[from.step]
			l := layerplan.Layer{Kind: layerplan.KindCopy, Name: outputNames(outputs) + " from the " + done.who}
			layers = layers.And(ops.Layer{Layer: l, State: done.collect(outputs, table, in)})
			continue
		}
		ref := in.Images[from.image].Ref
		image := bkllb.Image(ref, bkllb.Platform(in.platform), s.Named("%s", ref))
		l := layerplan.Layer{Kind: layerplan.KindCopy, Name: outputNames(outputs) + " from " + from.image}
		layers = layers.And(ops.Layer{Layer: l, State: placedOutputs(image, outputs, table, s, "copy "+l.Name)})
	}
	return layers
}

// placedOutputs is some files of another file system, placed on nothing.
func placedOutputs(from bkllb.State, outputs []recipe.Output, table ops.DirTable, s ops.Group, name string) bkllb.State {
	var parents []string
	for _, o := range outputs {
		parents = append(parents, o.Parent())
	}
	a := table.Mkdirs(parents...)
	for _, o := range outputs {
		pattern := strings.ContainsAny(o.From, "*?[")
		uid, gid := outputOwner(o, table)
		info := &bkllb.CopyInfo{CopyDirContentsOnly: !pattern, AllowWildcard: pattern, FollowSymlinks: !pattern, Mode: outputMode(o.Mode)}
		to := o.To
		if !pattern && strings.HasSuffix(to, "/") {
			to = path.Join(to, path.Base(o.From))
		}
		a.Copy(from, o.From, to, info, uid, gid)
	}
	a.Settle(s, table.Chain(parents...))
	return bkllb.Scratch().File(a.Last, s.Step(ops.StepCopy, name, "%s", name))
}

// outputOwner is who a rule names, else the owner of the directory that the files are put into.
func outputOwner(o recipe.Output, table ops.DirTable) (uid, gid int) {
	left, right, named := strings.Cut(o.Owner, ":")
	if !named {
		d := table.Lookup(o.Parent())
		return d.UID, d.GID
	}
	uid, _ = strconv.Atoi(left)
	gid, _ = strconv.Atoi(right)
	return uid, gid
}

// outputMode leaves modes as they are in the source unless the rule names one.
func outputMode(mode string) *bkllb.ChmodOpt {
	if mode == "" {
		return nil
	}
	return ops.Chmod(mode)
}

// modeBits are the permission bits that a rule names, nil if it names none.
func modeBits(mode string) *uint32 {
	bits, err := strconv.ParseUint(mode, 8, 32)
	if err != nil {
		return nil
	}
	b := uint32(bits)
	return &b
}

// outputNames lists sources for people, the first of many.
func outputNames(outputs []recipe.Output) string {
	const most = 3
	var names []string
	for _, o := range outputs[:min(most, len(outputs))] {
		names = append(names, o.From)
	}
	if len(outputs) > most {
		names = append(names, "…")
	}
	return strings.Join(names, ", ")
}
