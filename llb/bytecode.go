package llb

import (
	"fmt"
	"slices"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/scripts"
)

// addBytecode adds a layer of bytecode for each wheel layer that has Python files to speak of, so that one wheel still changes one layer and its bytecode. The
// parts of a large wheel share one. NVIDIA's libraries have none: their Python files are empty.
func (m *image) addBytecode(python bkllb.State) {
	s := ops.Group{ID: ops.GroupBytecode, NoCache: m.in.NoCache}
	type source struct {
		name   string
		states []bkllb.State
	}
	var all []source
	for i, l := range m.layers {
		switch {
		case l.Kind != layerplan.KindWheels || layerplan.Rank(l.Wheels[0].Name) == 0 && len(l.Wheels) == 1:
			continue
		case l.Part.K > 0:
			last := &all[len(all)-1]
			last.states = append(last.states, m.states[i])
			continue
		case l.Part.N > 1:
			l.Name = l.Wheels[0].Name + " " + l.Wheels[0].Version
		}
		all = append(all, source{l.Name, []bkllb.State{m.states[i]}})
	}
	for _, from := range all {
		m.add(layerplan.Layer{Kind: layerplan.KindBytecode, Name: "bytecode of " + from.name}, m.bytecode(python, s, from.name, from.states))
	}
}

// appBytecode adds the bytecode of the project's own files. It is as little worth a cache as they are.
func (m *image) appBytecode(python, app bkllb.State) {
	s := ops.Group{ID: ops.GroupApp, NoCache: m.in.NoCache}
	const name = "the project's files"
	m.add(layerplan.Layer{Kind: layerplan.KindApp, Name: "bytecode of " + name}, m.bytecode(python, s, name, []bkllb.State{app}))
}

// bytecode compiles the Python files of some trees by the image's own Python, onto nothing. The result depends on the interpreter's version alone, not on
// its build: a new base runs the step again and gives the same bytes.
func (m *image) bytecode(python bkllb.State, s ops.Group, name string, trees []bkllb.State) bkllb.State {
	opts := []bkllb.RunOption{
		bkllb.Args([]string{m.recipe.Base.Interpreter, "-B", "-S", "-s", "-c", scripts.Bytecode}),
		bkllb.AddEnv("PYTHONHASHSEED", "0"), // the order of sets in constants
		bkllb.Network(pb.NetMode_NONE), bkllb.Dir("/"), bkllb.Platform(m.platform), s.Named("compile %s", name),
	}
	for i, tree := range trees {
		opts = append(opts, bkllb.AddMount(fmt.Sprintf("/in/%d", i), tree, bkllb.Readonly, byKey))
	}
	return python.Run(opts...).AddMount("/out", bkllb.Scratch())
}

// interpreter is a state in which the image's Python runs: the base, and above it the system packages where Python is one of them.
func (m *image) interpreter() bkllb.State {
	states := []bkllb.State{m.withPython(m.in.Base.ToRead(m.platform, m.links()))}
	if strings.HasPrefix(m.recipe.Base.Interpreter, "/usr/bin/") {
		for i, l := range m.layers {
			if l.Kind == layerplan.KindSystem {
				states = append(states, m.states[i])
			}
		}
	}
	if len(states) == 1 {
		return states[0]
	}
	return bkllb.Merge(slices.Clip(states), ops.Group{ID: ops.GroupBytecode}.Named("the Python that compiles"))
}
