package llb

import (
	"encoding/json"
	"fmt"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
)

// NeedsPackages tells whether a stage is made of the project's own packages, the system's and Python's; "" is the runtime.
func NeedsPackages(target string) bool {
	return target != "base" && target != "builder" && target != "models"
}

// builderStage is the progress group of what is compiled.
func builderStage(in Inputs) ops.Group {
	return ops.Group{ID: ops.GroupBuilder, NoCache: in.NoCache}
}

// builder is the stage in which things are compiled: the base with the packages of system.build, in the base's own environment, as root.
// Nothing of it is in the image, and no step asks for it unless something has to be built.
func (m *image) builder() (bkllb.State, error) {
	if err := m.needImage(); err != nil {
		return bkllb.State{}, err
	}
	config, err := json.Marshal(m.in.Base.Config)
	if err != nil {
		return bkllb.State{}, fmt.Errorf("encode the config of %s: %w", m.in.Base.Ref, err)
	}
	_, tools := m.builderTools()
	tools, err = tools.WithImageConfig(config)
	if err != nil {
		return bkllb.State{}, fmt.Errorf("read the config of %s: %w", m.in.Base.Ref, err)
	}
	return tools, nil
}

// builderTools gives the base and the same with the packages of system.build.
func (m *image) builderTools() (base, tools bkllb.State) {
	base = m.withPython(ops.BaseToRead(m.in.Base, m.platform))
	packages := m.recipe.Builder.System
	if len(packages) == 0 {
		return base, base
	}
	return base, ops.AptInstalled(base, packages, m.recipe.Apt, m.in.Base, m.in.Network, m.platform, builderStage(m.in))
}

// builderImage makes the stage an image: the base and one layer with the packages.
func (m *image) builderImage() error {
	if err := m.needImage(); err != nil {
		return err
	}
	m.laidPython()
	base, tools := m.builderTools()
	if packages := m.recipe.Builder.System; len(packages) > 0 {
		m.add(layerplan.Layer{Kind: layerplan.KindBuilder, Name: strings.Join(packages, " ")}, systemLayer(base, tools, builderStage(m.in)))
	}
	return nil
}
