package profiles

import (
	"maps"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// Names that a secret usually has, and words that take the suspicion away, as BuildKit's Dockerfile rule
// SecretsUsedInArgOrEnv has them (frontend/dockerfile/dockerfile2llb/validations.go).
var (
	secretName = lazyregexp.New(`(?i)(?:_|^)(apikey|auth|credential|credentials|key|password|pword|passwd|secret|token)(?:_|$)`)
	publicName = lazyregexp.New(`(?i)(?:_|^)(public|file|version)(?:_|$)`)
)

// secretLike reports whether a name is one that a secret usually has. Dots and dashes separate words too.
func secretLike(name string) bool {
	name = strings.NewReplacer(".", "_", "-", "_").Replace(name)
	return secretName.MatchString(name) && !publicName.MatchString(name)
}

// leaks looks for secrets where they would be published: environment, labels, annotations, commands, build
// arguments.
func leaks(report *yamldoc.Report, s *spec, args []yamldoc.Pair) {
	public := yamldoc.Values(s.public)
	a := s.app
	for _, group := range []struct {
		what  string
		pairs []yamldoc.Pair
	}{{"environment variable", a.env}, {"label", a.labels}, {"annotation", a.annotations}, {"build argument", args}} {
		for _, p := range group.pairs {
			leakOf(report, group.what, p, public)
		}
	}
	stepLeaks(report, s)
	smokeLeaks(report, s.smoke)
	leaksOfCommand(report, a.entrypoint)
	leaksOfCommand(report, a.command)
	leaksOfStages(report, s, public)
}

func leaksOfCommand(report *yamldoc.Report, words []yamldoc.String) {
	for _, word := range words {
		if shape := yamldoc.ShapeOf(word.Value); shape != "" {
			report.Leakf(word.At, "the command holds %s, which everyone who has the image can read", shape)
		}
	}
}

// leaksOfStages looks into what the testing and the dev stage add. Tests have keys that open nothing, so there a name alone is no sign.
func leaksOfStages(report *yamldoc.Report, s *spec, public []string) {
	if d := s.dev; d != nil {
		for _, p := range d.env {
			leakOf(report, "environment variable", p, public)
		}
		leaksOfCommand(report, d.command)
	}
	if t := s.testing; t != nil {
		for _, p := range t.env {
			if yamldoc.ShapeOf(p.Value.Value) != "" {
				leakOf(report, "environment variable", p, public)
			}
		}
		for _, words := range t.command {
			leaksOfCommand(report, words)
		}
	}
}

// stepLeaks looks for secrets in what the project's own steps run: the daemon's records keep it.
func stepLeaks(report *yamldoc.Report, s *spec) {
	var scripts []scriptSpec
	for _, b := range s.build {
		scripts = append(scripts, b.scriptSpec)
	}
	for _, b := range s.bake {
		scripts = append(scripts, b.scriptSpec)
	}
	for _, h := range s.run {
		scripts = append(scripts, h.scriptSpec)
	}
	for _, script := range scripts {
		texts := slices.Clone(script.commands)
		for _, p := range script.env {
			texts = append(texts, p.Value)
		}
		for _, t := range texts {
			if shape := yamldoc.ShapeOf(t.Value); shape != "" {
				report.Leakf(t.At, "a step holds %s, which the daemon's records keep", shape).Hint("name it under secrets: of the step, and give it with --secret")
			}
		}
	}
}

func leakOf(report *yamldoc.Report, what string, p yamldoc.Pair, public []string) {
	if shape := yamldoc.ShapeOf(p.Value.Value); shape != "" {
		report.Leakf(p.Value.At, "the %s %s holds %s, which everyone who has the image can read", what, p.Name.Value, shape).
			Hint("pass it when the container starts; revoke it if it was ever published")
		return
	}
	if p.Value.Value == "" || !secretLike(p.Name.Value) || slices.Contains(public, p.Name.Value) {
		return
	}
	report.Leakf(p.Name.At, "the %s %s has the name of a secret, and everyone who has the image can read its value", what, p.Name.Value).
		Hint("pass it when the container starts; if it is no secret, write public: [%s] at the top level", p.Name.Value)
}

// CheckSecretValues looks for the values of the build's secrets (by id) in everything of the recipe that is
// published. A value shorter than 6 bytes is not looked for. The error is E-SECRET-LEAK and names places, never values.
func CheckSecretValues(r *recipe.Recipe, secrets map[string][]byte) error {
	var faults fault.List
	for _, id := range slices.Sorted(maps.Keys(secrets)) {
		value := strings.TrimSpace(string(secrets[id]))
		if len(value) < 6 {
			continue
		}
		for _, place := range published(r) {
			if strings.Contains(place.Value, value) {
				faults = append(faults, fault.New(fault.SecretLeak, "the value of the secret %q stands in the %s", id, place.Name).
					Hint("remove it there; what needs it at run time gets it when the container starts"))
			}
		}
	}
	return faults.Err()
}

// published returns every text of a recipe that the image shows, under the name of its place.
func published(r *recipe.Recipe) []recipe.Pair {
	var places []recipe.Pair
	for _, group := range []struct {
		what  string
		pairs []recipe.Pair
	}{{"environment variable ", r.App.Env}, {"label ", r.App.Labels}, {"annotation ", r.App.Annotations}} {
		for _, p := range group.pairs {
			places = append(places, recipe.Pair{Name: group.what + p.Name, Value: p.Value})
		}
	}
	for _, p := range stageEnv(r) {
		places = append(places, recipe.Pair{Name: "environment variable " + p.Name, Value: p.Value})
	}
	for _, index := range r.Requires.Indexes {
		places = append(places, recipe.Pair{Name: "URL of the index " + index.Name, Value: index.URL})
	}
	for _, s := range r.Steps() {
		places = append(places, recipe.Pair{Name: "commands of the " + s.Name, Value: strings.Join(s.Commands, "\n")})
		for _, p := range s.Env {
			places = append(places, recipe.Pair{Name: "variable " + p.Name + " of the " + s.Name, Value: p.Value})
		}
	}
	return append(append(places, smokeTexts(r.Smoke)...),
		recipe.Pair{Name: "entrypoint", Value: strings.Join(r.App.Entrypoint, " ")},
		recipe.Pair{Name: "command", Value: strings.Join(r.App.Command, " ")},
		recipe.Pair{Name: "base", Value: r.Base.Ref})
}

// stageEnv returns the variables of the testing and the dev stage, which their images show.
func stageEnv(r *recipe.Recipe) []recipe.Pair {
	var all []recipe.Pair
	if r.Testing != nil {
		all = append(all, r.Testing.Env...)
	}
	if r.Dev != nil {
		all = append(all, r.Dev.Env...)
	}
	return all
}

// resolveSecrets joins the declared secrets with those that indexes, models and steps use. If any are declared, all must be, and each must be used.
func (p *Project) resolveSecrets(report *yamldoc.Report, s *spec) []string {
	declared := yamldoc.Values(s.secrets)
	for _, s := range s.secrets {
		if !yamldoc.SecretID.MatchString(s.Value) {
			report.Specf(s.At, "%q is not the id of a secret", s.Value)
		}
	}
	used, undeclared := []string{}, false
	for _, id := range s.usedSecrets() {
		used = append(used, id.Value)
		if len(declared) > 0 && !slices.Contains(declared, id.Value) {
			f := fault.New(fault.Secret, "the secret %q is used here and not declared under secrets", id.Value).In(id.At)
			yamldoc.DidYouMean(f, id.Value, declared)
			report.Add(f)
			undeclared = true
		}
	}
	if !undeclared { // else one typing error would be two faults
		p.unusedSecrets(report, s.secrets, used)
	}
	return recipe.SortedUnique(append(used, declared...))
}

// unusedSecrets refuses a declared secret that no profile uses: most likely the step that needs it does not get it. used are the ids of this profile.
func (p *Project) unusedSecrets(report *yamldoc.Report, declared []yamldoc.String, used []string) {
	for _, name := range p.names() {
		d := &yamldoc.Decoder{Report: report.Fork(), Args: p.args} // what is wrong in another profile is told when it is built
		for _, id := range decodeSpec(d, p.merged(name).Without("extends", "description")).usedSecrets() {
			used = append(used, id.Value)
		}
	}
	for _, s := range declared {
		if !slices.Contains(used, s.Value) {
			report.Add(fault.New(fault.Secret, "the secret %q is declared and nothing uses it", s.Value).In(s.At).
				Hint("name it where it is needed, as in secrets: of a step or secret: of an index, or remove it here"))
		}
	}
}

// usedSecrets lists the ids that indexes, models and steps name, with their places.
func (s *spec) usedSecrets() []yamldoc.String {
	return slices.Concat(s.modelSecrets(), s.stepSecrets(), s.python.Secrets())
}
