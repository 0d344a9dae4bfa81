package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
)

// uvSays are the packages, "name version", that uv itself chooses in a directory of a project: by its requirements file, or else for its pyproject.toml.
func uvSays(p *project, x *testbed.Index) []string {
	p.t.Helper()
	run := func(args ...string) string {
		cmd := exec.Command("uv", args...)
		cmd.Dir = p.dir
		cmd.Env = append(os.Environ(), "UV_CACHE_DIR="+filepath.Join(p.state, "uv"), "UV_PYTHON_DOWNLOADS=never", "UV_DEFAULT_INDEX="+x.Simple(), "NO_PROXY=127.0.0.1")
		out, err := cmd.Output()
		if err != nil {
			p.t.Fatalf("uv %q: %v", args, err)
		}
		return string(out)
	}
	text := ""
	if _, err := os.Stat(filepath.Join(p.dir, "requirements.txt")); err == nil {
		text = run("pip", "compile", "--quiet", "--no-header", "--no-annotate", "--python-version", "3.11", "requirements.txt")
	} else {
		text = run("export", "--quiet", "--no-header", "--no-annotate", "--no-hashes", "--no-emit-local", "--no-default-groups")
	}
	var all []string
	for line := range strings.Lines(text) {
		if name, version, ok := strings.Cut(strings.TrimSpace(line), "=="); ok {
			version, _, _ = strings.Cut(version, " ")
			all = append(all, name+" "+version)
		}
	}
	slices.Sort(all)
	return all
}

// TestSettingsAsUV: what uv.toml, [tool.uv] and [tool.uv.pip] say counts as with uv pip for requirements files, as with uv sync for projects, and for the members
// of a workspace as its root says it.
func TestSettingsAsUV(t *testing.T) {
	x := inputsIndex(t, testbed.IndexOptions{})
	for _, version := range []string{"1.0", "2.0rc1"} {
		x.AddWheel("simple", "fresh", version, "py3-none-any", map[string]string{"fresh.py": version})
	}
	const requirements = "fresh\nnumpy\npandas\n"
	const project = "[project]\nname = 'app'\nversion = '1'\nrequires-python = '>=3.11'\ndependencies = ['fresh', 'numpy', 'pandas']\n"
	own := string(wheeltest.Build("fresh", "1.5", "py3-none-any", map[string]string{"fresh.py": ""}))
	team := x.URL + "/team"
	for _, c := range []struct {
		name, dir string
		files     map[string]string
	}{
		{"requirements and uv.toml", ".", map[string]string{"requirements.txt": requirements, "uv.toml": "prerelease = 'allow'\nconstraint-dependencies = ['numpy<2']\n"}},
		{"requirements and tool.uv", ".", map[string]string{"requirements.txt": requirements, "pyproject.toml": "[tool.uv]\noverride-dependencies = ['numpy==1.26.4']\nresolution = 'lowest'\n"}},
		{"requirements and tool.uv of a project", ".", map[string]string{"requirements.txt": requirements, "pyproject.toml": project + "[tool.uv]\nconstraint-dependencies = ['pandas<2.2']\n"}},
		{"uv.toml wins", ".", map[string]string{"requirements.txt": requirements, "pyproject.toml": "[tool.uv]\nconstraint-dependencies = ['numpy<2']\nprerelease = 'allow'\n", "uv.toml": "resolution = 'lowest-direct'\n"}},
		{"tool.uv.pip", ".", map[string]string{"requirements.txt": requirements, "pyproject.toml": "[tool.uv]\nresolution = 'lowest'\n[tool.uv.pip]\nresolution = 'highest'\nprerelease = 'allow'\nextra-index-url = ['" + team + "']\n"}},
		{"pip of uv.toml", ".", map[string]string{"requirements.txt": requirements, "uv.toml": "[pip]\nprerelease = 'allow'\nno-annotate = true\n"}},
		{"index of uv.toml", ".", map[string]string{"requirements.txt": requirements + "team-lib\n", "uv.toml": "[[index]]\nname = 'team'\nurl = '" + team + "'\n"}},
		{"links of uv.toml", ".", map[string]string{"requirements.txt": requirements, "uv.toml": "find-links = ['wheels']\n", "wheels/fresh-1.5-py3-none-any.whl": own}},
		{"project and uv.toml", ".", map[string]string{"pyproject.toml": project + "[tool.uv]\nprerelease = 'allow'\nconstraint-dependencies = ['pandas<2.2']\n[tool.uv.pip]\nresolution = 'lowest'\n", "uv.toml": "constraint-dependencies = ['numpy<1.27']\nextra-index-url = ['" + team + "']\n"}},
		{"member", "services/api", map[string]string{
			"pyproject.toml":              "[tool.uv]\nconstraint-dependencies = ['numpy<2']\nfind-links = ['wheels']\nresolution = 'lowest-direct'\n[tool.uv.workspace]\nmembers = ['services/*']\n",
			"services/api/pyproject.toml": project + "[tool.uv]\noverride-dependencies = ['pandas==2.3.3']\nprerelease = 'allow'\n", "wheels/fresh-1.5-py3-none-any.whl": own,
		}},
		{"member and uv.toml", "services/api", map[string]string{
			"pyproject.toml": "[tool.uv]\nconstraint-dependencies = ['numpy<2']\nresolution = 'lowest-direct'\n[tool.uv.workspace]\nmembers = ['services/*']\n",
			"uv.toml":        "prerelease = 'allow'\n", "services/api/pyproject.toml": project,
		}},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			c.files[c.dir+"/main.py"], c.files[c.dir+"/mlbuild.yaml"] = "", "python: {version: '3.11'}\n"
			whole := newProject(t, c.files)
			p := whole.in(c.dir)
			want := uvSays(p, x)
			_ = os.Remove(filepath.Join(whole.dir, "uv.lock")) // mlbuild is to choose by itself
			if len(want) == 0 {
				t.Fatal("uv chooses nothing")
			}
			if d := cmp.Diff(want, here{t: t, x: x, dir: p.dir}.packages(p, "cpu")); d != "" {
				t.Errorf("packages (-uv +mlbuild):\n%s", d)
			}
		})
	}
}
