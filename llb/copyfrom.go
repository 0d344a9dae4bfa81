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

// copyLayers adds the files of other images and of build steps, one layer for each of these. It is a function of the image's digest and of the rules.
func (m *image) copyLayers(table ops.DirTable, steps map[string]built) {
	type source struct{ image, step string }
	var order []source
	bySource := map[source][]recipe.Output{}
	for _, c := range m.recipe.CopyFrom {
		from := source{c.Image, c.Step}
		if !slices.Contains(order, from) {
			order = append(order, from)
		}
		bySource[from] = append(bySource[from], c.Output)
	}
	s := ops.Group{ID: ops.GroupCopy, NoCache: m.in.NoCache}
	for _, from := range order {
		outputs := bySource[from]
		if from.step != "" {
			done := steps[from.step]
			m.add(layerplan.Layer{Kind: layerplan.KindCopy, Name: outputNames(outputs) + " from the " + done.who}, m.collect(done.root, done.scripted, done.who, outputs, table))
			continue
		}
		image := bkllb.Image(m.in.Images[from.image].Ref, bkllb.Platform(m.platform), s.Named("%s", m.in.Images[from.image].Ref))
		name := outputNames(outputs) + " from " + from.image
		m.add(layerplan.Layer{Kind: layerplan.KindCopy, Name: name}, outputLayer(image, outputs, table, s, "copy "+name))
	}
}

// outputLayer is some files of another file system, placed on nothing.
func outputLayer(from bkllb.State, outputs []recipe.Output, table ops.DirTable, s ops.Group, name string) bkllb.State {
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
	a.Settle(emptyDir(s), table.Chain(parents...))
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
	return chmod(mode)
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
