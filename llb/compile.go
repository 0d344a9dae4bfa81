package llb

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Graph is what a daemon is sent.
type Graph struct {
	Definition *pb.Definition
	Tests      *pb.Definition // of the testing stage: what runs the tests; its result holds TestResult and TestReports
	Steps      ops.Steps      // what the vertices of both are for
	Config     []byte         // OCI image config with docker's extensions, JSON
	Plan       *layerplan.Plan
	Target     string
	Platform   ocispecs.Platform
}

// Compile turns a recipe and what was looked up for it into the graph of one image on one platform. It fails with fault.Spec for an
// unknown target, and with fault.Platform for a malformed platform.
func Compile(r *recipe.Recipe, in Inputs) (*Graph, error) {
	image, err := assemble(r, in)
	if err != nil {
		return nil, err
	}
	return image.graph()
}

// image is one image while it is put together: its inputs in order, and the layers that they make.
type image struct {
	recipe   *recipe.Recipe
	in       Inputs
	platform ocispecs.Platform
	target   string
	base     bkllb.State
	layers   []layerplan.Layer
	states   []bkllb.State // one for each of layers
	tool     modelTool     // set where a model needs one
	kept     int           // layers that room leaves: the models', those of the project's own steps, and one for the app
}

func assemble(r *recipe.Recipe, in Inputs) (*image, error) {
	p, err := platforms.Parse(r.Platform)
	if err != nil {
		return nil, fault.New(fault.Platform, "platform %q: %w", r.Platform, err)
	}
	p = platforms.Normalize(p)
	m := &image{recipe: r, in: in, platform: p, target: in.Target}
	if !in.Base.Bare {
		m.base = ops.BaseState(in.Base, p)
	}
	if m.target == "" {
		m.target = "runtime"
	}
	switch m.target {
	case "base":
		return m, m.bareBase()
	case "builder":
		return m, m.builderImage()
	case "models":
		return m, m.modelsImage()
	case "runtime":
		return m, m.runtime()
	case "testing":
		return m, m.testing()
	case "dev":
		return m, m.dev()
	}
	return nil, fault.New(fault.Spec, "there is no stage %q", m.target).
		Hint("the stages are: %s", strings.Join(ops.Targets, ", "))
}

// runtime adds the inputs of the runtime image. They are independent of each other and nothing runs on top of them.
func (m *image) runtime() error {
	if err := m.check(); err != nil {
		return err
	}
	return m.packagesAndFiles(m.systemPackages())
}

// check refuses what cannot become an image.
func (m *image) check() error {
	if err := checkDirs(m.recipe); err != nil {
		return err
	}
	if err := checkModels(m); err != nil {
		return err
	}
	return CheckPackages(m.recipe, m.in.System)
}

// packagesAndFiles adds the user, what comes from elsewhere, the wheels, what the project's own steps make, and the project's files.
func (m *image) packagesAndFiles(accounts bkllb.State) error {
	r, in := m.recipe, m.in
	table, helper := newDirTable(r), ops.HelperRoot(in.Helpers.Wheels)
	models := m.planModels(m.room() / 2)
	m.kept = len(models) + len(r.Bake) + len(r.Run) + 1
	if r.User.UID != 0 {
		m.add(layerplan.Layer{Kind: layerplan.KindAccount, Name: "user " + r.User.Name}, accountLayer(helper, accounts, r.User, in))
	}
	m.add(layerplan.Layer{Kind: layerplan.KindSkeleton, Name: "python environment, directories"}, skeletonLayer(r, table))
	if err := m.filesFromElsewhere(table); err != nil {
		return err
	}
	if err := m.wheels(in.Wheels); err != nil {
		return err
	}
	if r.Bytecode {
		m.addBytecode(m.interpreter())
	}
	m.hooks(recipe.AfterPackages)
	if err := m.addModels(models, table); err != nil {
		return err
	}
	m.bakes(table)
	if len(r.App.Copy) > 0 {
		app := appLayer(r, table, in)
		m.add(layerplan.Layer{Kind: layerplan.KindApp, Name: "the project's files"}, app)
		if r.Bytecode && m.target != "dev" { // it is not compared with its source, which is edited there
			m.appBytecode(m.interpreter(), app)
		}
	}
	m.hooks(recipe.AfterApp)
	return nil
}

// systemPackages adds the layers of the system packages, and of a base that is made of them, and gives the state whose /etc says which accounts there are.
func (m *image) systemPackages() (accounts bkllb.State) {
	r, in := m.recipe, m.in
	m.laidPython()
	accounts = in.Base.ToRead(m.platform, m.links())
	if in.Base.Bare {
		m.add(layerplan.Layer{Kind: layerplan.KindBase, Name: "directories, links and accounts of " + in.Base.Ref}, accounts)
	}
	switch {
	case in.System != nil:
		accounts = m.packages(accounts)
	case len(r.System) > 0:
		s := systemGroup
		s.NoCache = in.NoCache
		installed := ops.AptInstalled(accounts, r.System, r.Apt, in.Base, in.Network, m.platform, s)
		m.add(layerplan.Layer{Kind: layerplan.KindSystem, Name: strings.Join(r.System, " ")}, systemLayer(accounts, installed, s))
		accounts = installed
	}
	if m.hooks(recipe.AfterSystem) {
		accounts = m.below() // they may have added some
	}
	return accounts
}

func (m *image) add(l layerplan.Layer, s bkllb.State) {
	m.layers = append(m.layers, l)
	m.states = append(m.states, s)
}

// filesFromElsewhere adds the outputs of build steps and the files of other images.
func (m *image) filesFromElsewhere(table ops.DirTable) error {
	steps, err := m.buildSteps(table)
	if err != nil {
		return err
	}
	m.copyLayers(table, steps)
	return nil
}

// room is the number of layers that the budget leaves to wheels; with bytecode each of them may become two. What only the dev stage has does not count: its
// wheels are laid out as the runtime's.
func (m *image) room() int {
	left := m.recipe.Layers.Max - len(m.in.Base.Config.RootFS.DiffIDs) - max(m.kept, 1)
	for _, l := range m.layers {
		if l.Kind != layerplan.KindDev {
			left--
		}
	}
	if m.recipe.Bytecode {
		left = (left - 1) / 2
	}
	return max(left, m.recipe.Layers.Bins)
}

// Layers gives one definition for each layer of Compile's plan, in its order and with its cache keys: what a cache is exported from. BuildKit
// exports the chain of a merge with every combination of the codecs that the daemon has blobs of (cache/remote.go, GetRemotes), and
// whoever imports it takes one of them: a layer that was once loaded uncompressed or pushed as gzip would come back as such
// in later images. A layer alone has one zstd blob. The errors are Compile's.
func Layers(r *recipe.Recipe, in Inputs) ([]*pb.Definition, error) {
	image, err := assemble(r, in)
	if err != nil {
		return nil, err
	}
	return image.definitions()
}

func (m *image) definitions() ([]*pb.Definition, error) {
	all := make([]*pb.Definition, len(m.states))
	for i, s := range m.states {
		def, _, err := ops.Marshal(s, m.platform, "layer "+m.layers[i].Name+" of "+m.recipe.Profile)
		if err != nil {
			return nil, err
		}
		all[i] = def
	}
	return all, nil
}

func (m *image) graph() (*Graph, error) {
	def, steps, err := m.marshal()
	if err != nil {
		return nil, err
	}
	tests, testSteps, err := m.tests()
	if err != nil {
		return nil, err
	}
	maps.Copy(steps, testSteps)
	keys, err := m.keys(def)
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(imageConfig(m, keys))
	if err != nil {
		return nil, fmt.Errorf("encode the image config: %w", err)
	}
	return &Graph{
		Definition: def, Tests: tests, Steps: steps, Config: config, Target: m.target, Platform: m.platform,
		Plan: &layerplan.Plan{BaseLayers: len(m.in.Base.Config.RootFS.DiffIDs), Layers: slices.Clone(m.layers)},
	}, nil
}

// marshal returns the image's definition and what its steps are for.
func (m *image) marshal() (*pb.Definition, ops.Steps, error) {
	state := m.base
	if len(m.states) > 0 {
		state = m.merge(append(m.baseInputs(), m.states...))
	}
	return ops.Marshal(state, m.platform, "the graph of "+m.recipe.Profile)
}

func (m *image) merge(inputs []bkllb.State) bkllb.State {
	return bkllb.Merge(inputs, ops.Group{ID: ops.GroupImage}.Named("%s for %s", m.recipe.Profile, m.recipe.Platform))
}
