package llb

import (
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	digest "github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// built is what a build step leaves: its root, with the source in it, and the step itself.
type built struct {
	root bkllb.State
	scripted
	who string
}

// buildSteps adds the outputs of the build steps, each a layer of its own, and gives what the steps leave by their names.
func (m *image) buildSteps(table ops.DirTable) (map[string]built, error) {
	steps := map[string]built{}
	for _, b := range m.recipe.Build {
		done, err := m.buildStep(b)
		if err != nil {
			return nil, err
		}
		steps[b.Name] = done
		if len(b.Outputs) > 0 {
			l := layerplan.Layer{Kind: layerplan.KindBuild, Name: b.Name, Runs: "in the builder, when its source or commands change"}
			m.add(l, m.collect(done.root, done.scripted, done.who, b.Outputs, table))
		}
	}
	return steps, nil
}

// buildStep runs the commands of one step as root, in the builder stage or in an image of its own. The source is in the step's root, so that
// outputs may lie in it.
func (m *image) buildStep(b recipe.BuildStep) (built, error) {
	s := scripted{
		Script: b.Script, name: "build " + b.Name, id: "build/" + b.Name, dir: recipe.SourceDir,
		stage: ops.Group{ID: ops.GroupBuild, NoCache: m.in.NoCache},
		env:   []recipe.Pair{{Name: "HOME", Value: "/root"}, {Name: "SOURCE_DATE_EPOCH", Value: strconv.FormatInt(wheel.ModTime.Unix(), 10)}},
	}
	root, err := m.buildRoot(b, s.stage)
	if err != nil {
		return built{}, err
	}
	if b.Source != nil {
		s.dir = path.Join(recipe.SourceDir, b.Source.Subdir)
		root = m.withSource(root, b, s.stage)
	} else {
		root = root.File(bkllb.Mkdir(recipe.SourceDir, 0o755, bkllb.WithCreatedTime(wheel.ModTime)), s.stage.Named("a directory to build in"))
	}
	return built{m.runScript(root, s).Root(), s, "build step " + b.Name}, nil
}

// buildRoot is the root in which a step's commands run, with the environment of its image.
func (m *image) buildRoot(b recipe.BuildStep, s ops.Group) (bkllb.State, error) {
	if b.Image == "" {
		return m.builder()
	}
	from := m.in.Images[b.Image]
	config, err := json.Marshal(from.Config)
	if err != nil {
		return bkllb.State{}, fmt.Errorf("encode the config of %s: %w", from.Ref, err)
	}
	root, err := bkllb.Image(from.Ref, bkllb.Platform(m.platform), s.Named("%s", from.Ref)).WithImageConfig(config)
	if err != nil {
		return bkllb.State{}, fmt.Errorf("read the config of %s: %w", from.Ref, err)
	}
	return root, nil
}

// withSource lays a step's source down in its root. An archive is unpacked; what is none stays a file.
func (m *image) withSource(root bkllb.State, b recipe.BuildStep, s ops.Group) bkllb.State {
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
	files := projectFiles(src.Files, m.recipe.App.Ignore, m.in, s)
	a := &ops.Actions{Last: bkllb.Mkdir(recipe.SourceDir, 0o755, at)}
	for _, rule := range src.Files {
		copyRule(a, files, rule, recipe.User{})
	}
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
