package profiles

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// ownSteps is what the project's own steps are decided into.
type ownSteps struct {
	build       []recipe.BuildStep
	libraryPath []string
	bake        []recipe.Bake
	run         []recipe.Hook
	copyFrom    []recipe.CopyFrom
}

// stepQuestion is what own steps are decided by, beside their keys.
type stepQuestion struct {
	files.Placement
	app    []recipe.CopyRule // the app's files
	public []string
}

// resolveSteps decides the project's own steps, and the files of other images, which may come from one of them.
func resolveSteps(t files.Tree, s *spec, q stepQuestion) ownSteps {
	var all ownSteps
	names := map[string]bool{}
	for _, b := range s.build {
		all.build = append(all.build, buildStep(t, b, names, q))
		for _, dir := range b.libraryPath {
			if p, ok := files.StepDestination(t.Report, dir, q.Placement); ok {
				all.libraryPath = append(all.libraryPath, strings.TrimSuffix(p, "/"))
			}
		}
	}
	for _, b := range s.bake {
		all.bake = append(all.bake, bakeStep(t, b, names, q))
	}
	for _, h := range s.run {
		all.run = append(all.run, hook(t.Report, h, names, q.User))
	}
	all.copyFrom = resolveCopyFrom(t.Report, s.copyFrom, all.build, q.Placement)
	checkOutputs(t.Report, s, all)
	return all
}

func buildStep(t files.Tree, s buildSpec, names map[string]bool, q stepQuestion) recipe.BuildStep {
	b := recipe.BuildStep{Script: script(t.Report, s.scriptSpec, "build"), Name: stepName(t.Report, s.scriptSpec, "build", names)}
	if s.image.Set {
		b.Image = readReference(t.Report, s.image, "")
	}
	b.Source = stepSource(t, s.source, q)
	b.Outputs = outputs(t.Report, s.outputs, recipe.SourceDir, q.Placement)
	return b
}

func bakeStep(t files.Tree, s bakeSpec, names map[string]bool, q stepQuestion) recipe.Bake {
	b := recipe.Bake{Script: script(t.Report, s.scriptSpec, "bake"), Root: runsAsRoot(t.Report, s.user, q.User, false)}
	b.Name = stepName(t.Report, s.scriptSpec, "bake", names)
	if b.Inputs = q.app; s.inputsSet {
		b.Inputs = stepFiles(t, s.inputs, q)
	}
	b.Needs = needs(t.Report, s)
	if len(s.outputs) == 0 {
		t.Specf(s.at, "the bake step %s has no outputs, and nothing else that it makes is kept", b.Name).Hint("for example outputs: [models]")
	}
	b.Outputs = outputs(t.Report, s.outputs, q.Workdir, q.Placement)
	return b
}

// needs reads the packages that a bake step sees; nil = all.
func needs(report *yamldoc.Report, s bakeSpec) []string {
	if !s.needsSet {
		return nil
	}
	names := []string{}
	for _, name := range s.needs {
		if !pypi.ValidName(name.Value) {
			report.Specf(name.At, "%q is not the name of a package", name.Value).Hint("write the name alone: what it requires comes along")
		}
		names = append(names, pypi.Normalize(name.Value))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func hook(report *yamldoc.Report, s hookSpec, names map[string]bool, user recipe.User) recipe.Hook {
	h := recipe.Hook{
		Script: script(report, s.scriptSpec, "run"), After: recipe.HookPoint(s.after.Or(string(recipe.AfterPackages))), User: !runsAsRoot(report, s.user, user, true),
	}
	h.Name = stepName(report, s.scriptSpec, "run", names)
	if !slices.Contains(recipe.HookPoints, h.After) {
		f := fault.New(fault.Spec, "there is no point %q to run commands after", h.After).In(s.after.At)
		yamldoc.DidYouMean(f, string(h.After), recipe.HookPoints)
		report.Add(f)
	}
	return h
}

// stepName returns a step's own name, or one by its number.
func stepName(report *yamldoc.Report, s scriptSpec, kind string, names map[string]bool) string {
	name := s.name.Or(fmt.Sprintf("%s-%d", kind, s.number))
	if !projectName.MatchString(name) || len(name) > 63 {
		report.Specf(s.name.At, "the name %q is not made of lower-case letters, digits and single dashes", name)
	}
	at := s.at
	if s.name.Set {
		at = s.name.At
	}
	if names[name] {
		report.Specf(at, "two steps are called %s", name)
	}
	names[name] = true
	return name
}

// runsAsRoot reads the key user of a step: root, or the image's user.
func runsAsRoot(report *yamldoc.Report, s yamldoc.String, u recipe.User, fallback bool) bool {
	switch s.Value {
	case "root":
		return true
	case u.Name:
		return u.UID == 0
	case "":
		return fallback || u.UID == 0
	}
	report.Specf(s.At, "a step runs as root or as the image's user %s, not as %q", u.Name, s.Value)
	return fallback
}

// script checks what all steps have.
func script(report *yamldoc.Report, s scriptSpec, what string) recipe.Script {
	c := recipe.Script{
		Commands: yamldoc.Values(s.commands), Env: readVariables(report, s.env), SSH: s.ssh, Network: s.network,
		Timeout: readDuration(report, s.timeout, what+".timeout"),
	}
	if len(c.Commands) == 0 {
		report.Specf(s.at, "a step of %s has no commands", what)
	}
	for _, command := range s.commands {
		if strings.TrimSpace(command.Value) == "" || strings.ContainsRune(command.Value, 0) {
			report.Specf(command.At, "a command of %s is empty or holds a zero byte", what)
		}
	}
	for _, dir := range s.caches {
		if why := files.BadDirectory(dir.Value); why != "" || path.Clean(dir.Value) == "/" {
			report.Specf(dir.At, "the cache %q %s", dir.Value, cmp.Or(why, "is the root of the image"))
		}
		c.Caches = append(c.Caches, path.Clean(dir.Value))
	}
	c.Caches = recipe.SortedUnique(c.Caches)
	for _, secret := range s.secrets {
		c.Secrets = append(c.Secrets, stepSecret(report, secret))
	}
	slices.SortFunc(c.Secrets, func(a, b recipe.StepSecret) int { return strings.Compare(a.ID+a.Env+a.File, b.ID+b.Env+b.File) })
	return c
}

// stepSecret decides how a step gets a secret: as the file /run/secrets/<id> where nothing else is said.
func stepSecret(report *yamldoc.Report, s stepSecretSpec) recipe.StepSecret {
	secret := recipe.StepSecret{ID: s.id.Value, Env: s.env.Value, File: s.file.Value, Optional: !s.required}
	if !yamldoc.SecretID.MatchString(secret.ID) {
		report.Specf(s.id.At, "%q is not the id of a secret", secret.ID)
	}
	switch {
	case s.env.Set && s.file.Set:
		report.Specf(s.at, "the secret %s is either a file or a variable of a step", secret.ID).Hint("name it twice for both")
	case s.env.Set && !envName.MatchString(secret.Env):
		report.Specf(s.env.At, "%q cannot name an environment variable", secret.Env)
	case s.file.Set && (!path.IsAbs(secret.File) || files.HasDotDot(secret.File) || files.Under(secret.File, files.KernelTrees) != "" || path.Clean(secret.File) == "/"):
		report.Specf(s.file.At, "%q is not an absolute path for a file", secret.File)
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
func stepSource(t files.Tree, s *sourceSpec, q stepQuestion) *recipe.Source {
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
		t.Specf(s.at, "a source is one of a git repository, a url and a path of the project").
			Hint("for example source: {git: \"https://git.example.com/lib.git\", commit: …}, {url: …, sha256: …} or vendor/lib")
		return nil
	}
	switch {
	case s.git.Set:
		stepGit(t.Report, s)
	case s.url.Set:
		t.Report.CheckURL(s.url, "the source")
		if !fileHash.MatchString(src.SHA256) {
			t.Specf(orAt(s.sha256, s.url), "the source at a URL needs its sha256, 64 hexadecimal digits").Hint("curl -fsSL %s | sha256sum", yamldoc.Redact(s.url.Value))
		}
	default:
		src.Files = sourceFiles(t, s.dir, q)
	}
	if src.Subdir != "" && (path.IsAbs(src.Subdir) || files.HasDotDot(path.Clean(src.Subdir))) {
		t.Specf(s.subdir.At, "subdir %q is not a directory inside the source", src.Subdir)
	}
	return src
}

func orAt(s, fallback yamldoc.String) fault.Position {
	if s.Set {
		return s.At
	}
	return fallback.At
}

// stepGit checks the repository and the commit of a source.
func stepGit(report *yamldoc.Report, s *sourceSpec) {
	if strings.HasPrefix(s.git.Value, "ssh://") || strings.Contains(s.git.Value, "@") && !strings.Contains(s.git.Value, "://") {
		report.Specf(s.git.At, "a source over ssh has no host key that a build could hold it to").
			Hint("write the https URL, with secret: for a private repository").
			Hint("or clone it in the commands, with ssh: true and network: true")
		return
	}
	report.CheckURL(s.git, "the source")
	if !gitCommit.MatchString(s.commit.Value) {
		report.Specf(orAt(s.commit, s.git), "the source needs the full commit, 40 hexadecimal digits: a branch or tag may move").
			Hint("git ls-remote %s", yamldoc.Redact(s.git.Value))
	}
}

// sourceFiles returns the rules that lay a path of the project down as the source: a directory's contents, or files under their names.
func sourceFiles(t files.Tree, s yamldoc.String, q stepQuestion) []recipe.CopyRule {
	to := recipe.SourceDir + "/"
	if info, err := fs.Stat(t.FS, path.Clean(s.Value)); err == nil && info.IsDir() {
		to = recipe.SourceDir
	}
	return stepFiles(t, []files.CopySpec{{At: s.At, From: s, To: yamldoc.String{Value: to, At: s.At, Set: true}}}, q)
}

// stepFiles resolves files of the project for a step, as app.copy does for the image.
func stepFiles(t files.Tree, rules []files.CopySpec, q stepQuestion) []recipe.CopyRule {
	return files.Copied(t, q.Placement, rules, files.ReadIgnores(t, rules, q.public, "")).Rules
}

// outputs reads what a step leaves behind. A path alone comes to the same place in the image.
func outputs(report *yamldoc.Report, list []outputSpec, dir string, side files.Placement) []recipe.Output {
	var all []recipe.Output
	for _, s := range list {
		if s.from.Set && !s.to.Set {
			to := files.InImage(s.from.Value, side.Python)
			if !path.IsAbs(to) {
				to = path.Join(dir, to)
			}
			if to = path.Clean(to); recipe.IsGlob(path.Base(to)) {
				to = path.Dir(to) + "/"
			}
			if recipe.IsGlob(to) || dir == recipe.SourceDir && files.Under(to, []string{recipe.SourceDir}) != "" {
				report.Specf(s.from.At, "the output %q needs a destination", s.from.Value).Hint("write {from: %q, to: …}", s.from.Value)
				continue
			}
			s.to = yamldoc.String{Value: to, At: s.from.At, Set: true}
		}
		if o, ok := output(report, s, dir, side); ok {
			all = append(all, o)
		}
	}
	return all
}

// checkOutputs refuses two outputs with one destination.
func checkOutputs(report *yamldoc.Report, s *spec, all ownSteps) {
	owner := map[string]string{}
	check := func(step string, at fault.Position, outputs []recipe.Output) {
		for _, o := range outputs {
			if recipe.IsGlob(o.From) {
				continue
			}
			if other, taken := owner[o.Target()]; taken {
				report.Specf(at, "%s and %s both make %s", other, step, o.Target())
			}
			owner[o.Target()] = step
		}
	}
	for i, b := range all.build {
		check("the build step "+b.Name, s.build[i].at, b.Outputs)
	}
	for i, b := range all.build {
		taken := slices.ContainsFunc(all.copyFrom, func(c recipe.CopyFrom) bool { return c.Step == b.Name })
		if len(b.Outputs) == 0 && !taken && len(report.Faults) == 0 {
			report.Specf(s.build[i].at, "nothing takes what the build step %s makes, so it would never run", b.Name).
				Hint("for example outputs: [{from: libfoo.so, to: /usr/local/lib/}]")
		}
	}
	for i, b := range all.bake {
		check("the bake step "+b.Name, s.bake[i].at, b.Outputs)
	}
}
