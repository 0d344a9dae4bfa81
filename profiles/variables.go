package profiles

import (
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// readVariables checks environment variables. One whose value refers to others stays as it is written: what they are is known when the base is.
func readVariables(report *yamldoc.Report, list []yamldoc.Pair) []recipe.Pair {
	pairs := readPairs(report, list, "environment variable", envName)
	for i, p := range list {
		refers := false
		literal, err := recipe.Expand(p.Value.Value, func(recipe.Reference) string {
			refers = true
			return ""
		})
		switch {
		case err != nil:
			report.Specf(p.Value.At, "the environment variable %s: %v", p.Name.Value, err).
				Hint("${NAME} stands for a build argument or another variable; for the text itself write $$ in place of the dollar")
		case refers:
			pairs[i].Refers, pairs[i].At = true, p.Value.At
		default:
			pairs[i].Value = literal
		}
	}
	return pairs
}

// environmentBin is the directory of the programs of the image's virtual environment.
const environmentBin = "/opt/venv/bin"

// notePath says that a PATH which is written without the environment's programs has them all the same; key is where it is written.
func notePath(report *yamldoc.Report, key string, env []recipe.Pair) {
	for _, p := range env {
		if p.Name == "PATH" && !p.Refers && !slices.Contains(strings.Split(p.Value, ":"), environmentBin) {
			report.Notef("%s.PATH is without %s, where the packages' programs are: it is put first (to add to the image's PATH: PATH: \"/my/bin:$PATH\")", key, environmentBin)
		}
	}
}
