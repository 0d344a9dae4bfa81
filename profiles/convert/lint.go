package convert

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/dockerfile"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// Finding is something in a Dockerfile that costs time, bytes or safety.
type Finding struct {
	Line    int
	Rule    string // a short name
	Message string // what it costs
}

// lint finds what is bad in the stages of an image.
func lint(q Question, s said, chain, helpers []int) []Finding {
	var all []Finding
	for _, i := range slices.Concat(helpers, chain) {
		inImage := slices.Contains(chain, i)
		stage := q.File.Stages[i]
		all = append(all, lintBase(stage, inImage)...)
		all = append(all, lintOrder(stage)...)
		for _, step := range stage.Steps {
			all = append(all, lintSecrets(step)...)
			all = append(all, lintRun(step, stage, inImage)...)
			all = append(all, lintFiles(step, inImage)...)
		}
	}
	all = append(all, lintImage(q, s, chain)...)
	slices.SortStableFunc(all, func(a, b Finding) int { return cmp.Compare(a.Line, b.Line) })
	return slices.CompactFunc(all, func(a, b Finding) bool { return a == b })
}

var (
	secretName  = lazyregexp.New(`(?i)(^|_)(token|passwd|password|secret|api_?key|access_?key|private_?key|credentials?)(_|$)`)
	secretNever = lazyregexp.New(`(?i)(max_|num_|_?tokenizer|tokens|token_(len|limit|count)|secret_(id|name|file|path)|_file$|_path$)`)
)

// isSecret reports whether a variable is named as secrets are, or its value looks like one.
func isSecret(name, value string) bool {
	return secretName.MatchString(name) && !secretNever.MatchString(name) || yamldoc.ShapeOf(value) != "" || yamldoc.HasUserInfo(value)
}

func lintSecrets(step dockerfile.Step) (all []Finding) {
	if step.Kind != dockerfile.Arg && step.Kind != dockerfile.Env {
		return nil
	}
	for _, p := range step.Pairs {
		if isSecret(p.Name, p.Value) {
			all = append(all, Finding{step.Line, "secret", strings.ToUpper(string(step.Kind)) + " " + p.Name + " keeps a secret in the image's history or environment, for everybody who has the image: --secret gives it to the one step that needs it"})
		}
	}
	return all
}

// lintBase looks at what a stage stands on.
func lintBase(stage dockerfile.Stage, inImage bool) (all []Finding) {
	if stage.Of >= 0 || stage.Base == "scratch" {
		return nil
	}
	add := func(rule, message string) { all = append(all, Finding{stage.Line, rule, message}) }
	tag, last := "", path.Base(stage.Base)
	if _, t, ok := strings.Cut(last, ":"); ok {
		tag = t
	}
	digest := strings.Contains(stage.Base, "@sha256:")
	switch {
	case !digest && (tag == "" || tag == "latest" || strings.HasPrefix(tag, "latest-")):
		add("unpinned", stage.Base+" is another image tomorrow: mlbuild lock pins the base by its digest")
	case !digest && inImage:
		add("unpinned", stage.Base+" is another image after its next release: mlbuild lock pins its digest")
	}
	if !inImage {
		return all
	}
	switch {
	case strings.Contains(tag, "devel"):
		add("devel-base", stage.Base+" brings compilers and headers of several GB into the image: compile in another stage; wheels of torch, TensorFlow and JAX bring their own CUDA")
	case strings.Contains(tag, "alpine"):
		add("alpine", "Alpine has musl: few wheels are made for it, and packages are compiled for hours")
	case (strings.HasPrefix(last, "python:") || last == "python") && !strings.Contains(tag, "slim"):
		add("full-base", stage.Base+" brings compilers and headers, about 900 MB more than its slim image")
	case strings.Contains(last, "jupyter") || strings.Contains(last, "conda"):
		add("full-base", stage.Base+" brings an environment to work in")
	}
	return all
}

// lintOrder finds code that is copied before the packages are installed: each edit installs all of them again.
func lintOrder(stage dockerfile.Stage) []Finding {
	copied := 0
	for _, step := range stage.Steps {
		if step.Kind == dockerfile.Copy && step.Files.From == "" && slices.ContainsFunc(step.Files.Sources, isCode) {
			copied = cmp.Or(copied, step.Line)
		}
		if copied == 0 || step.Kind != dockerfile.Run {
			continue
		}
		for _, c := range step.Commands {
			words := withoutLauncher(c.Words)
			if len(words) == 0 {
				continue
			}
			if kind, rest := installer(words); kind == "files" || kind == "pip" && installsMany(rest) {
				return []Finding{{copied, "order", "the code is copied before line " + number(c.Line) + " installs the packages: every edit of it installs, exports and pushes all of them again"}}
			}
		}
	}
	return nil
}

func isCode(src string) bool {
	src = path.Clean(src)
	return src == "." || src == "src" || src == "app" || strings.HasSuffix(src, "*.py")
}

// installsMany reports whether pip install is told a requirements file, or packages beside the project itself.
func installsMany(words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool {
		return strings.HasPrefix(w, "-r") || w == "--requirement" || requirementName.MatchString(w) && !slices.Contains(tooling, w)
	})
}

// lintRun looks at the commands of a RUN.
func lintRun(step dockerfile.Step, stage dockerfile.Stage, inImage bool) (all []Finding) {
	add := func(line int, rule, message string) { all = append(all, Finding{line, rule, message}) }
	cached := slices.ContainsFunc(step.Mounts, func(m dockerfile.Mount) bool { return m.Type == "cache" })
	cleaned := strings.Contains(step.Text, "/var/lib/apt/lists")
	for _, c := range step.Commands {
		words := withoutLauncher(c.Words)
		if piped.MatchString(c.Text) {
			add(c.Line, "unpinned", "a script of the network is run as it is today: nothing says which one it was")
		}
		if len(words) == 0 {
			continue
		}
		name := path.Base(words[0])
		switch {
		case (name == "apt-get" || name == "apt") && slices.Contains(words, "install"):
			if !cleaned && !cached && inImage {
				add(c.Line, "leftovers", "the lists and packages of apt stay in the layer, 20 MB and more")
			}
			if !slices.Contains(words, "--no-install-recommends") {
				add(c.Line, "leftovers", "recommended packages come along: --no-install-recommends")
			}
			if tools := compilers(words); inImage && tools != "" {
				add(c.Line, "compilers", tools+" in the image that runs: hundreds of MB, and tools for whoever breaks in")
			}
			if !updates(step) {
				add(c.Line, "apt-update", "the lists are of another RUN, and as old as the cache of that")
			}
		case slices.Contains([]string{"chown", "chmod"}, name) && slices.ContainsFunc(words, func(w string) bool { return w == "-R" || w == "--recursive" }) && inImage:
			add(c.Line, "twice", name+" -R copies all that it changes into a further layer: COPY --chown, --chmod")
		case name == "curl" || name == "wget":
			if !strings.Contains(step.Text, "sha256sum") && !piped.MatchString(c.Text) {
				add(c.Line, "unchecked", "nothing checks what is downloaded, and it is fetched again whenever a line above changes")
			}
		}
		all = append(all, lintInstall(stage, c, words, cached, inImage)...)
	}
	return all
}

var piped = lazyregexp.New(`(curl|wget)\b.*\|\s*(sudo )?(ba|z|da)?sh\b`)

// compilers are the words that name packages which compile.
func compilers(words []string) string {
	var found []string
	for _, w := range words {
		if toolchain.MatchString(w) {
			found = append(found, w)
		}
	}
	return strings.Join(found, ", ")
}

func updates(step dockerfile.Step) bool { return strings.Contains(step.Text, " update") }

// lintInstall looks at a command that installs Python packages.
func lintInstall(stage dockerfile.Stage, c dockerfile.Command, words []string, cached, inImage bool) (all []Finding) {
	kind, rest := installer(words)
	if kind == "" || kind == "none" || kind == "pip" && onlyTools(rest) {
		return nil
	}
	add := func(rule, message string) { all = append(all, Finding{c.Line, rule, message}) }
	if !cached {
		if isPip.MatchString(path.Base(words[0])) && inImage && !mentions(words, "--no-cache-dir") && !noPipCache(stage) {
			add("leftovers", "pip's cache stays in the layer: all packages twice")
		}
		add("no-cache", "one changed package downloads and installs all of them again: --mount=type=cache keeps the downloads; in mlbuild a package is a layer")
	}
	var loose []string
	if kind == "pip" && !mentions(rest, "--require-hashes") {
		for _, w := range packagesIn(rest) {
			if !strings.ContainsAny(w, "=<>@~") && !strings.HasPrefix(w, ".") && !slices.Contains(tooling, w) {
				loose = append(loose, w)
			}
		}
	}
	if len(loose) > 0 {
		add("unpinned", strings.Join(loose, ", ")+" without a version: another image each time; mlbuild lock pins every package by its hash")
	}
	return all
}

// onlyTools reports whether pip install is told nothing but what installs others.
func onlyTools(words []string) bool {
	names := packagesIn(words)
	return len(names) > 0 && !mentions(words, "-r") && !slices.ContainsFunc(names, func(n string) bool { return !slices.Contains(tooling, requirementName.FindString(n)) })
}

// packagesIn are the requirements among the words behind pip install.
func packagesIn(words []string) (names []string) {
	for i := 0; i < len(words); i++ {
		if flag, _, inline := strings.Cut(words[i], "="); strings.HasPrefix(flag, "-") {
			if !inline && (slices.Contains(valued, flag) || slices.Contains([]string{"-r", "-c", "-i", "-e", "--requirement", "--constraint", "--index-url", "--extra-index-url", "--index", "--default-index", "--find-links"}, flag)) {
				i++
			}
			continue
		}
		if requirementName.MatchString(words[i]) {
			names = append(names, words[i])
		}
	}
	return names
}

func noPipCache(stage dockerfile.Stage) bool {
	return slices.ContainsFunc(stage.Steps, func(s dockerfile.Step) bool {
		return s.Kind == dockerfile.Env && slices.ContainsFunc(s.Pairs, func(p dockerfile.Pair) bool {
			return p.Name == "PIP_NO_CACHE_DIR" && p.Value != "0" && p.Value != "off"
		})
	})
}

// lintFiles looks at ADD.
func lintFiles(step dockerfile.Step, inImage bool) []Finding {
	if step.Kind == dockerfile.Add && slices.ContainsFunc(step.Files.Sources, func(src string) bool { return strings.Contains(src, "://") }) && !strings.Contains(step.Text, "--checksum") {
		return []Finding{{step.Line, "unchecked", "nothing checks what is downloaded: ADD --checksum"}}
	}
	if step.Kind == dockerfile.Copy && inImage && slices.Contains(step.Files.Sources, ".env") {
		return []Finding{{step.Line, "secret", ".env is copied into the image, and everybody who has it can read it"}}
	}
	return nil
}

// lintImage looks at the image as a whole.
func lintImage(q Question, s said, chain []int) (all []Finding) {
	last := q.File.Stages[chain[len(chain)-1]]
	add := func(line int, rule, message string) { all = append(all, Finding{line, rule, message}) }
	if name, _, _ := strings.Cut(s.user, ":"); name == "" || name == "root" || name == "0" {
		add(cmp.Or(stepLine(last, dockerfile.User), last.Line), "root", "the image runs as root: whoever breaks into the service owns the container")
	}
	for _, i := range chain {
		for _, step := range q.File.Stages[i].Steps {
			if step.ByShell && step.Kind != dockerfile.Healthcheck {
				add(step.Line, "shell-form", strings.ToUpper(string(step.Kind))+" as a line for a shell: the shell is PID 1, and the service does not get the signal to stop")
			}
			if step.Kind == dockerfile.Copy && step.Files.From == "" && slices.ContainsFunc(step.Files.Sources, func(src string) bool { return path.Clean(src) == "." }) && !isFile(q.Project, ".dockerignore") {
				add(step.Line, "dockerignore", "everything is copied, and there is no .dockerignore: .git, data and secrets come along")
			}
		}
	}
	return append(all, secondTorch(q, s)...)
}

// secondTorch finds frameworks that come with the base and once more with the packages.
func secondTorch(q Question, s said) []Finding {
	has := slices.ContainsFunc(q.Survey.Requirements, func(r pypi.Requirement) bool { return r.Name == "torch" }) ||
		slices.ContainsFunc(s.python.packages, func(p string) bool { return requirementName.FindString(p) == "torch" })
	switch {
	case has && strings.HasPrefix(s.base.ref, "pytorch/pytorch"):
		return []Finding{{cmp.Or(s.python.line, s.base.line), "second-torch", "the base has a torch, and the packages bring another unless it is just that version: 3 GB twice. base: pytorch keeps the base's"}}
	case has && strings.HasPrefix(s.base.ref, "nvidia/cuda") && !strings.Contains(s.base.ref, "-base-"):
		return []Finding{{s.base.line, "second-cuda", "the wheels of torch bring CUDA and cuDNN, and the base has them too: 2 GB twice. python:…-slim is enough"}}
	}
	return nil
}

func stepLine(stage dockerfile.Stage, kind dockerfile.Kind) (line int) {
	for _, step := range stage.Steps {
		if step.Kind == kind {
			line = step.Line
		}
	}
	return line
}
