package llb

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/counts"
	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// modelPart is what one layer has of a model.
type modelPart struct {
	model *recipe.Model
	found buildlock.Model
	files []buildlock.ModelFile
	layer layerplan.Layer
}

// planModels decides which file of which model goes into which layer. A model has layers of its own: one for each file of own bytes or more, and one
// for all smaller ones. Where that makes more than limit layers, own is doubled.
func planModels(r *recipe.Recipe, found []buildlock.Model, limit int) []modelPart {
	for own := r.Layers.OwnBytes; ; own *= 2 {
		var parts []modelPart
		for i := range r.Models {
			parts = append(parts, modelParts(&r.Models[i], found[i], own)...)
		}
		if len(parts) <= max(limit, len(r.Models)) || own > 1<<50 {
			return parts
		}
	}
}

func modelParts(model *recipe.Model, found buildlock.Model, own int64) []modelPart {
	if !model.Tree() || model.Unpack || model.Source.Kind == recipe.ModelFile {
		return []modelPart{newModelPart(model, found, found.Files)}
	}
	var parts []modelPart
	var small []buildlock.ModelFile
	for _, f := range found.Files {
		if f.Size >= own {
			parts = append(parts, newModelPart(model, found, []buildlock.ModelFile{f}))
		} else {
			small = append(small, f)
		}
	}
	if len(small) > 0 {
		parts = append(parts, newModelPart(model, found, small))
	}
	return parts
}

func newModelPart(model *recipe.Model, found buildlock.Model, files []buildlock.ModelFile) modelPart {
	p := modelPart{model: model, found: found, files: files, layer: layerplan.Layer{Kind: layerplan.KindModel, Name: model.Name}}
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

// modelLayers returns the layers that planModels decided on.
func modelLayers(r *recipe.Recipe, in given, parts []modelPart, table ops.DirTable) (layers ops.Layers, err error) {
	f := modelFetcher{session: in.Session, group: ops.Group{ID: ops.GroupModels, NoCache: in.NoCache}}
	if NeedModelTool(r, in.Models) {
		if f.tool, err = newModelTool(in.Tool, in.Worker, in.Network); err != nil {
			return nil, err
		}
	}
	for _, p := range parts {
		state, err := f.layer(p, table)
		if err != nil {
			return nil, err
		}
		layers = layers.And(ops.Layer{Layer: p.layer, State: state})
	}
	return layers, nil
}

// modelFetcher is by what the files of models come into the graph.
type modelFetcher struct {
	tool    modelTool // zero where no model needs a program
	session ops.Session
	group   ops.Group
}

// layer puts files of a model onto nothing. It is a function of the bytes, the place, the owner and the mode.
func (m modelFetcher) layer(p modelPart, table ops.DirTable) (bkllb.State, error) {
	s := m.group
	var parents []string
	tree := len(p.files) == 0 || p.model.Unpack // its files only the daemon will see
	for _, f := range p.files {
		parents = append(parents, path.Dir(modelPath(p.model, f)))
	}
	if tree {
		parents = []string{p.model.To}
	}
	a := table.Mkdirs(parents...)
	info := &bkllb.CopyInfo{CopyDirContentsOnly: true, Mode: ops.Chmod(p.model.Mode)}
	if tree {
		from, src, err := m.tree(p)
		if err != nil {
			return from, err
		}
		a.Copy(from, src, p.model.To, info, p.model.UID, p.model.GID)
	} else if err := m.copy(a, p, info); err != nil {
		return bkllb.State{}, err
	}
	a.Settle(s, table.Chain(parents...))
	return bkllb.Scratch().File(a.Last, s.Named("lay down %s", p.layer.Name)), nil
}

// copy adds the files of a model, each from where it is fetched.
func (m modelFetcher) copy(a *ops.Actions, p modelPart, info *bkllb.CopyInfo) error {
	for _, f := range p.files {
		from, src, err := m.file(p, f)
		if err != nil {
			return err
		}
		a.Copy(from, src, modelPath(p.model, f), info, p.model.UID, p.model.GID)
	}
	return nil
}

// modelPath is where a file of a model comes to lie.
func modelPath(model *recipe.Model, f buildlock.ModelFile) string { return path.Join(model.To, f.Path) }

// tree is the contents of an archive, or a directory of the project as it lies there, and its path in the state.
func (m modelFetcher) tree(p modelPart) (tree bkllb.State, src string, err error) {
	if p.model.Unpack {
		tree, err = m.unpacked(p)
		return tree, "/", err
	}
	return m.local(p.model), "/" + p.model.Source.Path, nil
}

func (m modelFetcher) local(model *recipe.Model) bkllb.State {
	s := ops.Group{ID: ops.GroupModels}
	files := model.Source.Files
	opts := append(m.session.Local(m.session.SharedKey+"-model-"+ops.SelectionKey(files, nil)),
		bkllb.FollowPaths(files), s.Named("send %s", model.Source.Path))
	return bkllb.Local(ops.ProjectLocal, opts...)
}

// modelsStage is the models alone: nothing is below them.
func modelsStage(r *recipe.Recipe, in given) (ops.Layers, error) {
	if len(r.Models) == 0 {
		return nil, fault.New(fault.Spec, "profile %s has no models", r.Profile).Hint("name them: models: [https://models.example/model.pt]")
	}
	if err := checkModels(r, in); err != nil {
		return nil, err
	}
	return modelLayers(r, in, planModels(r, in.Models, r.Layers.Max), newDirTable(r))
}

// checkModels refuses two files at one path with fault.Spec: of two models, or of a model and the app. A directory of the project counts by its place.
func checkModels(r *recipe.Recipe, in given) error {
	if len(in.Models) != len(r.Models) {
		return fault.New(fault.Internal, "%d models were looked up, the recipe has %d", len(in.Models), len(r.Models))
	}
	type owned struct{ path, by string }
	var all []owned
	for i := range r.Models {
		model := &r.Models[i]
		by := "the model " + model.Name
		for _, f := range in.Models[i].Files {
			if model.Unpack {
				break
			}
			all = append(all, owned{modelPath(model, f), by})
		}
		if len(in.Models[i].Files) == 0 || model.Unpack {
			all = append(all, owned{model.To, by})
		}
	}
	if in.Target != recipe.StageModels {
		for _, rule := range r.App.Copy {
			for _, f := range rule.Files {
				all = append(all, owned{destination(rule, f), "the project's " + f})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b owned) int { return cmp.Compare(a.path, b.path) })
	var faults fault.List
	for i := 1; i < len(all); i++ {
		a, b := all[i-1], all[i]
		models := strings.HasPrefix(a.by, "the model ") || strings.HasPrefix(b.by, "the model ")
		if a.path == b.path && a.by != b.by && models {
			faults = append(faults, fault.New(fault.Spec, "%s and %s would both become %s", a.by, b.by, a.path).Hint("give one of them another destination with to:"))
		}
	}
	return faults.Err()
}

// modelLabels adds to the labels which commit a model's branch or tag was.
func modelLabels(labels map[string]string, r *recipe.Recipe, in given) map[string]string {
	var more []recipe.Pair
	for i, model := range r.Models {
		if rev := in.Models[i].Revision; rev != "" {
			more = append(more, recipe.Pair{Name: profiles.ModelLabel(model.Name, "revision"), Value: rev})
		}
		if in.Target == recipe.StageModels {
			more = append(more, modelPairs(r, model.Name)...)
		}
	}
	return mergePairs(labels, more)
}

// modelPairs are the labels that the recipe has for one model.
func modelPairs(r *recipe.Recipe, name string) []recipe.Pair {
	return slices.DeleteFunc(slices.Clone(r.App.Labels), func(p recipe.Pair) bool {
		return !strings.HasPrefix(p.Name, profiles.ModelLabel(name, ""))
	})
}

// modelDirs are the directories that models need with an owner of their own.
func modelDirs(models []recipe.Model) []recipe.Dir {
	var dirs []recipe.Dir
	for _, model := range models {
		if model.Tree() {
			dirs = append(dirs, recipe.Dir{Path: model.To, Mode: 0o755, UID: model.UID, GID: model.GID})
		}
	}
	return dirs
}

// ModelStep names the step that fetches a file of a model.
func ModelStep(model *recipe.Model, f buildlock.ModelFile) string {
	name := strings.TrimSuffix(fmt.Sprintf("%s: %s", model.Name, cmp.Or(f.Path, path.Base(model.To))), ": ")
	if f.Size == 0 {
		return name
	}
	return fmt.Sprintf("%s (%s)", name, counts.Bytes(f.Size))
}
