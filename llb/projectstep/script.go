package projectstep

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
	stepDir       = "/run/mlbuild/step"
	stepSecrets   = "/run/mlbuild/secrets" //nolint:gosec // a directory, no secret
	collectedIn   = "/in"
	collectedOut  = "/out"
	collectedOver = "/packages" // a directory for each layer of packages
)

// DefaultSSH is the id of the agent that a step with ssh gets.
const DefaultSSH = "default"

// stepProgram is a root that holds mlbuild-step alone, for the platform of a digest.
func stepProgram(h ops.Helpers, digest string) bkllb.State {
	return h.As(digest, StepFile, "the program that runs steps")
}

// Script is a project's step on its way into the graph.
type Script struct {
	recipe.Script
	Group    ops.Group
	Name     string        // for people: "build libfoo"
	Who      string        // the same in a sentence: "build step libfoo"
	Cache    string        // begins the ids of its caches: "project/build/libfoo"
	User     recipe.User   // who runs the commands
	Dir      string        // where they start
	Defaults []recipe.Pair // variables of the step; the script's own go over them
	Settle   *step.Settle  // what is done with the root afterwards; nil = nothing
	Lost     *step.Lost    // what is told of files that are not kept; nil = nothing
}

// Run runs a step's commands on a root, by way of mlbuild-step. The key of the result is that of the root, of the commands and of the mounts;
// what a secret or a cache holds is not in it.
func (s Script) Run(root bkllb.State, set ops.Setting) Result {
	spec := step.Run{Commands: s.Commands, Timeout: s.Timeout, Settle: s.Settle, Lost: s.Lost}
	secrets, opts := s.secrets()
	spec.Secrets = secrets
	all := []bkllb.RunOption{
		bkllb.Args([]string{stepDir + "/" + StepFile, "run", asJSON(spec)}), bkllb.Dir(s.Dir), bkllb.Platform(set.Platform), s.Group.Step(ops.StepOwn, s.Name, "%s", s.Name),
		bkllb.User(fmt.Sprintf("%d:%d", s.User.UID, s.User.GID)),
		bkllb.AddMount(stepDir, stepProgram(set.Helpers, set.Helpers.StepTarget), bkllb.Readonly, ops.ByKey),
		bkllb.AddMount("/tmp", bkllb.Scratch(), bkllb.Tmpfs()),
	}
	for _, p := range ops.Over(s.Defaults, s.Env) {
		all = append(all, bkllb.AddEnv(p.Name, p.Value))
	}
	if s.Network {
		all = append(all, set.Network.Options(s.caVariables())...)
	} else {
		all = append(all, bkllb.Network(pb.NetMode_NONE))
	}
	if s.SSH {
		all = append(all, bkllb.AddSSHSocket(bkllb.SSHID(DefaultSSH), bkllb.SSHSocketOpt("/run/mlbuild/ssh", s.User.UID, s.User.GID, 0o600)))
	}
	return Result{root.Run(slices.Concat(all, s.caches(set.Platform.Architecture), opts)...).Root(), s}
}

// caVariables are those by which tools learn of a CA, but for what the project sets itself.
func (s Script) caVariables() []string {
	return slices.DeleteFunc(slices.Clone(ops.ToolsCA), func(name string) bool {
		return slices.ContainsFunc(s.Env, func(p recipe.Pair) bool { return p.Name == name })
	})
}

// secrets mounts what the step may see, and what mlbuild-step masks in the output and searches what the commands leave for.
func (s Script) secrets() ([]step.Secret, []bkllb.RunOption) { return SecretMounts(s.Secrets, s.User) }

// SecretMounts mounts secrets for a user, and each once more as a file for the program that runs the commands, which keeps its value out of what they print.
func SecretMounts(secrets []recipe.StepSecret, u recipe.User) ([]step.Secret, []bkllb.RunOption) {
	var opts []bkllb.RunOption
	for _, x := range secrets {
		if x.Env != "" {
			opts = append(opts, bkllb.AddSecretWithDest(x.ID, nil, append(optional(x), bkllb.SecretAsEnvName(x.Env))...))
		} else {
			opts = append(opts, bkllb.AddSecret(x.File, append(optional(x), bkllb.SecretID(x.ID), bkllb.SecretFileOpt(u.UID, u.GID, 0o400))...))
		}
	}
	found, more := searchedSecrets(recipe.Script{Secrets: secrets}, u)
	return found, append(opts, more...)
}

// optional is the option of a secret that may not be there.
func optional(x recipe.StepSecret) []bkllb.SecretOption {
	if x.Optional {
		return []bkllb.SecretOption{bkllb.SecretOptional}
	}
	return nil
}

// searchedSecrets mounts each secret of a step as a file of its own.
func searchedSecrets(s recipe.Script, u recipe.User) (found []step.Secret, opts []bkllb.RunOption) {
	for _, x := range s.Secrets {
		file := path.Join(stepSecrets, x.ID)
		if slices.ContainsFunc(found, func(f step.Secret) bool { return f.ID == x.ID }) {
			continue
		}
		found = append(found, step.Secret{ID: x.ID, File: file, Optional: x.Optional})
		opts = append(opts, bkllb.AddSecret(file, append(optional(x), bkllb.SecretID(x.ID), bkllb.SecretFileOpt(u.UID, u.GID, 0o400))...))
	}
	return found, opts
}

// caches mounts directories that keep what is in them from build to build on one daemon, of this project's step alone. One build at a time has them, because
// few tools share a cache with care.
func (s Script) caches(architecture string) []bkllb.RunOption {
	var opts []bkllb.RunOption
	for _, dir := range s.Caches {
		owned := bkllb.Mkdir("/cache", 0o755, bkllb.WithUIDGID(s.User.UID, s.User.GID), bkllb.WithCreatedTime(wheel.ModTime))
		empty := bkllb.Scratch().File(owned, s.Group.Named("an empty cache"))
		id := path.Join("mlbuild/step", s.Cache, architecture, dir)
		opts = append(opts, bkllb.AddMount(dir, empty, bkllb.SourcePath("/cache"), bkllb.AsPersistentCacheDir(id, bkllb.CacheMountLocked)))
	}
	return opts
}

func asJSON(v any) string {
	data, _ := json.Marshal(v) //nolint:errchkjson // texts, numbers and lists of them always encode
	return string(data)
}
