package profiles

import (
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/requirements"
)

// stageQuestion is what the stages testing and dev are decided by, beside their keys and what they ask for.
type stageQuestion struct {
	files.Placement
	public []string
	direct []requirements.Requirement // what the runtime asks for by name
}

// stages are the testing and the dev stage, nil = not wanted, and what they say of packages that are built here.
type stages struct {
	testing *recipe.Testing
	dev     *recipe.Dev
	sources []requirements.Asked
}

// resolveStages decides the stages that the file has, and the one that is wanted.
func resolveStages(t files.Tree, s *spec, target recipe.Stage, runtime requirements.StageQuestion, q stageQuestion) stages {
	var all stages
	testing, dev := s.testing, s.dev
	if testing == nil && target == recipe.StageTesting {
		testing = &testingSpec{}
	}
	if dev == nil && target == recipe.StageDev {
		dev = &devSpec{}
	}
	if testing != nil {
		a := requirements.GatherStage(runtime, recipe.StageTesting, testing.StageSpec, testUsual)
		all.testing = resolveTesting(t, testing, q, a)
		all.sources = append(all.sources, a.Asked)
	}
	if dev != nil {
		a := requirements.GatherStage(runtime, recipe.StageDev, dev.StageSpec, devUsual)
		all.dev = resolveDev(t.Report, dev, q, a)
		all.sources = append(all.sources, a.Asked)
	}
	return all
}
