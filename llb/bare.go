package llb

import (
	bkllb "github.com/moby/buildkit/client/llb"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/install"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// A bare base has no image: its packages are layers like all others, over a foundation that no package brings.

// NewBare returns the base of a recipe of kind debian. Its environment is that of the official Python images.
func NewBare(r *recipe.Recipe, p ocispecs.Platform) ops.Base {
	config := dockerspec.DockerOCIImage{Image: ocispecs.Image{Platform: p}}
	config.Config.Env = []string{"PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
	config.Config.Cmd = []string{r.Base.Interpreter}
	return ops.Base{Ref: r.Base.Ref, Bare: true, Config: config, Distro: string(r.Base.Kind) + "-" + r.Base.Suite}
}

// links are those that the list of the system packages names.
func links(in given) []buildlock.Link {
	if in.System == nil {
		return nil
	}
	return in.System.Links
}

// baseStates is what the layers of the image are merged with: the base's image; nothing where the base is made of packages, or where there is none.
func baseStates(in given) []bkllb.State {
	if in.Base.Bare || in.Base.Ref == "" {
		return nil
	}
	return []bkllb.State{ops.BaseState(in.Base, in.platform)}
}

// baseStage is the base alone; only one that is made of packages has layers of ours.
func baseStage(r *recipe.Recipe, in given) (ops.Layers, error) {
	if !in.Base.Bare {
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
	if !in.Base.Bare {
		return nil
	}
	return fault.New(fault.Spec, "the base %s has no apt, and something has to be compiled", r.Base.Ref).
		Hint("publish the wheel, or take an image as the base: base: docker.io/library/python:%s-slim", r.Python.Version)
}
