package profiles

import (
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

var (
	indexName = lazyregexp.New(`^[a-z0-9]+([._-][a-z0-9]+)*$`)
	secretID  = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)
)

// indexes checks the package indexes, and the secrets that they need.
func (r *resolver) indexes() {
	seen := map[string]bool{}
	standard := false
	for _, s := range r.python.indexes {
		checkIndex(r.Report, s, seen)
		if s.standard && standard {
			r.Specf(s.at, "two indexes are marked default: true").Hint("one index replaces the default index")
		}
		standard = standard || s.standard
		r.recipe.Requires.Indexes = append(r.recipe.Requires.Indexes, recipe.Index{
			Name: s.name.Value, URL: s.url.Value, Packages: normalizedNames(s.packages), Default: s.standard, Secret: s.secret.Value,
		})
	}
	r.foundIndexes()
	r.poetryIndexes()
	r.uvTorch()
	req := &r.recipe.Requires
	req.Strategy = resolveStrategy(r.Report, r.python.strategy)
	req.Cooldown, req.Fresh = resolveCooldown(r.Report, r.python.cooldown, r.python.fresh)
}

// checkIndex checks one index; seen are the names of those before it, and gets its own.
func checkIndex(report *yamldoc.Report, s indexSpec, seen map[string]bool) {
	if !s.name.Set || !s.url.Set {
		report.Specf(s.at, "an index needs a name and a url")
		return
	}
	if !indexName.MatchString(s.name.Value) {
		report.Specf(s.name.At, "%q cannot name an index", s.name.Value).Hint("use lower-case letters, digits and dashes")
	}
	if seen[s.name.Value] {
		report.Specf(s.name.At, "two indexes are named %q", s.name.Value)
	}
	seen[s.name.Value] = true
	checkURL(report, s.url, "the index "+s.name.Value)
	if s.secret.Set && !secretID.MatchString(s.secret.Value) {
		report.Specf(s.secret.At, "%q is not the id of a secret", s.secret.Value)
	}
}
