package requirements

import (
	"strings"
	"time"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

var days = lazyregexp.New(`^([1-9][0-9]{0,2})(?:d| days?)$`)

// resolveCooldown reads how old a version has to be before it is chosen, and which packages that does not hold (normalized, sorted): most malicious
// releases are found and taken back within days.
func resolveCooldown(report *yamldoc.Report, s yamldoc.String, except []yamldoc.Pair) (cooldown string, fresh []string) {
	_, err := time.Parse(time.DateOnly, s.Value)
	switch m := days.FindStringSubmatch(s.Value); {
	case m != nil:
		cooldown = m[1] + " days"
	case s.Set && err == nil:
		cooldown = s.Value
	case s.Set:
		report.Specf(s.At, "python.cooldown %q is neither a number of days nor a date", s.Value).Hint("for example 7d, or 2026-01-31")
	}
	for _, e := range except {
		switch {
		case !s.Set:
			report.Specf(e.Name.At, "python.cooldown_except has no python.cooldown to except %s from", e.Name.Value)
		case strings.TrimSpace(e.Value.Value) == "":
			report.Specf(e.Name.At, "the exception of %s from the cooldown has no reason", e.Name.Value).Hint("for example cooldown_except: {%s: \"security fix\"}", e.Name.Value)
		default:
			fresh = append(fresh, pypi.Normalize(e.Name.Value))
			report.Notef("%s may be younger than %s: %s", e.Name.Value, cooldown, e.Value.Value)
		}
	}
	return cooldown, recipe.SortedUnique(fresh)
}
