package llb

import (
	"path"
	"strconv"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	digest "github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/projectstep"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// buildSteps returns the outputs of the build steps, each a layer of its own, and what the steps leave by their names.
func buildSteps(r *recipe.Recipe, in given, table ops.DirTable) (layers ops.Layers, steps map[string]projectstep.Result, err error) {
	steps = map[string]projectstep.Result{}
	for _, b := range r.Build {
		done, err := buildStep(r, in, b)
		if err != nil {
			return nil, nil, err
		}
		steps[b.Name] = done
		if outputs := recipe.BesidePackages(b.Outputs); len(outputs) > 0 {
			l := layerplan.Layer{Kind: layerplan.KindBuild, Name: b.Name, Runs: "in the builder, when its source or commands change"}
			layers = layers.And(ops.Layer{Layer: l, State: done.Collect(outputs, table, in.setting())})
		}
	}
	return layers, steps, nil
}

// buildStep runs the commands of one step as root, in the builder stage or in an image of its own. The source is in the step's root, so that
// outputs may lie in it.
func buildStep(r *recipe.Recipe, in given, b recipe.BuildStep) (projectstep.Result, error) {
	s := projectstep.Script{
		Script: b.Script, Name: "build " + b.Name, Who: "build step " + b.Name, Cache: r.Name + "/build/" + b.Name, Dir: recipe.SourceDir,
		Group:    in.setting().Group(ops.GroupBuild),
		Defaults: []recipe.Pair{{Name: "HOME", Value: "/root"}, {Name: "SOURCE_DATE_EPOCH", Value: strconv.FormatInt(wheel.ModTime.Unix(), 10)}},
	}
	root, err := buildRoot(r, in, b, s.Group)
	if err != nil {
		return projectstep.Result{}, err
	}
	if b.Source != nil {
		s.Dir = path.Join(recipe.SourceDir, b.Source.Subdir)
		root = withSource(r, in, root, b, s.Group)
	} else {
		root = root.File(bkllb.Mkdir(recipe.SourceDir, 0o755, bkllb.WithCreatedTime(wheel.ModTime)), s.Group.Named("a directory to build in"))
	}
	return s.Run(root, in.setting()), nil
}

// buildRoot is the root in which a step's commands run, with the environment of its image.
func buildRoot(r *recipe.Recipe, in given, b recipe.BuildStep, s ops.Group) (bkllb.State, error) {
	if b.Image == "" {
		return builderRoot(r, in)
	}
	return ops.ToolState(in.Images[b.Image], in.platform, s)
}

// withSource puts a step's source into its root. An archive is unpacked; what is none stays a file.
func withSource(r *recipe.Recipe, in given, root bkllb.State, b recipe.BuildStep, s ops.Group) bkllb.State {
	src, info := b.Source, &bkllb.CopyInfo{CopyDirContentsOnly: true, CreateDestPath: true}
	at := bkllb.WithCreatedTime(wheel.ModTime)
	switch {
	case src.Git != "":
		opts := []bkllb.GitOption{bkllb.GitChecksum(src.Commit), s.Named("%s at %s", src.Git, src.Commit[:12])}
		if src.Secret != "" {
			opts = append(opts, bkllb.AuthHeaderSecret(src.SourceHeader()))
		}
		from := bkllb.Git(src.Git, src.Commit, opts...)
		return root.File(bkllb.Copy(from, "/", recipe.SourceDir, info, at), s.Named("source of %s", b.Name))
	case src.URL != "":
		opts := []bkllb.HTTPOption{
			bkllb.Checksum(digest.NewDigestFromEncoded(digest.SHA256, src.SHA256)), bkllb.Filename(fileOfURL(src.URL)), bkllb.Chmod(0o644), s.Named("%s", src.URL),
		}
		if src.Secret != "" {
			opts = append(opts, bkllb.AuthHeaderSecret(src.SourceHeader()))
		}
		info.AttemptUnpack = true
		from := bkllb.HTTP(src.URL, opts...)
		return root.File(bkllb.Copy(from, "/"+fileOfURL(src.URL), recipe.SourceDir+"/", info, at), s.Named("source of %s", b.Name))
	}
	a := &ops.Actions{Last: bkllb.Mkdir(recipe.SourceDir, 0o755, at)}
	copyRules(a, src.Files, r.App.Ignore, recipe.User{}, in, s)
	return root.File(a.Last, s.Named("source of %s", b.Name))
}

// fileOfURL is the name of the file at a URL.
func fileOfURL(u string) string {
	u, _, _ = strings.Cut(u, "?")
	u, _, _ = strings.Cut(u, "#")
	if name := path.Base(u); name != "." && name != "/" {
		return name
	}
	return "source"
}
