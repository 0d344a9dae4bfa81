package llb

import (
	"encoding/json"
	"fmt"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/scripts"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Files that a test run leaves in its result.
const (
	TestEnd     = "/results/end.json"    // a Tested as JSON
	TestReports = "/results/reports.tar" // what the reports of the project match, below the names that they have in the working directory
)

// RunSecret is the id of the secret that names a run. It is no secret: its value is in no cache key, and tells a run from one that is remembered.
const RunSecret = "mlbuild-run"

// Tested is how a test run ended.
type Tested struct {
	Run     string   `json:"run"`     // the value of RunSecret, "" where the client offered none
	Exit    int      `json:"exit"`    // 0 = passed; 127 = the program is not there; from 128 on a signal
	Command []string `json:"command"` // that failed
	Output  string   `json:"output"`  // the end of what it printed, at most 64 KiB
	Missing []string `json:"missing"` // reports that match nothing
}

// testingStage is the runtime, what the tests need, and the tests.
func testingStage(r *recipe.Recipe, in given) (ops.Layers, error) {
	t := r.Testing
	if t == nil {
		return nil, errNoStage(recipe.StageTesting)
	}
	layers, err := runtimeStage(r, in)
	if err != nil {
		return nil, err
	}
	wheels, err := stageWheelLayers(r, in, layers)
	if err != nil {
		return nil, err
	}
	layers = layers.And(wheels...)
	if len(t.Copy) > 0 {
		files := placedFiles(t.Copy, t.Ignore, r.User, newDirTable(r), in, ops.Group{ID: ops.GroupTests})
		layers = layers.And(ops.Layer{Layer: layerplan.Layer{Kind: layerplan.KindTests, Name: "the project's tests"}, State: files})
	}
	return layers, nil
}

func errNoStage(s recipe.Stage) error {
	return fault.New(fault.Spec, "the recipe has no stage %s", s).Hint("resolve the project for this target")
}

// Where the program that runs the tests finds itself and its task, and where it writes to.
const (
	testsDir   = "/run/mlbuild/tests"
	resultsDir = "/run/mlbuild/results"
)

// testRun is what a run of the tests on the image leaves at TestEnd and TestReports. They run as the image would, with its user, environment and working directory.
func testRun(r *recipe.Recipe, in given, layers ops.Layers) (bkllb.State, error) {
	t, s := r.Testing, ops.Group{ID: ops.GroupTesting, NoCache: in.NoCache}
	task, err := testTask(t)
	if err != nil {
		return bkllb.State{}, err
	}
	name := testNames(t.Commands)
	opts := []bkllb.RunOption{
		bkllb.Args([]string{wheel.Venv + "/bin/python", "-I", "-B", testsDir + "/run.py", testsDir + "/task.json", resultsDir}),
		bkllb.Dir(r.App.Workdir), bkllb.Platform(in.platform), s.Step(ops.StepTest, name, "%s", name),
	}
	for _, kv := range environment(r, in, r.User.Home, t.Env) {
		opts = append(opts, bkllb.AddEnv(kv.Name, kv.Value))
	}
	opts = append(opts, bkllb.User(fmt.Sprintf("%d:%d", r.User.UID, r.User.GID)))
	if t.Network {
		opts = append(opts, in.Network.Options(ops.ToolsCA)...)
	} else {
		opts = append(opts, bkllb.Network(pb.NetMode_NONE))
	}
	opts = append(opts, bkllb.AddMount(testsDir, task, bkllb.Readonly), bkllb.AddSecretWithDest(RunSecret, nil, bkllb.SecretAsEnvName("MLBUILD_RUN"), bkllb.SecretOptional))
	empty := bkllb.Scratch().File(bkllb.Mkdir("/results", 0o755, bkllb.WithUIDGID(r.User.UID, r.User.GID), bkllb.WithCreatedTime(wheel.ModTime)), s.Named("a directory for results"))
	return merged(r, in, layers).Run(opts...).AddMount(resultsDir, empty, bkllb.SourcePath("/results")), nil
}

// testTask holds the program that runs the tests, and what it is told.
func testTask(t *recipe.Testing) (bkllb.State, error) {
	task, err := json.Marshal(map[string]any{"commands": t.Commands, "reports": append([]string{}, t.Reports...)})
	if err != nil {
		return bkllb.State{}, fmt.Errorf("encode the test commands: %w", err)
	}
	files := bkllb.Mkfile("/run.py", 0o644, []byte(scripts.RunTests), bkllb.WithCreatedTime(wheel.ModTime)).Mkfile("/task.json", 0o644, task, bkllb.WithCreatedTime(wheel.ModTime))
	return bkllb.Scratch().File(files, ops.Group{ID: ops.GroupTesting}.Named("what is to be run")), nil
}

// testNames is what runs, for people: the first words of each command.
func testNames(commands [][]string) string {
	names := make([]string, len(commands))
	for i, c := range commands {
		names[i] = strings.Join(c, " ")
	}
	return strings.Join(names, "; ")
}
