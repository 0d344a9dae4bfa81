package profiles

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// ownSteps decides the project's own steps.
func (r *resolver) ownSteps() {
	names := map[string]bool{}
	for i, s := range r.spec.build {
		b := recipe.BuildStep{Script: r.script(s.scriptSpec, "build")}
		b.Name = r.stepName(s.scriptSpec, "build", i, names)
		if s.image.set {
			b.Image = r.reference(s.image, "")
		}
		b.Source = r.stepSource(s.source)
		b.Outputs = r.outputs(s.outputs, recipe.SourceDir)
		r.recipe.Build = append(r.recipe.Build, b)
		for _, dir := range s.libraryPath {
			if p, ok := r.stepDestination(dir); ok {
				r.recipe.LibraryPath = append(r.recipe.LibraryPath, strings.TrimSuffix(p, "/"))
			}
		}
	}
	for i, s := range r.spec.bake {
		b := recipe.Bake{Script: r.script(s.scriptSpec, "bake"), Root: r.runsAsRoot(s.user, false)}
		b.Name = r.stepName(s.scriptSpec, "bake", i, names)
		if b.Inputs = r.recipe.App.Copy; s.inputsSet {
			b.Inputs = r.inputs(s.inputs)
		}
		if len(s.outputs) == 0 {
			r.specf(s.at, "the bake step %s has no outputs, and nothing else that it makes is kept", b.Name).Hint("For example outputs: [models].")
		}
		b.Outputs = r.outputs(s.outputs, r.recipe.App.Workdir)
		r.recipe.Bake = append(r.recipe.Bake, b)
	}
	for i, s := range r.spec.run {
		h := recipe.Hook{Script: r.script(s.scriptSpec, "run"), After: s.after.or("packages"), User: !r.runsAsRoot(s.user, true)}
		h.Name = r.stepName(s.scriptSpec, "run", i, names)
		if !slices.Contains(recipe.HookPoints, h.After) {
			f := fault.New(fault.Spec, "there is no point %q to run commands after", h.After).In(s.after.at)
			didYouMean(f, h.After, recipe.HookPoints)
			r.add(f)
		}
		r.recipe.Run = append(r.recipe.Run, h)
	}
	r.copyFrom()
	r.checkOutputs()
}

// stepName gives a step's own name, or one by its number.
func (r *resolver) stepName(s scriptSpec, kind string, i int, names map[string]bool) string {
	name := s.name.or(fmt.Sprintf("%s-%d", kind, i+1))
	if !projectName.MatchString(name) || len(name) > 63 {
		r.specf(s.name.at, "the name %q is not made of lower-case letters, digits and single dashes", name)
	}
	at := s.at
	if s.name.set {
		at = s.name.at
	}
	if names[name] {
		r.specf(at, "two steps are called %s", name)
	}
	names[name] = true
	return name
}

// runsAsRoot reads the key user of a step: root, or the image's user.
func (r *resolver) runsAsRoot(s str, fallback bool) bool {
	u := r.recipe.User
	switch s.value {
	case "root":
		return true
	case u.Name:
		return u.UID == 0
	case "":
		return fallback || u.UID == 0
	}
	r.specf(s.at, "a step runs as root or as the image's user %s, not as %q", u.Name, s.value)
	return fallback
}

// script checks what all steps have.
func (r *resolver) script(s scriptSpec, what string) recipe.Script {
	c := recipe.Script{
		Commands: values(s.commands), Env: r.pairs(s.env, "environment variable", envName), SSH: s.ssh, Network: s.network,
		Timeout: r.duration(s.timeout, what+".timeout"),
	}
	if len(c.Commands) == 0 {
		r.specf(s.at, "a step of %s has no commands", what)
	}
	for _, command := range s.commands {
		if strings.TrimSpace(command.value) == "" || strings.ContainsRune(command.value, 0) {
			r.specf(command.at, "a command of %s is empty or holds a zero byte", what)
		}
	}
	for _, dir := range s.caches {
		if why := badDirectory(dir.value); why != "" || path.Clean(dir.value) == "/" {
			r.specf(dir.at, "the cache %q %s", dir.value, orElse(why, "is the root of the image"))
		}
		c.Caches = append(c.Caches, path.Clean(dir.value))
	}
	c.Caches = recipe.SortedUnique(c.Caches)
	for _, secret := range s.secrets {
		c.Secrets = append(c.Secrets, r.stepSecret(secret))
	}
	slices.SortFunc(c.Secrets, func(a, b recipe.StepSecret) int { return strings.Compare(a.ID+a.Env+a.File, b.ID+b.Env+b.File) })
	return c
}

// stepSecret gives a secret to a step, as the file /run/secrets/<id> where nothing else is said.
func (r *resolver) stepSecret(s stepSecretSpec) recipe.StepSecret {
	secret := recipe.StepSecret{ID: s.id.value, Env: s.env.value, File: s.file.value}
	if !secretID.MatchString(secret.ID) {
		r.specf(s.id.at, "%q is not the id of a secret", secret.ID)
	}
	switch {
	case s.env.set && s.file.set:
		r.specf(s.at, "the secret %s is either a file or a variable of a step", secret.ID).Hint("Name it twice for both.")
	case s.env.set && !envName.MatchString(secret.Env):
		r.specf(s.env.at, "%q cannot name an environment variable", secret.Env)
	case s.file.set && (!path.IsAbs(secret.File) || hasDotDot(secret.File) || under(secret.File, kernelTrees) != "" || path.Clean(secret.File) == "/"):
		r.specf(s.file.at, "%q is not an absolute path for a file", secret.File)
	case !s.env.set && !s.file.set:
		secret.File = "/run/secrets/" + secret.ID
	}
	return secret
}

// duration reads "90", "90s" or "15m" as seconds.
func (r *resolver) duration(s str, what string) float64 {
	if !s.set {
		return 0
	}
	d, err := time.ParseDuration(s.value)
	if err != nil {
		d, err = time.ParseDuration(s.value + "s")
	}
	if err != nil || d <= 0 || d > 24*time.Hour {
		r.specf(s.at, "%s %q is not a time", what, s.value).Hint("For example 90s or 15m; 24h at most.")
		return 0
	}
	return d.Seconds()
}

var (
	gitCommit = lazyregexp.New(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	fileHash  = lazyregexp.New(`^[0-9a-f]{64}$`)
)

// stepSource decides where a build step's files come from.
func (r *resolver) stepSource(s *sourceSpec) *recipe.Source {
	if s == nil {
		return nil
	}
	src := &recipe.Source{Git: s.git.value, Commit: s.commit.value, URL: s.url.value, SHA256: s.sha256.value, Secret: s.secret.value, Subdir: s.subdir.value}
	given := 0
	for _, one := range []str{s.git, s.url, s.dir} {
		if one.set {
			given++
		}
	}
	if given != 1 {
		r.specf(s.at, "a source is one of a git repository, a url and a path of the project").
			Hint("For example source: {git: \"https://git.example.com/lib.git\", commit: …}, {url: …, sha256: …} or vendor/lib.")
		return nil
	}
	switch {
	case s.git.set:
		r.stepGit(s)
	case s.url.set:
		r.checkURL(s.url, "the source")
		if !fileHash.MatchString(src.SHA256) {
			r.specf(orAt(s.sha256, s.url), "the source at a URL needs its sha256, 64 hexadecimal digits").Hint("curl -fsSL %s | sha256sum", redact(s.url.value))
		}
	default:
		src.Files = r.sourceFiles(s.dir)
	}
	if src.Subdir != "" && (path.IsAbs(src.Subdir) || hasDotDot(path.Clean(src.Subdir))) {
		r.specf(s.subdir.at, "subdir %q is not a directory inside the source", src.Subdir)
	}
	return src
}

func orAt(s, fallback str) fault.Position {
	if s.set {
		return s.at
	}
	return fallback.at
}

func (r *resolver) stepGit(s *sourceSpec) {
	if strings.HasPrefix(s.git.value, "ssh://") || strings.Contains(s.git.value, "@") && !strings.Contains(s.git.value, "://") {
		r.specf(s.git.at, "a source over ssh has no host key that a build could hold it to").
			Hint("Write the https URL, with secret: for a private repository.").
			Hint("Or clone it in the commands, with ssh: true and network: true.")
		return
	}
	r.checkURL(s.git, "the source")
	if !gitCommit.MatchString(s.commit.value) {
		r.specf(orAt(s.commit, s.git), "the source needs the full commit, 40 hexadecimal digits: a branch or tag may move").
			Hint("git ls-remote %s", redact(s.git.value))
	}
}

// sourceFiles gives the rules that lay a path of the project down as the source: a directory's contents, or files under their names.
func (r *resolver) sourceFiles(s str) []recipe.CopyRule {
	to := recipe.SourceDir + "/"
	if info, err := fs.Stat(r.fsys, path.Clean(s.value)); err == nil && info.IsDir() {
		to = recipe.SourceDir
	}
	return r.inputs([]copySpec{{at: s.at, from: s, to: str{to, s.at, true}}})
}

// inputs resolves files of the project for a step, as app.copy does for the image.
func (r *resolver) inputs(rules []copySpec) []recipe.CopyRule {
	return r.copied(rules, r.readIgnores(rules))
}

// outputs reads what a step leaves behind. A path alone comes to the same place in the image.
func (r *resolver) outputs(list []outputSpec, dir string) []recipe.Output {
	var all []recipe.Output
	for _, s := range list {
		if s.from.set && !s.to.set {
			to := s.from.value
			if !path.IsAbs(to) {
				to = path.Join(dir, to)
			}
			if to = path.Clean(to); recipe.IsGlob(path.Base(to)) {
				to = path.Dir(to) + "/"
			}
			if recipe.IsGlob(to) || dir == recipe.SourceDir && under(to, []string{recipe.SourceDir}) != "" {
				r.specf(s.from.at, "the output %q needs a destination", s.from.value).Hint("Write {from: %q, to: …}.", s.from.value)
				continue
			}
			s.to = str{to, s.from.at, true}
		}
		if o, ok := r.output(s, dir); ok {
			all = append(all, o)
		}
	}
	return all
}

// checkOutputs refuses two outputs with one destination.
func (r *resolver) checkOutputs() {
	owner := map[string]string{}
	check := func(step string, at fault.Position, outputs []recipe.Output) {
		for _, o := range outputs {
			if recipe.IsGlob(o.From) {
				continue
			}
			if other, taken := owner[o.Target()]; taken {
				r.specf(at, "%s and %s both make %s", other, step, o.Target())
			}
			owner[o.Target()] = step
		}
	}
	for i, b := range r.recipe.Build {
		check("the build step "+b.Name, r.spec.build[i].at, b.Outputs)
	}
	for i, b := range r.recipe.Build {
		taken := slices.ContainsFunc(r.recipe.CopyFrom, func(c recipe.CopyFrom) bool { return c.Step == b.Name })
		if len(b.Outputs) == 0 && !taken && len(r.faults) == 0 {
			r.specf(r.spec.build[i].at, "nothing takes what the build step %s makes, so it would never run", b.Name).
				Hint("For example outputs: [{from: libfoo.so, to: /usr/local/lib/}].")
		}
	}
	for i, b := range r.recipe.Bake {
		check("the bake step "+b.Name, r.spec.bake[i].at, b.Outputs)
	}
}
