package profiles

import (
	"slices"

	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/requirements"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

type devSpec struct {
	requirements.StageSpec
	system  []yamldoc.String
	command []yamldoc.String
	shell   yamldoc.String
	env     []yamldoc.Pair
	ports   []yamldoc.String
}

func decodeDev(d *yamldoc.Decoder, n *yamldoc.Node, s *devSpec) {
	s.At = n.At
	keys := requirements.StageFields(d, &s.StageSpec, "dev")
	keys["system"] = d.Strings(&s.system, "dev.system")
	keys["command"] = decodeWords(d, &s.command, "dev.command")
	keys["shell"] = d.String(&s.shell, "dev.shell")
	keys["env"] = d.Variables(&s.env, "dev.env")
	keys["ports"] = d.Strings(&s.ports, "dev.ports")
	d.Mapping(n, "dev", keys)
}

// devUsual is where projects keep what developers need.
var devUsual = requirements.Usual{
	Files:  []string{"requirements-dev.txt", "dev-requirements.txt", "requirements/dev.txt"},
	Groups: []string{"dev"},
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

// resolveDev decides the dev stage, which asks for the packages asked.
func resolveDev(report *yamldoc.Report, s *devSpec, q stageQuestion, asked requirements.StageAsked) *recipe.Dev {
	d := &recipe.Dev{Shell: s.shell.Or("/bin/bash"), Command: yamldoc.Values(s.command), System: recipe.SortedUnique(yamldoc.Values(s.system))}
	if why := files.BadDirectory(d.Shell); why != "" {
		report.Specf(s.shell.At, "dev.shell %q %s", d.Shell, why).Hint("for example shell: /bin/zsh, with zsh in dev.system")
	}
	d.Requires = asked.Requires
	d.Ports = readPorts(report, s.ports)
	if s.command == nil {
		d.Command = []string{d.Shell}
		if command := notebook(slices.Concat(asked.Direct, q.direct)); command != nil {
			d.Command, d.Ports = command, recipe.SortedUnique(append(d.Ports, "8888/tcp"))
		}
	}
	d.Env = recipe.Onto([]recipe.Pair{{Name: "SHELL", Value: d.Shell}}, readVariables(report, s.env))
	return d
}

// notebook is the command that serves notebooks, nil if no package for that is asked for.
func notebook(direct []requirements.Requirement) []string {
	for _, n := range notebooks {
		if requirements.AsksFor(direct, n.name) {
			return n.command
		}
	}
	return nil
}

// devPackages are the Debian packages that the dev stage adds, with their places.
func devPackages(s *devSpec) []yamldoc.String {
	if s == nil {
		return nil
	}
	return s.system
}
