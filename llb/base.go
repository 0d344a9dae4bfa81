package llb

import (
	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/install"
	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// links are those that the list of the system packages names.
func links(in given) []buildlock.Link {
	if in.System == nil {
		return nil
	}
	return in.System.Links
}

// baseStates is what the layers of the image are merged with: the base's image; nothing where the base is made of packages, or where there is none.
func baseStates(in given) []bkllb.State {
	if in.Base.OfPackages || in.Base.Ref == "" {
		return nil
	}
	return []bkllb.State{ops.BaseState(in.Base, in.platform)}
}

// baseStage is the base alone; only one that is made of packages has layers of ours.
func baseStage(r *recipe.Recipe, in given) (ops.Layers, error) {
	if !in.Base.OfPackages {
		return nil, nil
	}
	if err := install.CheckPackages(r, in.System); err != nil {
		return nil, err
	}
	layers, _ := systemLayers(r, in)
	return layers, nil
}

// needsApt refuses to run apt on a base of packages.
func needsApt(r *recipe.Recipe, in given) error {
	if !in.Base.OfPackages {
		return nil
	}
	return fault.New(fault.Spec, "the base %s has no apt, and something has to be compiled", r.Base.Ref).
		Hint("publish the wheel, or take an image as the base: base: docker.io/library/python:%s-slim", r.Python.Version)
}

// pythonLayers returns the layer of the Python that lies over the base, if there is one.
func pythonLayers(r *recipe.Recipe, in given) ops.Layers {
	if r.Base.Python == "" {
		return nil
	}
	l := layerplan.Layer{Kind: layerplan.KindPython, Name: "Python " + r.Python.Version + " of " + r.Base.Python}
	return ops.Layers{{Layer: l, State: install.Python(in.Images[r.Base.Python], r, newDirTable(r), in.platform)}}
}

// withPython is a state of the base with the Python that lies over it, if there is one, to run something on.
func withPython(r *recipe.Recipe, in given, base bkllb.State) bkllb.State {
	if r.Base.Python == "" {
		return base
	}
	python := install.Python(in.Images[r.Base.Python], r, newDirTable(r), in.platform)
	return bkllb.Merge([]bkllb.State{base, python}, ops.Group{ID: ops.GroupPython}.Named("%s with its Python", r.Base.Ref))
}
