package profiles

import (
	"maps"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Names that a secret usually has, and words that take the suspicion away, as BuildKit's Dockerfile rule
// SecretsUsedInArgOrEnv has them (frontend/dockerfile/dockerfile2llb/validations.go).
var (
	secretName  = lazyregexp.New(`(?i)(?:_|^)(apikey|auth|credential|credentials|key|password|pword|passwd|secret|token)(?:_|$)`)
	publicName  = lazyregexp.New(`(?i)(?:_|^)(public|file|version)(?:_|$)`)
	urlWithUser = lazyregexp.New(`([A-Za-z][A-Za-z0-9+.-]*)://([^/\s@"'?#]+)@`)
)

// secretShapes are values that are secrets whatever their name is.
var secretShapes = []struct {
	what    string
	pattern *lazyregexp.Regexp
}{
	{"an AWS access key", lazyregexp.New(`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`)},
	{"a GitHub token", lazyregexp.New(`\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})`)},
	{"a Hugging Face token", lazyregexp.New(`\bhf_[A-Za-z0-9]{30,}`)},
	{"a GitLab token", lazyregexp.New(`\bglpat-[A-Za-z0-9_-]{20,}`)},
	{"a JSON web token", lazyregexp.New(`\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+`)},
	{"a private key", lazyregexp.New(`-----BEGIN [A-Z ]*PRIVATE KEY-----`)},
	{"a URL with credentials", lazyregexp.New(`[A-Za-z][A-Za-z0-9+.-]*://[^/\s:@"']*:[^/\s@"']+@`)},
}

// leak adds an E-SECRET-LEAK. The message must not hold the value.
func (r *report) leak(at fault.Position, format string, args ...any) *fault.Fault {
	f := fault.New(fault.SecretLeak, format, args...).In(at)
	r.add(f)
	return f
}

// hasUserInfo tells whether a text holds a URL with a user or password. The user of an ssh URL is no secret.
func hasUserInfo(s string) bool {
	for _, m := range urlWithUser.FindAllStringSubmatch(s, -1) {
		if !strings.HasSuffix(strings.ToLower(m[1]), "ssh") || strings.Contains(m[2], ":") {
			return true
		}
	}
	return false
}

// shapeOf names the kind of secret that a text holds, "" if none is seen.
func shapeOf(s string) string {
	for _, shape := range secretShapes {
		if shape.pattern.MatchString(s) {
			return shape.what
		}
	}
	if hasUserInfo(s) {
		return "a URL with credentials"
	}
	return ""
}

// secretLike tells whether a name is one that a secret usually has. Dots and dashes separate words too.
func secretLike(name string) bool {
	name = strings.NewReplacer(".", "_", "-", "_").Replace(name)
	return secretName.MatchString(name) && !publicName.MatchString(name)
}

// leaks looks for secrets where they would be published: environment, labels, annotations, commands, build
// arguments.
func (r *resolver) leaks() {
	public := values(r.spec.public)
	a := r.spec.app
	for _, group := range []struct {
		what  string
		pairs []named
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

func (r *resolver) leaksOfCommand(words []str) {
	for _, word := range words {
		if shape := shapeOf(word.value); shape != "" {
			r.leak(word.at, "the command holds %s, which everyone who has the image can read", shape)
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
			if shapeOf(p.value.value) != "" {
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
			texts = append(texts, p.value)
		}
		for _, t := range texts {
			if shape := shapeOf(t.value); shape != "" {
				r.leak(t.at, "a step holds %s, which the daemon's records keep", shape).Hint("Name it under secrets: of the step, and give it with --secret.")
			}
		}
	}
}

// argPairs gives the declared build arguments with their values.
func (r *resolver) argPairs() []named {
	var pairs []named
	declared := r.project.root.get("args")
	for _, name := range slices.Sorted(maps.Keys(r.project.args)) {
		at := declared.keyAt(name)
		value := r.project.args[name]
		if given, ok := r.sel.Args[name]; ok {
			value, at = given, fault.Position{File: "--build-arg"}
		}
		pairs = append(pairs, named{str{name, at, true}, str{value, at, true}})
	}
	return pairs
}

func (r *resolver) leakOf(what string, p named, public []string) {
	if shape := shapeOf(p.value.value); shape != "" {
		r.leak(p.value.at, "the %s %s holds %s, which everyone who has the image can read", what, p.name.value, shape).
			Hint("Pass it when the container starts; revoke it if it was ever published.")
		return
	}
	if p.value.value == "" || !secretLike(p.name.value) || slices.Contains(public, p.name.value) {
		return
	}
	r.leak(p.name.at, "the %s %s has the name of a secret, and everyone who has the image can read its value", what, p.name.value).
		Hint("Pass it when the container starts. If it is no secret, write public: [%s] at the top level.", p.name.value)
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
