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

// leakAt adds an E-SECRET-LEAK. The message must not hold the value.
func leakAt(r *yamldoc.Report, at fault.Position, format string, args ...any) *fault.Fault {
	f := fault.New(fault.SecretLeak, format, args...).In(at)
	r.Add(f)
	return f
}

// secretLike tells whether a name is one that a secret usually has. Dots and dashes separate words too.
func secretLike(name string) bool {
	name = strings.NewReplacer(".", "_", "-", "_").Replace(name)
	return secretName.MatchString(name) && !publicName.MatchString(name)
}

// leaks looks for secrets where they would be published: environment, labels, annotations, commands, build
// arguments.
func (r *resolver) leaks() {
	public := yamldoc.Values(r.spec.public)
	a := r.spec.app
	for _, group := range []struct {
		what  string
		pairs []yamldoc.Pair
	}{{"environment variable", a.env}, {"label", a.labels}, {"annotation", a.annotations}, {"build argument", r.argPairs()}} {
		for _, p := range group.pairs {
			r.leakOf(group.what, p, public)
		}
	}
	r.stepLeaks()
	r.leaksOfCommand(a.entrypoint)
	r.leaksOfCommand(a.command)
	r.leaksOfStages(public)
}

func (r *resolver) leaksOfCommand(words []yamldoc.String) {
	for _, word := range words {
		if shape := yamldoc.ShapeOf(word.Value); shape != "" {
			leakAt(r.Report, word.At, "the command holds %s, which everyone who has the image can read", shape)
		}
	}
}

// leaksOfStages looks into what the testing and the dev stage add. Tests have keys that open nothing, so there a name alone is no sign.
func (r *resolver) leaksOfStages(public []string) {
	if d := r.spec.dev; d != nil {
		for _, p := range d.env {
			r.leakOf("environment variable", p, public)
		}
		r.leaksOfCommand(d.command)
	}
	if t := r.spec.testing; t != nil {
		for _, p := range t.env {
			if yamldoc.ShapeOf(p.Value.Value) != "" {
				r.leakOf("environment variable", p, public)
			}
		}
		for _, words := range t.command {
			r.leaksOfCommand(words)
		}
	}
}

// stepLeaks looks for secrets in what the project's own steps run: the daemon's records keep it.
func (r *resolver) stepLeaks() {
	var scripts []scriptSpec
	for _, b := range r.spec.build {
		scripts = append(scripts, b.scriptSpec)
	}
	for _, b := range r.spec.bake {
		scripts = append(scripts, b.scriptSpec)
	}
	for _, h := range r.spec.run {
		scripts = append(scripts, h.scriptSpec)
	}
	for _, s := range scripts {
		texts := slices.Clone(s.commands)
		for _, p := range s.env {
			texts = append(texts, p.Value)
		}
		for _, t := range texts {
			if shape := yamldoc.ShapeOf(t.Value); shape != "" {
				leakAt(r.Report, t.At, "a step holds %s, which the daemon's records keep", shape).Hint("Name it under secrets: of the step, and give it with --secret.")
			}
		}
	}
}

// argPairs gives the declared build arguments with their values.
func (r *resolver) argPairs() []yamldoc.Pair {
	var pairs []yamldoc.Pair
	declared := r.project.root.Get("args")
	for _, name := range slices.Sorted(maps.Keys(r.project.args)) {
		at := declared.KeyAt(name)
		value := r.project.args[name]
		if given, ok := r.sel.Args[name]; ok {
			value, at = given, fault.Position{File: "--build-arg"}
		}
		pairs = append(pairs, yamldoc.Pair{Name: yamldoc.String{Value: name, At: at, Set: true}, Value: yamldoc.String{Value: value, At: at, Set: true}})
	}
	return pairs
}

func (r *resolver) leakOf(what string, p yamldoc.Pair, public []string) {
	if shape := yamldoc.ShapeOf(p.Value.Value); shape != "" {
		leakAt(r.Report, p.Value.At, "the %s %s holds %s, which everyone who has the image can read", what, p.Name.Value, shape).
			Hint("Pass it when the container starts; revoke it if it was ever published.")
		return
	}
	if p.Value.Value == "" || !secretLike(p.Name.Value) || slices.Contains(public, p.Name.Value) {
		return
	}
	leakAt(r.Report, p.Name.At, "the %s %s has the name of a secret, and everyone who has the image can read its value", what, p.Name.Value).
		Hint("Pass it when the container starts. If it is no secret, write public: [%s] at the top level.", p.Name.Value)
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
					Hint("Remove it there; what needs it at run time gets it when the container starts."))
			}
		}
	}
	return faults.Err()
}

// published gives every text of a recipe that the image shows, under the name of its place.
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
	return append(places,
		recipe.Pair{Name: "entrypoint", Value: strings.Join(r.App.Entrypoint, " ")},
		recipe.Pair{Name: "command", Value: strings.Join(r.App.Command, " ")},
		recipe.Pair{Name: "base", Value: r.Base.Ref})
}

// stageEnv gives the variables of the testing and the dev stage, which their images show.
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
