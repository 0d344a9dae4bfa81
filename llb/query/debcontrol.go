package query

import (
	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/counts"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/scripts"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
)

// SystemControls is the file of the result of SystemControl: paragraphs of control files (deb-control(5)), as depgraph.System reads them.
const SystemControls = "/control"

// ControlInputs is what reading control files needs beside the packages.
type ControlInputs struct {
	Tool    ops.Base          // an image with dpkg, on Worker's platform
	Worker  ocispecs.Platform // the daemon's own platform
	NoCache ops.NoCache
}

// SystemControl compiles the step that reads from the files of packages what each depends on. The downloads are those of a build.
func SystemControl(packages []buildlock.Package, in ControlInputs, profile string) (*pb.Definition, error) {
	s := ops.Group{ID: ops.GroupResolveSystem, NoCache: in.NoCache}
	tool, err := ops.ToolState(in.Tool, in.Worker, s)
	if err != nil {
		return nil, err
	}
	files, mounts := ops.PackageMounts(packages)
	opts := append([]bkllb.RunOption{
		bkllb.Args(append([]string{"/bin/sh", "-c", scripts.DebControl, "debcontrol"}, files...)), bkllb.Network(pb.NetMode_NONE), bkllb.Platform(in.Worker),
		s.Named("read what %s depend on", counts.Plural(len(files), "package")),
	}, mounts...)
	def, _, err := ops.Marshal(tool.Run(opts...).AddMount("/out", bkllb.Scratch()), in.Worker, "the reading of control files for "+profile)
	return def, err
}
