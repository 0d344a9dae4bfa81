package models

import (
	"cmp"
	"fmt"
	"path"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/counts"
	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Part is what one layer has of a model.
type Part struct {
	model *recipe.Model
	found buildlock.Model
	files []buildlock.ModelFile
	layer layerplan.Layer
}

// Plan decides which file of which model goes into which layer. A model has layers of its own: one for each file of own bytes or more, and one
// for all smaller ones. Where that makes more than limit layers, own is doubled.
func Plan(r *recipe.Recipe, found []buildlock.Model, limit int) []Part {
	for own := r.Layers.OwnBytes; ; own *= 2 {
		var parts []Part
		for i := range r.Models {
			parts = append(parts, partsOf(&r.Models[i], found[i], own)...)
		}
		if len(parts) <= max(limit, len(r.Models)) || own > 1<<50 {
			return parts
		}
	}
}

func partsOf(model *recipe.Model, found buildlock.Model, own int64) []Part {
	if !model.Source.Listed() || model.Unpack {
		return []Part{newPart(model, found, found.Files)}
	}
	var parts []Part
	var small []buildlock.ModelFile
	for _, f := range found.Files {
		if f.Size >= own {
			parts = append(parts, newPart(model, found, []buildlock.ModelFile{f}))
		} else {
			small = append(small, f)
		}
	}
	if len(small) > 0 {
		parts = append(parts, newPart(model, found, small))
	}
	return parts
}

func newPart(model *recipe.Model, found buildlock.Model, files []buildlock.ModelFile) Part {
	p := Part{model: model, found: found, files: files, layer: layerplan.Layer{Kind: layerplan.KindModel, Name: model.Name}}
	for _, f := range files {
		p.layer.Size += f.Size
	}
	switch {
	case len(files) == 1 && files[0].Path != "":
		p.layer.Name += ": " + files[0].Path
	case len(files) > 1:
		p.layer.Name += ": " + counts.Plural(len(files), "file")
	}
	return p
}

// Layers returns the layers that Plan decided on, with the directories that a table says. image is the one whose Python fetches and unpacks; it is zero where
// NeedTool says no.
func Layers(parts []Part, image ops.Base, table ops.DirTable, set ops.Setting) (ops.Layers, error) {
	if len(parts) == 0 {
		return nil, nil
	}
	t, err := newTool(image, set.Worker, set.Network)
	if err != nil {
		return nil, err
	}
	var layers ops.Layers
	for _, p := range parts {
		state, err := fetcher{t, set}.layer(p, table)
		if err != nil {
			return nil, err
		}
		layers = layers.And(ops.Layer{Layer: p.layer, State: state})
	}
	return layers, nil
}

// fetcher is by what the files of models come into the graph.
type fetcher struct {
	tool tool
	set  ops.Setting
}

// layer puts files of a model onto nothing. It is a function of the bytes, the place, the owner and the mode.
func (m fetcher) layer(p Part, table ops.DirTable) (bkllb.State, error) {
	s := m.set.Group(ops.GroupModels)
	parents := p.parents()
	a := table.Mkdirs(parents...)
	add := m.copyFiles
	if p.tree() {
		add = m.copyTree
	}
	if err := add(a, p); err != nil {
		return bkllb.State{}, err
	}
	a.Settle(s, table.Chain(parents...))
	return bkllb.Scratch().File(a.Last, s.Named("lay down %s", p.layer.Name)), nil
}

// tree reports whether only the daemon will see which files there are: those of an archive, or of a directory of the project.
func (p Part) tree() bool { return len(p.files) == 0 || p.model.Unpack }

// parents are the directories into which the files come.
func (p Part) parents() []string {
	if p.tree() {
		return []string{p.model.To}
	}
	var dirs []string
	for _, f := range p.files {
		dirs = append(dirs, path.Dir(Path(p.model, f)))
	}
	return dirs
}

// copyFiles adds the files of a model, each from where it is fetched.
func (m fetcher) copyFiles(a *ops.Actions, p Part) error {
	for _, f := range p.files {
		from, err := m.file(p, f)
		if err != nil {
			return err
		}
		a.Copy(from.input(), from.path, Path(p.model, f), copyInfo(p.model), p.model.UID, p.model.GID)
	}
	return nil
}

// copyTree adds the contents of an archive, or a directory of the project as it lies there.
func (m fetcher) copyTree(a *ops.Actions, p Part) error {
	f := buildlock.ModelFile{}
	if len(p.files) > 0 {
		f = p.files[0]
	}
	from, err := m.file(p, f)
	if err != nil {
		return err
	}
	if p.model.Unpack {
		state, err := m.tool.unpack(from, p.model.Name)
		if err != nil {
			return err
		}
		from = held{state: state, path: "/"}
	}
	a.Copy(from.state, from.path, p.model.To, copyInfo(p.model), p.model.UID, p.model.GID)
	return nil
}

func copyInfo(model *recipe.Model) *bkllb.CopyInfo {
	return &bkllb.CopyInfo{CopyDirContentsOnly: true, Mode: ops.Chmod(model.Mode)}
}

// file returns what has one file of a model, fetched by a program where its kind of source wants one.
func (m fetcher) file(p Part, f buildlock.ModelFile) (held, error) {
	kind := sources[p.model.Source.Kind]
	if j := kind.job(p.model, f); j != nil {
		state, err := m.tool.fetch(*j, p.model.Secret, fetchStep(p.model, f))
		return held{state: state, path: FetchedFile, byKey: true}, err
	}
	return kind.file(m.set.Session, p.model, p.found.Revision, f), nil
}

// Path is where a file of a model comes to lie.
func Path(model *recipe.Model, f buildlock.ModelFile) string { return path.Join(model.To, f.Path) }

// Dirs are the directories that models need with an owner of their own.
func Dirs(models []recipe.Model) []recipe.Dir {
	var dirs []recipe.Dir
	for _, model := range models {
		if model.Tree() {
			dirs = append(dirs, recipe.Dir{Path: model.To, Mode: 0o755, UID: model.UID, GID: model.GID})
		}
	}
	return dirs
}

// StepName returns the name of the step that fetches a file of a model.
func StepName(model *recipe.Model, f buildlock.ModelFile) string {
	name := strings.TrimSuffix(fmt.Sprintf("%s: %s", model.Name, cmp.Or(f.Path, path.Base(model.To))), ": ")
	if f.Size == 0 {
		return name
	}
	return fmt.Sprintf("%s (%s)", name, counts.Bytes(f.Size))
}
