package query

import (
	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/scripts"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// SystemAnswer is the file of the result of SystemResolution, for ParseSystemAnswer.
const SystemAnswer = "/answer"

// SystemInputs is what a resolution of system packages needs beside the recipe.
type SystemInputs struct {
	Base     ops.Base            // of the recipe's platform; apt runs on it
	Tool     ops.Base            // of Worker: apt runs on it for a base of packages, which has none
	Worker   ocispecs.Platform   // the daemon's own
	Platform ocispecs.Platform   // the recipe's
	Previous []buildlock.Package // versions that are kept where the repositories still have them
	Nonce    string              // differs = ask the repositories again; "" = an equal earlier answer will do
	Network  ops.Network
	NoCache  ops.NoCache
}

// SystemResolution compiles the step in which apt says which packages the recipe's system packages bring: the base's own, or for a base of packages that
// of the tool image, which then answers for an empty system of the base's release and architecture. Nothing is installed. Its result holds SystemAnswer.
func SystemResolution(r *recipe.Recipe, in SystemInputs) (*pb.Definition, error) {
	s := ops.Group{ID: ops.GroupResolveSystem, NoCache: in.NoCache}
	from, runs, script, files := in.Base, in.Platform, scripts.AptResolve, map[string]string(nil)
	if in.Base.OfPackages {
		from, runs, script, files = in.Tool, in.Worker, scripts.AptPackageBase+script, packageBaseFiles(r, in.Platform)
	}
	opts := []bkllb.RunOption{
		bkllb.Args(append([]string{"/bin/sh", "-eu", ops.AptScriptPath}, r.System...)),
		ops.AptCache("/var/lib/apt/lists", in.Base, in.Platform),
		bkllb.AddMount("/tmp", bkllb.Scratch(), bkllb.Tmpfs()),
		bkllb.AddEnv("MLBUILD_NONCE", in.Nonce),
		bkllb.Platform(runs), s.Named("apt: resolve the system packages of %s", r.Profile),
	}
	opts = append(opts, ops.AptOptions(script, r.Apt, in.Previous, files, s)...)
	opts = append(opts, in.Network.Options(ops.AptCA)...)
	out := ops.BaseToRead(from, runs).Run(opts...).AddMount("/out", bkllb.Scratch())
	def, _, err := ops.Marshal(out, in.Platform, "the resolution of the system packages of "+r.Profile)
	return def, err
}

// packageBaseFiles tell apt of a system that it is not on: its release, its architecture, and which packages it has.
func packageBaseFiles(r *recipe.Recipe, p ocispecs.Platform) map[string]string {
	files := map[string]string{"/suite": r.Base.Suite, "/architecture": p.Architecture, "/status": packageBaseStatus(r.System, p.Architecture)}
	if r.Apt.Only {
		files["/only"] = "1"
	}
	return files
}
