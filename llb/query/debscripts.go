package query

import (
	"encoding/json"
	"fmt"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/counts"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// SystemHandling is the file of the result of SystemReading, for SetHandling.
const SystemHandling = "/ways.json"

// ReadInputs is what reading maintainer scripts needs beside the packages.
type ReadInputs struct {
	Base    ops.Base          // that the packages come on
	Worker  ocispecs.Platform // the daemon's own platform
	Helpers ops.Helpers
	NoCache ops.NoCache
}

// SystemReading compiles the step that reads the maintainer scripts of packages and says how each gets into the image. Packages that replace one of the base's
// own are not read: dpkg has to. Nothing of the packages is run. Its result holds SystemHandling. It returns
// too what the steps are for.
func SystemReading(sys *buildlock.System, in ReadInputs, p ocispecs.Platform) (*pb.Definition, ops.Steps, error) {
	s := ops.Group{ID: ops.GroupResolveSystem, NoCache: in.NoCache}
	files, mounts := ops.PackageMounts(read(sys.Packages))
	args := []string{"ways", "-out", "/out" + SystemHandling, "-arch", sys.Architecture, "-base", "/base"}
	mounts = append(mounts, bkllb.AddMount("/base", in.Base.ToRead(p, sys.Links), bkllb.Readonly, bkllb.ContentCache(bkllb.MountContentCacheOff)))
	step := ops.HelperStep(in.Helpers.Root(in.Helpers.Packages), in.Worker, s, "read the maintainer scripts of "+counts.Plural(len(files), "package"), append(args, files...), mounts...)
	return ops.Marshal(step.AddMount("/out", bkllb.Scratch()), p, "the reading of maintainer scripts")
}

// read lists the packages whose scripts say which way they go.
func read(packages []buildlock.Package) []buildlock.Package {
	var all []buildlock.Package
	for _, p := range packages {
		if p.Replaces == "" {
			all = append(all, p)
		}
	}
	return all
}

// SetAnswered sends the packages whose questions the project answers to dpkg, which asks them: a script is read with the defaults. An answer for a package that
// is not installed is an error.
func SetAnswered(sys *buildlock.System, a recipe.Apt) error {
	known := map[string]bool{}
	for i := range sys.Packages {
		p := &sys.Packages[i]
		if known[p.Name] = true; a.Answers(p.Name) && p.Handling != buildlock.Dpkg {
			p.Handling, p.Reason = buildlock.Dpkg, "the project answers its questions (system.debconf)"
		}
	}
	var faults fault.List
	for _, line := range a.Debconf {
		if name, _, _ := strings.Cut(line, " "); !known[name] && name != "debconf" {
			faults = append(faults, fault.New(fault.Resolve, "system.debconf answers a question of %s, which is not among the packages that are installed", name).
				Hint("it may be in the base already, or belong to a package of another name: debconf-show NAME lists the questions"))
		}
	}
	return faults.Err()
}

// SetHandling notes of every package of sys how it gets into the image, from what the step of SystemReading left in SystemHandling.
func SetHandling(sys *buildlock.System, data []byte) error {
	var answers []struct{ Package, Way, Reason string }
	if err := json.Unmarshal(data, &answers); err != nil {
		return fmt.Errorf("the ways of the system packages: %w", err)
	}
	byName := map[string]int{}
	for i, w := range answers {
		byName[w.Package] = i
	}
	for i := range sys.Packages {
		p := &sys.Packages[i]
		at, known := byName[p.Name]
		switch {
		case p.Replaces != "":
			p.Handling, p.Reason = buildlock.Dpkg, "replaces the base's own "+p.Replaces
		case !known:
			return fault.New(fault.DebUnsafe, "%s: it is another package than its repository says, which calls it %s", p.File(), p.Name).
				Hint("a package like this should not be installed; tell whoever runs its repository")
		case answers[at].Way == "layer":
			p.Handling, p.Reason = buildlock.Layer, ""
		default:
			p.Handling, p.Reason = buildlock.Handling(answers[at].Way), answers[at].Reason
		}
	}
	return nil
}
