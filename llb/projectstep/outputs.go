package projectstep

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/step"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Result is what a script leaves: its root, with all that the commands made.
type Result struct {
	Root   bkllb.State
	Script Script
}

// Collect makes a layer of files in the root that commands left. It runs on the daemon's own platform, without network, and fails if a file is not there or
// if one holds the value of a secret that the commands had: then there is no image.
func (d Result) Collect(outputs []recipe.Output, table ops.DirTable, set ops.Setting) bkllb.State {
	return d.CollectOver(nil, outputs, table, set)
}

// CollectOver is Collect for files that lie over the layers of packages: it fails too if a package has one of them with other contents, unless the output replaces it. What is the
// same is left out.
func (d Result) CollectOver(packages []bkllb.State, outputs []recipe.Output, table ops.DirTable, set ops.Setting) bkllb.State {
	var parents []string
	for _, o := range outputs {
		parents = append(parents, o.Parent())
	}
	c := step.Collection{Step: d.Script.Who, In: collectedIn, Out: collectedOut, Time: wheel.ModTime.Unix()}
	for _, d := range table.Chain(parents...) {
		c.Dirs = append(c.Dirs, step.Dir{Path: d.Path, Mode: uint32(d.Mode), UID: d.UID, GID: d.GID})
	}
	for _, o := range outputs {
		f := step.File{From: o.From, To: o.To, Mode: modeBits(o.Mode), Replace: o.Replace}
		f.UID, f.GID = outputOwner(o, table)
		c.Files = append(c.Files, f)
	}
	var opts []bkllb.RunOption
	c.Secrets, opts = searchedSecrets(d.Script.Script, recipe.User{})
	for i, p := range packages {
		at := fmt.Sprintf("%s/%d", collectedOver, i)
		c.Packages = append(c.Packages, at)
		opts = append(opts, bkllb.AddMount(at, p, bkllb.Readonly, ops.ByKey))
	}
	opts = append(opts,
		bkllb.Args([]string{"/" + StepFile, "collect", asJSON(c)}), bkllb.Network(pb.NetMode_NONE), bkllb.ReadonlyRootFS(),
		bkllb.Platform(set.Worker), d.Script.Group.Named("keep %s of the %s", OutputNames(outputs), d.Script.Who),
		bkllb.AddMount(collectedIn, d.Root, bkllb.Readonly, ops.ByKey))
	return stepProgram(set.Helpers, set.Helpers.StepWorker).Run(opts...).AddMount(collectedOut, bkllb.Scratch())
}

// Copied is some files of another file system, placed on nothing.
func Copied(from bkllb.State, outputs []recipe.Output, table ops.DirTable, s ops.Group, name string) bkllb.State {
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

// OutputNames lists sources for people, the first of many.
func OutputNames(outputs []recipe.Output) string {
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
