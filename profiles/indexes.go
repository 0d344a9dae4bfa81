package profiles

import (
	"slices"

	"github.com/mlbuild/mlbuild/profiles/fault"
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
	for _, s := range r.spec.python.indexes {
		r.checkIndex(s, seen)
		if s.standard && standard {
			r.Specf(s.at, "two indexes are marked default: true").Hint("One index replaces the default index.")
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
	r.secrets()
}

func (r *resolver) checkIndex(s indexSpec, seen map[string]bool) {
	if !s.name.Set || !s.url.Set {
		r.Specf(s.at, "an index needs a name and a url")
		return
	}
	if !indexName.MatchString(s.name.Value) {
		r.Specf(s.name.At, "%q cannot name an index", s.name.Value).Hint("Use lower-case letters, digits and dashes.")
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

// secrets joins the declared secrets with those that indexes, models and steps use. If any are declared, all must be, and each must be used.
func (r *resolver) secrets() {
	declared := yamldoc.Values(r.spec.secrets)
	for _, s := range r.spec.secrets {
		if !secretID.MatchString(s.Value) {
			r.Specf(s.At, "%q is not the id of a secret", s.Value)
		}
	}
	used, undeclared := []string{}, false
	for _, id := range r.spec.usedSecrets() {
		used = append(used, id.Value)
		if len(declared) > 0 && !slices.Contains(declared, id.Value) {
			f := fault.New(fault.Secret, "the secret %q is used here and not declared under secrets", id.Value).In(id.At)
			yamldoc.DidYouMean(f, id.Value, declared)
			r.Add(f)
			undeclared = true
		}
	}
	if !undeclared { // else one typing error would be two faults
		r.unusedSecrets(used)
	}
	r.recipe.Secrets = recipe.SortedUnique(append(used, declared...))
}

// unusedSecrets refuses a declared secret that no profile uses: most likely the step that needs it does not get it. used are the ids of this profile.
func (r *resolver) unusedSecrets(used []string) {
	for _, name := range r.project.names() {
		d := &yamldoc.Decoder{Report: r.Report.Fork(), Args: r.project.args} // what is wrong in another profile is told when it is built
		for _, id := range decodeSpec(d, r.project.merged(name).Without("extends", "description")).usedSecrets() {
			used = append(used, id.Value)
		}
	}
	for _, s := range r.spec.secrets {
		if !slices.Contains(used, s.Value) {
			r.Add(fault.New(fault.Secret, "the secret %q is declared and nothing uses it", s.Value).In(s.At).
				Hint("Name it where it is needed, as in secrets: of a step or secret: of an index, or remove it here."))
		}
	}
}

// usedSecrets lists the ids that indexes, models and steps name, with their places.
func (s *spec) usedSecrets() []yamldoc.String {
	ids := append(s.modelSecrets(), s.stepSecrets()...)
	for _, index := range s.python.indexes {
		if index.secret.Set {
			ids = append(ids, index.secret)
		}
	}
	return ids
}
