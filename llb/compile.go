package llb

import (
	"encoding/json"
	"fmt"
	"maps"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Graph is what a daemon is sent.
type Graph struct {
	Definition *pb.Definition
	Tests      *pb.Definition // of the testing stage: what runs the tests; its result holds TestResult and TestReports
	Steps      ops.Steps      // what the vertices of both are for
	Lineage    Lineage        // what the layers of Definition are made from
	Sent       []Sent         // of the layers of Plan: those that are made from files of the client too
	Config     []byte         // OCI image config with docker's extensions, JSON
	Env        []recipe.Pair  // the image's own variables as they are in Config: what they refer to is in them
	Plan       *layerplan.Plan
	Target     recipe.Stage
	Platform   ocispecs.Platform
}

// Compile turns a recipe and what was looked up for it into the graph of one image on one platform. It fails with fault.Spec for an
// unknown target, and with fault.Platform for a malformed platform.
func Compile(r *recipe.Recipe, in Inputs) (*Graph, error) {
	m, err := assemble(r, in)
	if err != nil {
		return nil, err
	}
	return m.graph()
}

// Layers returns one definition for each layer of Compile's plan that a later build may have, in its order and with its cache keys: what a cache is exported from. BuildKit
// exports the chain of a merge with every combination of the codecs that the daemon has blobs of (cache/remote.go, GetRemotes), and
// whoever imports it takes one of them: a layer that was once loaded uncompressed or pushed as gzip would come back as such
// in later images. A layer alone has one zstd blob. The errors are Compile's.
func Layers(r *recipe.Recipe, in Inputs) ([]*pb.Definition, error) {
	m, err := assemble(r, in)
	if err != nil {
		return nil, err
	}
	var all []*pb.Definition
	for _, l := range m.layers {
		if l.Kind == layerplan.KindService {
			continue // no later build has the same files, and the check would be run for the cache alone
		}
		def, _, err := ops.Marshal(l.State, m.in.platform, "layer "+l.Name+" of "+r.Profile)
		if err != nil {
			return nil, err
		}
		all = append(all, def)
	}
	return all, nil
}

func (m image) graph() (*Graph, error) {
	def, err := m.encode()
	if err != nil {
		return nil, err
	}
	tests, testSteps, err := m.tests()
	if err != nil {
		return nil, err
	}
	steps := ops.StepsOf(def)
	maps.Copy(steps, testSteps)
	made, err := m.trace(def.Constraints)
	if err != nil {
		return nil, err
	}
	keys, sent, err := m.keys(made)
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(m.config(keys))
	if err != nil {
		return nil, fmt.Errorf("encode the image config: %w", err)
	}
	return &Graph{
		Definition: def.ToPB(), Tests: tests, Steps: steps, Lineage: made.lineage(), Sent: sent, Config: config, Env: m.in.Env, Target: m.in.Target, Platform: m.in.platform,
		Plan: &layerplan.Plan{BaseLayers: len(m.in.Base.Config.RootFS.DiffIDs), Layers: m.layers.Plan()},
	}, nil
}

// encode returns the image's definition: one merge of the base and the layers.
func (m image) encode() (*bkllb.Definition, error) {
	state := bkllb.Merge(append(baseStates(m.in), m.layers.States()...), ops.Group{ID: ops.GroupImage}.Named("%s for %s", m.recipe.Profile, m.recipe.Platform))
	return ops.Encode(state, m.in.platform, "the graph of "+m.recipe.Profile)
}

// tests returns the definition that runs the tests on the image of the testing stage, and what its steps are for; nil for every other stage.
func (m image) tests() (*pb.Definition, ops.Steps, error) {
	if m.in.Target != recipe.StageTesting {
		return nil, nil, nil
	}
	run, err := testRun(m.recipe, m.in, m.layers)
	if err != nil {
		return nil, nil, err
	}
	return ops.Marshal(run, m.in.platform, "the tests of "+m.recipe.Profile)
}
