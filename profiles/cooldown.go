package profiles

import (
	"strings"
	"time"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

var days = lazyregexp.New(`^([1-9][0-9]{0,2})(?:d| days?)$`)

// cooldown reads how old a version has to be before it is chosen: most malicious releases are found and taken back within days.
func (r *resolver) cooldown() {
	s, q := r.spec.python.cooldown, &r.recipe.Requires
	_, err := time.Parse(time.DateOnly, s.value)
	switch m := days.FindStringSubmatch(s.value); {
	case m != nil:
		q.Cooldown = m[1] + " days"
	case s.set && err == nil:
		q.Cooldown = s.value
	case s.set:
		r.specf(s.at, "python.cooldown %q is neither a number of days nor a date", s.value).Hint("For example 7d, or 2026-01-31.")
	}
	for _, e := range r.spec.python.fresh {
		switch {
		case !s.set:
			r.specf(e.name.at, "python.cooldown_except has no python.cooldown to except %s from", e.name.value)
		case strings.TrimSpace(e.value.value) == "":
			r.specf(e.name.at, "the exception of %s from the cooldown has no reason", e.name.value).Hint("For example cooldown_except: {%s: \"security fix\"}.", e.name.value)
		default:
			q.Fresh = append(q.Fresh, NormalizeName(e.name.value))
			r.notef("%s may be younger than %s: %s", e.name.value, q.Cooldown, e.value.value)
		}
	}
	q.Fresh = recipe.SortedUnique(q.Fresh)
}
