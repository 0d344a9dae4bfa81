package profiles

import (
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestVariables: what refers to another variable is left for the base, with its place; all else is decided.
func TestVariables(t *testing.T) {
	const text = `args: {BIN: "/opt/$x/bin"}
app:
  env:
    PATH: "${BIN}:$PATH"
    BRACES: "${LD_LIBRARY_PATH}"
    DOLLAR: "a$$b $1 $"
    LATER: "$${HOME}"
    PYTHONUNBUFFERED: "$PYTHONUNBUFFERED$PATH"
    NVIDIA_DRIVER_CAPABILITIES: "$NVIDIA_DRIVER_CAPABILITIES,video"
testing: {copy: [main.py], env: {PATH: "/t:$PATH"}}
dev: {env: {PATH: "/d:$PATH"}}
bake: [{commands: [x], env: {PATH: "/b:$PATH"}, outputs: [y]}]
`
	r := settings(t, text, Selection{Profile: "gpu", Target: recipe.StageTesting, Env: map[string]string{"FLAG": "$HOME $$ ${X}"}})
	refers := func(name, value string, line, column int) recipe.Pair {
		return recipe.Pair{Name: name, Value: value, Refers: true, At: fault.Position{File: "mlbuild.yaml", Line: line, Column: column}}
	}
	for _, want := range []recipe.Pair{
		refers("PATH", "/opt/$$x/bin:$PATH", 4, 11), refers("BRACES", "${LD_LIBRARY_PATH}", 5, 13), {Name: "DOLLAR", Value: "a$b $1 $"}, {Name: "LATER", Value: "${HOME}"},
		refers("PYTHONUNBUFFERED", "1$PATH", 8, 23), {Name: "FLAG", Value: "$HOME $$ ${X}"},
	} {
		if !slices.Contains(r.App.Env, want) {
			t.Errorf("want %+v in %+v", want, r.App.Env)
		}
	}
	i := slices.IndexFunc(r.App.Env, func(p recipe.Pair) bool { return p.Name == "NVIDIA_DRIVER_CAPABILITIES" })
	if got := r.App.Env[i].Value; got != "compute,utility,video" {
		t.Errorf("over a default: %q", got)
	}
	for _, env := range [][]recipe.Pair{r.Testing.Env, r.Dev.Env, r.Bake[0].Env} {
		if !slices.ContainsFunc(env, func(p recipe.Pair) bool { return p.Name == "PATH" && p.Refers && p.At.Line > 9 }) {
			t.Errorf("%+v: PATH refers to the image's", env)
		}
	}
}

// TestPathNote: a PATH without the environment's programs has them all the same, which is said.
func TestPathNote(t *testing.T) {
	for text, want := range map[string]bool{
		`app: {env: {PATH: "/opt/x/bin:/usr/bin"}}`: true, `app: {env: {PATH: "/opt/x/bin:$PATH"}}`: false, `app: {env: {PATH: "/opt/venv/bin:/usr/bin"}}`: false,
	} {
		notes := strings.Join(settings(t, text+"\n", Selection{}).Notes, "\n")
		if strings.Contains(notes, "app.env.PATH is without /opt/venv/bin") != want {
			t.Errorf("%s: notes %q", text, notes)
		}
	}
}
