package llb

import (
	"fmt"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/scripts"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// bytecodeLayers returns a layer of bytecode for each wheel layer that has Python files to speak of, so that one wheel still changes one layer and its bytecode. The
// parts of a large wheel share one. NVIDIA's libraries have none: their Python files are empty.
func bytecodeLayers(r *recipe.Recipe, in given, below ops.Layers) (layers ops.Layers) {
	if !r.Bytecode {
		return nil
	}
	type source struct {
		name   string
		states []bkllb.State
	}
	var all []source
	for _, l := range below.OfKind(layerplan.KindWheels) {
		switch {
		case layerplan.Rank(l.Wheels[0].Name) == 0 && len(l.Wheels) == 1:
			continue
		case l.Part.K > 0:
			last := &all[len(all)-1]
			last.states = append(last.states, l.State)
			continue
		case l.Part.N > 1:
			l.Name = l.Wheels[0].Name + " " + l.Wheels[0].Version
		}
		all = append(all, source{l.Name, []bkllb.State{l.State}})
	}
	python, s := interpreter(r, in, below), ops.Group{ID: ops.GroupBytecode, NoCache: in.NoCache}
	for _, from := range all {
		l := layerplan.Layer{Kind: layerplan.KindBytecode, Name: "bytecode of " + from.name}
		layers = layers.And(ops.Layer{Layer: l, State: bytecode(in, python, s, from.name, from.states)})
	}
	return layers
}

// bytecode compiles the Python files of some trees by the image's own Python, onto nothing. The result depends on the interpreter's version alone, not on
// its build: a new base runs the step again and gives the same bytes.
func bytecode(in given, python bkllb.State, s ops.Group, name string, trees []bkllb.State) bkllb.State {
	opts := []bkllb.RunOption{
		bkllb.Args([]string{in.Interpreter, "-B", "-S", "-s", "-c", scripts.Bytecode}),
		bkllb.AddEnv("PYTHONHASHSEED", "0"), // the order of sets in constants
		bkllb.Network(pb.NetMode_NONE), bkllb.Dir("/"), bkllb.Platform(in.platform), s.Named("compile %s", name),
	}
	for i, tree := range trees {
		opts = append(opts, bkllb.AddMount(fmt.Sprintf("/in/%d", i), tree, bkllb.Readonly, ops.ByKey))
	}
	return python.Run(opts...).AddMount("/out", bkllb.Scratch())
}

// interpreter is a state in which the image's Python runs: the base, and above it the system packages where Python is one of them.
func interpreter(r *recipe.Recipe, in given, below ops.Layers) bkllb.State {
	states := []bkllb.State{withPython(r, in, in.Base.ToRead(in.platform, links(in)))}
	if strings.HasPrefix(in.Interpreter, "/usr/bin/") {
		states = append(states, below.OfKind(layerplan.KindSystem).States()...)
	}
	return bkllb.Merge(states, ops.Group{ID: ops.GroupBytecode}.Named("the Python that compiles"))
}
