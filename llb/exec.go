package llb

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// command is a program that runs in the image as it is so far: with its environment, its user and its working directory. The image
// itself is never what it leaves behind: that is what it writes to an output, or what outputs copies out of its root.
type command struct {
	stage   ops.Group
	name    string            // for people: "run pytest"
	args    []string          // the program and its arguments
	shell   string            // a command line for /bin/sh in place of args
	env     []recipe.Pair     // over the image's own, sorted by name
	dir     string            // "" = the image's working directory
	root    bool              // run as root and not as the image's user
	network bool              // with network, the CA and the proxy; else without any
	mounts  []input           // what it may read
	secrets []bkllb.RunOption // AddSecret and AddSSHSocket of what the project lets this step see
	needs   []bkllb.RunOption // further options, such as a resource limit
}

// input is a directory or file that a command may read.
type input struct {
	at   string // absolute path in the image
	from bkllb.State
	path string // in from; "" = all of it
}

// merged is the image so far, to run something on. Merging has the daemon link every file of the layers into one tree, so the
// project's own files, which change most, are copied over that tree and not merged into it: an edit leaves it as it is.
func (m *image) merged() bkllb.State {
	s := ops.Group{ID: ops.GroupMerged}
	inputs, project := m.baseInputs(), []bkllb.State(nil)
	for i, l := range m.layers {
		if l.FromContext() {
			project = append(project, m.states[i])
		} else {
			inputs = append(inputs, m.states[i])
		}
	}
	root := inputs[0]
	if len(inputs) > 1 {
		root = bkllb.Merge(inputs, s.Named("%s for %s", m.recipe.Profile, m.recipe.Platform))
	}
	for _, files := range project {
		info := &bkllb.CopyInfo{CopyDirContentsOnly: true}
		root = root.File(bkllb.Copy(files, "/", "/", info, bkllb.WithCreatedTime(wheel.ModTime)), s.Named("the project's files"))
	}
	return root
}

// run runs a command on a root that merged gave. What it writes outside of its outputs is lost, unless outputs takes it.
func (m *image) run(root bkllb.State, c command) bkllb.ExecState {
	opts := []bkllb.RunOption{bkllb.Args(c.arguments()), bkllb.Dir(m.dirOf(c)), bkllb.Platform(m.platform), c.stage.Step(ops.StepTest, c.name, "%s", c.name)}
	for _, kv := range m.environment(c) {
		opts = append(opts, bkllb.AddEnv(kv.Name, kv.Value))
	}
	if !c.root {
		opts = append(opts, bkllb.User(fmt.Sprintf("%d:%d", m.recipe.User.UID, m.recipe.User.GID)))
	}
	if c.network {
		opts = append(opts, m.in.Network.Options(ops.PythonCA)...)
	} else {
		opts = append(opts, bkllb.Network(pb.NetMode_NONE))
	}
	for _, in := range c.mounts {
		mount := []bkllb.MountOption{bkllb.Readonly}
		if in.path != "" {
			mount = append(mount, bkllb.SourcePath(in.path))
		}
		opts = append(opts, bkllb.AddMount(in.at, in.from, mount...))
	}
	return root.Run(slices.Concat(opts, c.secrets, c.needs)...)
}

// output gives a command a directory to write its results to, owned by who runs it, and returns what is in it afterwards.
func (m *image) output(run bkllb.ExecState, c command, at string) bkllb.State {
	owner := m.recipe.User
	if c.root {
		owner = recipe.User{}
	}
	dir := bkllb.Mkdir("/results", 0o755, bkllb.WithUIDGID(owner.UID, owner.GID), bkllb.WithCreatedTime(wheel.ModTime))
	empty := bkllb.Scratch().File(dir, c.stage.Named("a directory for results"))
	return run.AddMount(at, empty, bkllb.SourcePath("/results"))
}

// outputs copies files and directories out of the root that a command left, each to its own path, as a layer: equal
// contents give an equal layer, because parents come from the table and every time is fixed.
func (m *image) outputs(run bkllb.ExecState, c command, table ops.DirTable, paths []string) bkllb.State {
	root, parents := run.Root(), make([]string, len(paths))
	for i, p := range paths {
		parents[i] = path.Dir(p)
	}
	a := table.Mkdirs(parents...)
	for _, p := range paths {
		a.Last = a.Last.Copy(root, p, p, &bkllb.CopyInfo{CopyDirContentsOnly: true}, bkllb.WithCreatedTime(wheel.ModTime))
	}
	a.Settle(emptyDir(c.stage), table.Chain(parents...))
	return bkllb.Scratch().File(a.Last, c.stage.Named("keep what %s made", c.name))
}

func (c command) arguments() []string {
	if c.shell != "" {
		return []string{"/bin/sh", "-euc", c.shell}
	}
	return c.args
}

func (m *image) dirOf(c command) string {
	if c.dir != "" {
		return c.dir
	}
	return m.recipe.App.Workdir
}

// environment is the image's own variables, the home of who runs the command, and the command's, sorted by name.
func (m *image) environment(c command) []recipe.Pair {
	home := m.recipe.User.Home
	if c.root {
		home = "/root"
	}
	ours := append([]recipe.Pair{{Name: "HOME", Value: home}}, withLibraries(m.recipe, m.in.Base.Config.Config.Env)...)
	var all []recipe.Pair
	for _, kv := range mergeEnv(m.in.Base.Config.Config.Env, append(ours, c.env...)) {
		name, value, _ := strings.Cut(kv, "=")
		all = append(all, recipe.Pair{Name: name, Value: value})
	}
	slices.SortFunc(all, func(a, b recipe.Pair) int { return cmp.Compare(a.Name, b.Name) })
	return all
}
