package requirements

import "github.com/mlbuild/mlbuild/profiles/recipe"

// projectOf reads the pyproject.toml whose dependencies are wanted, as the recipe has it; without one, or with one that is wrong, which was reported when
// it was found, it says nothing.
func projectOf(req recipe.Requirements) *Pyproject {
	if req.Project == nil {
		return &Pyproject{}
	}
	py, err := readPyproject(req.Project.File)
	if err != nil {
		return &Pyproject{}
	}
	return py
}

// Parsed returns requirements whose texts are final, together with what these say: lines, and repositories of [tool.uv.sources].
func Parsed(req recipe.Requirements) recipe.Requirements {
	req.Parse()
	if req.Project != nil {
		py, project := projectOf(req), *req.Project
		project.Lines = py.lines(true, project.Extras, project.Groups)
		project.Repos = py.Tool.UV.repos(project.Lines)
		req.Project = &project
	}
	return req
}

// ParsedStage is Parsed for what a stage asks for beyond the runtime, whose requirements are runtime.
func ParsedStage(q recipe.StageRequirements, runtime recipe.Requirements) recipe.StageRequirements {
	py := projectOf(runtime)
	q.Parse()
	q.ProjectLines = py.lines(false, q.Extras, q.Groups)
	q.Repos = py.Tool.UV.repos(q.ProjectLines)
	return q
}
