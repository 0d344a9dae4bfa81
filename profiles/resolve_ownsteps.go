package profiles

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// ownSteps decides the project's own steps.
func (r *resolver) ownSteps() {
	names := map[string]bool{}
	for i, s := range r.spec.build {
		b := recipe.BuildStep{Script: r.script(s.scriptSpec, "build")}
		b.Name = r.stepName(s.scriptSpec, "build", i, names)
		if s.image.Set {
			b.Image = readReference(r.Report, s.image, "")
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
			r.Specf(s.at, "the bake step %s has no outputs, and nothing else that it makes is kept", b.Name).Hint("For example outputs: [models].")
		}
		b.Outputs = r.outputs(s.outputs, r.recipe.App.Workdir)
		r.recipe.Bake = append(r.recipe.Bake, b)
	}
	for i, s := range r.spec.run {
		h := recipe.Hook{Script: r.script(s.scriptSpec, "run"), After: recipe.HookPoint(s.after.Or(string(recipe.AfterPackages))), User: !r.runsAsRoot(s.user, true)}
		h.Name = r.stepName(s.scriptSpec, "run", i, names)
		if !slices.Contains(recipe.HookPoints, h.After) {
			f := fault.New(fault.Spec, "there is no point %q to run commands after", h.After).In(s.after.At)
			yamldoc.DidYouMean(f, string(h.After), recipe.HookPoints)
			r.Add(f)
		}
		r.recipe.Run = append(r.recipe.Run, h)
	}
	r.copyFrom()
	r.checkOutputs()
}

// stepName gives a step's own name, or one by its number.
func (r *resolver) stepName(s scriptSpec, kind string, i int, names map[string]bool) string {
	name := s.name.Or(fmt.Sprintf("%s-%d", kind, i+1))
	if !projectName.MatchString(name) || len(name) > 63 {
		r.Specf(s.name.At, "the name %q is not made of lower-case letters, digits and single dashes", name)
	}
	at := s.at
	if s.name.Set {
		at = s.name.At
	}
	if names[name] {
		r.Specf(at, "two steps are called %s", name)
	}
	names[name] = true
	return name
}

// runsAsRoot reads the key user of a step: root, or the image's user.
func (r *resolver) runsAsRoot(s yamldoc.String, fallback bool) bool {
	u := r.recipe.User
	switch s.Value {
	case "root":
		return true
	case u.Name:
		return u.UID == 0
	case "":
		return fallback || u.UID == 0
	}
	r.Specf(s.At, "a step runs as root or as the image's user %s, not as %q", u.Name, s.Value)
	return fallback
}

// script checks what all steps have.
func (r *resolver) script(s scriptSpec, what string) recipe.Script {
	c := recipe.Script{
		Commands: yamldoc.Values(s.commands), Env: readPairs(r.Report, s.env, "environment variable", envName), SSH: s.ssh, Network: s.network,
		Timeout: readDuration(r.Report, s.timeout, what+".timeout"),
	}
	if len(c.Commands) == 0 {
		r.Specf(s.at, "a step of %s has no commands", what)
	}
	for _, command := range s.commands {
		if strings.TrimSpace(command.Value) == "" || strings.ContainsRune(command.Value, 0) {
			r.Specf(command.At, "a command of %s is empty or holds a zero byte", what)
		}
	}
	for _, dir := range s.caches {
		if why := badDirectory(dir.Value); why != "" || path.Clean(dir.Value) == "/" {
			r.Specf(dir.At, "the cache %q %s", dir.Value, orElse(why, "is the root of the image"))
		}
		c.Caches = append(c.Caches, path.Clean(dir.Value))
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
	secret := recipe.StepSecret{ID: s.id.Value, Env: s.env.Value, File: s.file.Value}
	if !secretID.MatchString(secret.ID) {
		r.Specf(s.id.At, "%q is not the id of a secret", secret.ID)
	}
	switch {
	case s.env.Set && s.file.Set:
		r.Specf(s.at, "the secret %s is either a file or a variable of a step", secret.ID).Hint("Name it twice for both.")
	case s.env.Set && !envName.MatchString(secret.Env):
		r.Specf(s.env.At, "%q cannot name an environment variable", secret.Env)
	case s.file.Set && (!path.IsAbs(secret.File) || hasDotDot(secret.File) || under(secret.File, kernelTrees) != "" || path.Clean(secret.File) == "/"):
		r.Specf(s.file.At, "%q is not an absolute path for a file", secret.File)
	case !s.env.Set && !s.file.Set:
		secret.File = "/run/secrets/" + secret.ID
	}
	return secret
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
	src := &recipe.Source{Git: s.git.Value, Commit: s.commit.Value, URL: s.url.Value, SHA256: s.sha256.Value, Secret: s.secret.Value, Subdir: s.subdir.Value}
	given := 0
	for _, one := range []yamldoc.String{s.git, s.url, s.dir} {
		if one.Set {
			given++
		}
	}
	if given != 1 {
		r.Specf(s.at, "a source is one of a git repository, a url and a path of the project").
			Hint("For example source: {git: \"https://git.example.com/lib.git\", commit: …}, {url: …, sha256: …} or vendor/lib.")
		return nil
	}
	switch {
	case s.git.Set:
		r.stepGit(s)
	case s.url.Set:
		checkURL(r.Report, s.url, "the source")
		if !fileHash.MatchString(src.SHA256) {
			r.Specf(orAt(s.sha256, s.url), "the source at a URL needs its sha256, 64 hexadecimal digits").Hint("curl -fsSL %s | sha256sum", yamldoc.Redact(s.url.Value))
		}
	default:
		src.Files = r.sourceFiles(s.dir)
	}
	if src.Subdir != "" && (path.IsAbs(src.Subdir) || hasDotDot(path.Clean(src.Subdir))) {
		r.Specf(s.subdir.At, "subdir %q is not a directory inside the source", src.Subdir)
	}
	return src
}

func orAt(s, fallback yamldoc.String) fault.Position {
	if s.Set {
		return s.At
	}
	return fallback.At
}

func (r *resolver) stepGit(s *sourceSpec) {
	if strings.HasPrefix(s.git.Value, "ssh://") || strings.Contains(s.git.Value, "@") && !strings.Contains(s.git.Value, "://") {
		r.Specf(s.git.At, "a source over ssh has no host key that a build could hold it to").
			Hint("Write the https URL, with secret: for a private repository.").
			Hint("Or clone it in the commands, with ssh: true and network: true.")
		return
	}
	checkURL(r.Report, s.git, "the source")
	if !gitCommit.MatchString(s.commit.Value) {
		r.Specf(orAt(s.commit, s.git), "the source needs the full commit, 40 hexadecimal digits: a branch or tag may move").
			Hint("git ls-remote %s", yamldoc.Redact(s.git.Value))
	}
}

// sourceFiles gives the rules that lay a path of the project down as the source: a directory's contents, or files under their names.
func (r *resolver) sourceFiles(s yamldoc.String) []recipe.CopyRule {
	to := recipe.SourceDir + "/"
	if info, err := fs.Stat(r.fsys, path.Clean(s.Value)); err == nil && info.IsDir() {
		to = recipe.SourceDir
	}
	return r.inputs([]copySpec{{at: s.At, from: s, to: yamldoc.String{Value: to, At: s.At, Set: true}}})
}

// inputs resolves files of the project for a step, as app.copy does for the image.
func (r *resolver) inputs(rules []copySpec) []recipe.CopyRule {
	return r.copied(rules, r.readIgnores(rules))
}

// outputs reads what a step leaves behind. A path alone comes to the same place in the image.
func (r *resolver) outputs(list []outputSpec, dir string) []recipe.Output {
	var all []recipe.Output
	for _, s := range list {
		if s.from.Set && !s.to.Set {
			to := s.from.Value
			if !path.IsAbs(to) {
				to = path.Join(dir, to)
			}
			if to = path.Clean(to); recipe.IsGlob(path.Base(to)) {
				to = path.Dir(to) + "/"
			}
			if recipe.IsGlob(to) || dir == recipe.SourceDir && under(to, []string{recipe.SourceDir}) != "" {
				r.Specf(s.from.At, "the output %q needs a destination", s.from.Value).Hint("Write {from: %q, to: …}.", s.from.Value)
				continue
			}
			s.to = yamldoc.String{Value: to, At: s.from.At, Set: true}
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
				r.Specf(at, "%s and %s both make %s", other, step, o.Target())
			}
			owner[o.Target()] = step
		}
	}
	for i, b := range r.recipe.Build {
		check("the build step "+b.Name, r.spec.build[i].at, b.Outputs)
	}
	for i, b := range r.recipe.Build {
		taken := slices.ContainsFunc(r.recipe.CopyFrom, func(c recipe.CopyFrom) bool { return c.Step == b.Name })
		if len(b.Outputs) == 0 && !taken && len(r.Faults) == 0 {
			r.Specf(r.spec.build[i].at, "nothing takes what the build step %s makes, so it would never run", b.Name).
				Hint("For example outputs: [{from: libfoo.so, to: /usr/local/lib/}].")
		}
	}
	for i, b := range r.recipe.Bake {
		check("the bake step "+b.Name, r.spec.bake[i].at, b.Outputs)
	}
}
