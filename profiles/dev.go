package profiles

import (
	"slices"

	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

type devSpec struct {
	stageSpec
	system  []yamldoc.String
	command []yamldoc.String
	shell   yamldoc.String
	env     []yamldoc.Pair
	ports   []yamldoc.String
}

func decodeDev(d *yamldoc.Decoder, n *yamldoc.Node, s *devSpec) {
	s.at = n.At
	keys := stageFields(d, &s.stageSpec, "dev")
	keys["system"] = d.Strings(&s.system, "dev.system")
	keys["command"] = decodeWords(d, &s.command, "dev.command")
	keys["shell"] = d.String(&s.shell, "dev.shell")
	keys["env"] = d.Pairs(&s.env, "dev.env")
	keys["ports"] = d.Strings(&s.ports, "dev.ports")
	d.Mapping(n, "dev", keys)
}

// devUsual is where projects keep what developers need.
var devUsual = usual{
	files:  []string{"requirements-dev.txt", "dev-requirements.txt", "requirements/dev.txt"},
	groups: []string{"dev"},
}

// notebooks are the packages that serve notebooks, with their commands. The first that the stage asks for runs.
var notebooks = []struct {
	name    string
	command []string
}{
	{"jupyterlab", []string{"jupyter", "lab", "--ip=0.0.0.0", "--port=8888", "--no-browser"}},
	{"notebook", []string{"jupyter", "notebook", "--ip=0.0.0.0", "--port=8888", "--no-browser"}},
	{"jupyter", []string{"jupyter", "lab", "--ip=0.0.0.0", "--port=8888", "--no-browser"}},
}

// dev decides the dev stage. Without the key nothing is decided unless the stage is asked for.
func (r *resolver) dev() {
	s := r.spec.dev
	if s == nil {
		if r.sel.Target != recipe.StageDev {
			return
		}
		s = &devSpec{}
	}
	d := &recipe.Dev{Shell: s.shell.Or("/bin/bash"), Command: yamldoc.Values(s.command), System: recipe.SortedUnique(yamldoc.Values(s.system))}
	r.recipe.Dev = d
	if why := badDirectory(d.Shell); why != "" {
		r.Specf(s.shell.At, "dev.shell %q %s", d.Shell, why).Hint("For example shell: /bin/zsh, with zsh in dev.system.")
	}
	var direct []requirement
	d.Requires, direct = r.stageRequirements(recipe.StageDev, s.stageSpec, devUsual)
	d.Ports = readPorts(r.Report, s.ports)
	if s.command == nil {
		d.Command = []string{d.Shell}
		r.notebook(d, append(slices.Clone(direct), r.direct...))
	}
	d.Env = recipe.Over([]recipe.Pair{{Name: "SHELL", Value: d.Shell}}, readPairs(r.Report, s.env, "environment variable", envName))
}

// notebook makes the image serve notebooks if a package for that is asked for.
func (r *resolver) notebook(d *recipe.Dev, direct []requirement) {
	for _, n := range notebooks {
		if asksIn(direct, n.name) {
			d.Command = n.command
			d.Ports = recipe.SortedUnique(append(d.Ports, "8888/tcp"))
			return
		}
	}
}
