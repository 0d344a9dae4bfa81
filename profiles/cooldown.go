package profiles

import (
	"strings"
	"time"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

var days = lazyregexp.New(`^([1-9][0-9]{0,2})(?:d| days?)$`)

// cooldown reads how old a version has to be before it is chosen: most malicious releases are found and taken back within days.
func (r *resolver) cooldown() {
	s, q := r.spec.python.cooldown, &r.recipe.Requires
	_, err := time.Parse(time.DateOnly, s.Value)
	switch m := days.FindStringSubmatch(s.Value); {
	case m != nil:
		q.Cooldown = m[1] + " days"
	case s.Set && err == nil:
		q.Cooldown = s.Value
	case s.Set:
		r.Specf(s.At, "python.cooldown %q is neither a number of days nor a date", s.Value).Hint("for example 7d, or 2026-01-31")
	}
	for _, e := range r.spec.python.fresh {
		switch {
		case !s.Set:
			r.Specf(e.Name.At, "python.cooldown_except has no python.cooldown to except %s from", e.Name.Value)
		case strings.TrimSpace(e.Value.Value) == "":
			r.Specf(e.Name.At, "the exception of %s from the cooldown has no reason", e.Name.Value).Hint("for example cooldown_except: {%s: \"security fix\"}", e.Name.Value)
		default:
			q.Fresh = append(q.Fresh, pypi.Normalize(e.Name.Value))
			r.Notef("%s may be younger than %s: %s", e.Name.Value, q.Cooldown, e.Value.Value)
		}
	}
	q.Fresh = recipe.SortedUnique(q.Fresh)
}
