package llb

import (
	"encoding/json"
	"fmt"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/checktask"
	"github.com/mlbuild/mlbuild/llb/helper"
	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/projectstep"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// serviceLayers returns the layer that says that the image's service was tried: a file that is always the same, which the check of the whole image leaves where the service does what the
// project says of it. The check runs as the first process of a container of the image, as its user, and what it writes is thrown away.
func serviceLayers(r *recipe.Recipe, in given, table ops.DirTable, below ops.Layers) (ops.Layers, error) {
	if in.Checks != CheckAll || r.Smoke == nil || in.Target != recipe.StageRuntime {
		return nil, nil
	}
	config := image{r, in, nil}.config(nil).Config
	task := checktask.Service(r, config)
	secrets, mounts := projectstep.SecretMounts(r.Smoke.Secrets, r.User)
	for _, x := range secrets {
		task.Secrets = append(task.Secrets, x.File)
	}
	told, err := json.Marshal(task)
	if err != nil {
		return nil, fmt.Errorf("encode how the service is tried: %w", err)
	}
	s := in.setting().Group(ops.GroupChecks)
	opts := []bkllb.RunOption{
		bkllb.Args([]string{checkDir + "/" + helper.Checks, "service", string(told), checkedDir}),
		bkllb.Dir(task.Dir), bkllb.Platform(in.platform), s.Step(ops.StepCheck, "service", "try the service"),
		bkllb.User(fmt.Sprintf("%d:%d", r.User.UID, r.User.GID)), bkllb.Network(pb.NetMode_NONE),
		bkllb.AddMount(checkDir, checkProgram(in.Helpers.Checks), bkllb.Readonly, ops.ByKey),
	}
	for _, kv := range environment(r, in, r.User.Home, r.Smoke.Env) {
		opts = append(opts, bkllb.AddEnv(kv.Name, kv.Value))
	}
	done := merged(r, in, below).Run(append(opts, mounts...)...).AddMount(checkedDir, emptyResult(r.User, s), bkllb.SourcePath("/out"))
	l := layerplan.Layer{Kind: layerplan.KindService, Name: "the service was tried", Runs: "on the whole image: every layer is unpacked once for it, and it runs again when anything changes"}
	return ops.Layers{{Layer: l, State: checkedLayer(done, "service", table, s)}}, nil
}

// emptyResult is a directory into which the image's user may write.
func emptyResult(u recipe.User, s ops.Group) bkllb.State {
	return bkllb.Scratch().File(bkllb.Mkdir("/out", 0o755, bkllb.WithUIDGID(u.UID, u.GID), bkllb.WithCreatedTime(wheel.ModTime)), s.Named("a directory for the result"))
}
