package checkstep

import (
	"encoding/json"
	"fmt"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/wheel"
)

// Image is an image as it is, whoever made it. Its user may be a name that only the image knows, so the result's directory can be written by anybody, and HOME is what the daemon finds
// for the user in the image where its config sets none. What a check writes into the image is thrown away.
type Image struct {
	Base ops.Base // by its digest
	ops.Setting
}

// Packages is the check of the packages as a definition, and what its steps are for. It leaves a file that is always the same, and fails where something is wrong.
func (m Image) Packages(task check.Packages) (*pb.Definition, ops.Steps, error) {
	return m.definition("packages", "run what is installed", "/", task, bkllb.AddMount("/tmp", bkllb.Scratch(), bkllb.Tmpfs()))
}

// Service is the check of the service, as Packages says.
func (m Image) Service(task check.Run) (*pb.Definition, ops.Steps, error) {
	return m.definition("service", "try the service", task.Dir, task)
}

// definition is one check. title is what people read of it, task what the program is told.
func (m Image) definition(which, title, dir string, task any, opts ...bkllb.RunOption) (*pb.Definition, ops.Steps, error) {
	told, err := json.Marshal(task)
	if err != nil {
		return nil, nil, fmt.Errorf("encode what is to be checked: %w", err)
	}
	g := m.Group(ops.GroupChecks)
	opts = append(opts, g.Step(ops.StepCheck, which, "%s", title), bkllb.Dir(dir))
	config := m.Base.Config.Config
	if config.User != "" {
		opts = append(opts, bkllb.User(config.User))
	}
	for _, kv := range config.Env {
		name, value, _ := strings.Cut(kv, "=")
		opts = append(opts, bkllb.AddEnv(name, value))
	}
	empty := bkllb.Scratch().File(bkllb.Mkdir("/out", 0o777, bkllb.WithCreatedTime(wheel.ModTime)), g.Named("a directory for the result"))
	left := run(ops.BaseState(m.Base, m.Platform), empty, m.Setting, g, which, told, opts)
	return ops.Marshal(left, m.Platform, "the check of "+which)
}
