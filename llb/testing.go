package llb

import (
	_ "embed" // the script
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

// testing adds to the runtime what the tests need, and the tests.
func (m *image) testing() error {
	t := m.recipe.Testing
	if t == nil {
		return errNoStage("testing")
	}
	if err := m.runtime(); err != nil {
		return err
	}
	if err := m.stageWheels(); err != nil {
		return err
	}
	if len(t.Copy) > 0 {
		files := filesLayer(t.Copy, t.Ignore, m.recipe.User, newDirTable(m.recipe), m.in, ops.Group{ID: ops.GroupTests})
		m.add(layerplan.Layer{Kind: layerplan.KindTests, Name: "the project's tests"}, files)
	}
	return nil
}

func errNoStage(name string) error {
	return fault.New(fault.Spec, "the recipe has no stage %s", name).Hint("resolve the project for this target")
}

// tests compiles the run of the tests on the image of the testing stage; nil for every other stage.
func (m *image) tests() (*pb.Definition, ops.Steps, error) {
	t := m.recipe.Testing
	if m.target != "testing" {
		return nil, nil, nil
	}
	s := ops.Group{ID: ops.GroupTesting, NoCache: m.in.NoCache}
	task, err := json.Marshal(map[string]any{"commands": t.Commands, "reports": append([]string{}, t.Reports...)})
	if err != nil {
		return nil, nil, fmt.Errorf("encode the test commands: %w", err)
	}
	const dir = "/run/mlbuild/tests"
	files := bkllb.Scratch().File(bkllb.Mkfile("/run.py", 0o644, []byte(scripts.RunTests), bkllb.WithCreatedTime(wheel.ModTime)).
		Mkfile("/task.json", 0o644, task, bkllb.WithCreatedTime(wheel.ModTime)), ops.Group{ID: s.ID}.Named("what is to be run"))
	c := command{
		stage: s, name: testNames(t.Commands), env: t.Env, network: t.Network,
		args:    []string{wheel.Venv + "/bin/python", "-I", "-B", dir + "/run.py", dir + "/task.json", "/run/mlbuild/results"},
		mounts:  []input{{at: dir, from: files}},
		secrets: []bkllb.RunOption{bkllb.AddSecretWithDest(RunSecret, nil, bkllb.SecretAsEnvName("MLBUILD_RUN"), bkllb.SecretOptional)},
	}
	out := m.output(m.run(m.merged(), c), c, "/run/mlbuild/results")
	return ops.Marshal(out, m.platform, "the tests of "+m.recipe.Profile)
}

// testNames is what runs, for people: the first words of each command.
func testNames(commands [][]string) string {
	names := make([]string, len(commands))
	for i, c := range commands {
		names[i] = strings.Join(c, " ")
	}
	return strings.Join(names, "; ")
}
