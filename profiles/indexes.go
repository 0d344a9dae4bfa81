package profiles

import (
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

var (
	indexName = lazyregexp.New(`^[a-z0-9]+([._-][a-z0-9]+)*$`)
	secretID  = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)
)

// indexes checks the package indexes, and the secrets that they need.
func (r *resolver) indexes() {
	seen := map[string]bool{}
	standard := false
	for _, s := range r.spec.python.indexes {
		r.checkIndex(s, seen)
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
	r.strategy()
	r.cooldown()
}

func (r *resolver) checkIndex(s indexSpec, seen map[string]bool) {
	if !s.name.Set || !s.url.Set {
		r.Specf(s.at, "an index needs a name and a url")
		return
	}
	if !indexName.MatchString(s.name.Value) {
		r.Specf(s.name.At, "%q cannot name an index", s.name.Value).Hint("use lower-case letters, digits and dashes")
	}
	if seen[s.name.Value] {
		r.Specf(s.name.At, "two indexes are named %q", s.name.Value)
	}
	seen[s.name.Value] = true
	checkURL(r.Report, s.url, "the index "+s.name.Value)
	if s.secret.Set && !secretID.MatchString(s.secret.Value) {
		r.Specf(s.secret.At, "%q is not the id of a secret", s.secret.Value)
	}
}
