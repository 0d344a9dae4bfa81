package llb

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/step"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// StepFile is the file name of the program that runs a project's commands.
const StepFile = "mlbuild-step"

// Where a project's step finds that program, and the program the secrets.
const (
	stepDir      = "/run/mlbuild/step"
	stepSecrets  = "/run/mlbuild/secrets" //nolint:gosec // a directory, no secret
	collectedIn  = "/in"
	collectedOut = "/out"
)

// DefaultSSH is the id of the agent that a step with ssh gets.
const DefaultSSH = "default"

// stepProgram is a root that holds mlbuild-step alone, for the platform of a digest.
func stepProgram(digest string) bkllb.State {
	s := ops.Group{ID: ops.GroupHelper}
	return bkllb.OCILayoutBlob(ops.HelperStore+"@"+digest, bkllb.ImageBlobOCIStore("", ops.HelperStore),
		bkllb.Filename(StepFile), bkllb.Chmod(0o755), s.Named("send the program that runs steps"))
}

// script is a project's step on its way into the graph.
type script struct {
	recipe.Script
	group  ops.Group
	name   string        // for people: "build libfoo"
	cache  string        // begins the ids of its caches: "project/build/libfoo"
	user   recipe.User   // who runs the commands
	dir    string        // where they start
	env    []recipe.Pair // of the step; the script's own go over it
	settle *step.Settle
}

// ran is what a script leaves: its root, with all that the commands made.
type ran struct {
	root   bkllb.State
	script script
	who    string // for people: "build step libfoo"
}

// run runs a step's commands on a root, by way of mlbuild-step. The key of the result is that of the root, of the commands and of the mounts;
// what a secret or a cache holds is not in it.
func (s script) run(root bkllb.State, in given) bkllb.ExecState {
	spec := step.Run{Commands: s.Commands, Timeout: s.Timeout, Settle: s.settle}
	secrets, opts := s.secrets()
	spec.Secrets = secrets
	all := []bkllb.RunOption{
		bkllb.Args([]string{stepDir + "/" + StepFile, "run", asJSON(spec)}), bkllb.Dir(s.dir), bkllb.Platform(in.platform), s.group.Step(ops.StepOwn, s.name, "%s", s.name),
		bkllb.User(fmt.Sprintf("%d:%d", s.user.UID, s.user.GID)),
		bkllb.AddMount(stepDir, stepProgram(in.Helpers.Steps), bkllb.Readonly, ops.ByKey),
		bkllb.AddMount("/tmp", bkllb.Scratch(), bkllb.Tmpfs()),
	}
	for _, p := range mergeSorted(s.env, s.Env) {
		all = append(all, bkllb.AddEnv(p.Name, p.Value))
	}
	if s.Network {
		all = append(all, in.Network.Options(ops.PythonCA)...)
	} else {
		all = append(all, bkllb.Network(pb.NetMode_NONE))
	}
	if s.SSH {
		all = append(all, bkllb.AddSSHSocket(bkllb.SSHID(DefaultSSH), bkllb.SSHSocketOpt("/run/mlbuild/ssh", s.user.UID, s.user.GID, 0o600)))
	}
	return root.Run(slices.Concat(all, s.caches(in.platform.Architecture), opts)...)
}

// mergeSorted returns the pairs of both, sorted by name; those of over win.
func mergeSorted(under, over []recipe.Pair) []recipe.Pair {
	values := map[string]string{}
	for _, p := range slices.Concat(under, over) {
		values[p.Name] = p.Value
	}
	var all []recipe.Pair
	for _, name := range sortedNames(values) {
		all = append(all, recipe.Pair{Name: name, Value: values[name]})
	}
	return all
}

// secrets mounts what the step may see, and each secret once more as a file for mlbuild-step, which masks its value in the output and searches what the
// commands leave for it.
func (s script) secrets() ([]step.Secret, []bkllb.RunOption) {
	var opts []bkllb.RunOption
	for _, x := range s.Secrets {
		if x.Env != "" {
			opts = append(opts, bkllb.AddSecretWithDest(x.ID, nil, bkllb.SecretAsEnvName(x.Env)))
		} else {
			opts = append(opts, bkllb.AddSecret(x.File, bkllb.SecretID(x.ID), bkllb.SecretFileOpt(s.user.UID, s.user.GID, 0o400)))
		}
	}
	found, more := searchedSecrets(s.Script, s.user)
	return found, append(opts, more...)
}

// searchedSecrets mounts each secret of a step as a file of its own.
func searchedSecrets(s recipe.Script, u recipe.User) (found []step.Secret, opts []bkllb.RunOption) {
	for _, x := range s.Secrets {
		file := path.Join(stepSecrets, x.ID)
		if slices.ContainsFunc(found, func(f step.Secret) bool { return f.ID == x.ID }) {
			continue
		}
		found = append(found, step.Secret{ID: x.ID, File: file})
		opts = append(opts, bkllb.AddSecret(file, bkllb.SecretID(x.ID), bkllb.SecretFileOpt(u.UID, u.GID, 0o400)))
	}
	return found, opts
}

// caches mounts directories that keep what is in them from build to build on one daemon, of this project's step alone. One build at a time has them, because
// few tools share a cache with care.
func (s script) caches(architecture string) []bkllb.RunOption {
	var opts []bkllb.RunOption
	for _, dir := range s.Caches {
		owned := bkllb.Mkdir("/cache", 0o755, bkllb.WithUIDGID(s.user.UID, s.user.GID), bkllb.WithCreatedTime(wheel.ModTime))
		empty := bkllb.Scratch().File(owned, s.group.Named("an empty cache"))
		id := path.Join("mlbuild/step", s.cache, architecture, dir)
		opts = append(opts, bkllb.AddMount(dir, empty, bkllb.SourcePath("/cache"), bkllb.AsPersistentCacheDir(id, bkllb.CacheMountLocked)))
	}
	return opts
}

// collect makes a layer of files in the root that commands left. It runs on the daemon's own platform, without network, and fails if a file is not there or
// if one holds the value of a secret that the commands had: then there is no image.
func (d ran) collect(outputs []recipe.Output, table ops.DirTable, in given) bkllb.State {
	var parents []string
	for _, o := range outputs {
		parents = append(parents, o.Parent())
	}
	c := step.Collection{Step: d.who, In: collectedIn, Out: collectedOut, Time: wheel.ModTime.Unix()}
	for _, d := range table.Chain(parents...) {
		c.Dirs = append(c.Dirs, step.Dir{Path: d.Path, Mode: uint32(d.Mode), UID: d.UID, GID: d.GID})
	}
	for _, o := range outputs {
		f := step.File{From: o.From, To: o.To, Mode: modeBits(o.Mode)}
		f.UID, f.GID = outputOwner(o, table)
		c.Files = append(c.Files, f)
	}
	var opts []bkllb.RunOption
	c.Secrets, opts = searchedSecrets(d.script.Script, recipe.User{})
	opts = append(opts,
		bkllb.Args([]string{"/" + StepFile, "collect", asJSON(c)}), bkllb.Network(pb.NetMode_NONE), bkllb.ReadonlyRootFS(),
		bkllb.Platform(in.Worker), d.script.group.Named("keep %s of the %s", outputNames(outputs), d.who),
		bkllb.AddMount(collectedIn, d.root, bkllb.Readonly, ops.ByKey))
	return stepProgram(in.Helpers.OwnSteps).Run(opts...).AddMount(collectedOut, bkllb.Scratch())
}

func asJSON(v any) string {
	data, _ := json.Marshal(v) //nolint:errchkjson // texts, numbers and lists of them always encode
	return string(data)
}
