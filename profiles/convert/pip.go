package convert

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/dockerfile"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// python is what a Dockerfile installs for Python.
type python struct {
	files       []string // requirements files
	packages    []string
	constraints []string
	indexes     []string
	index       string // in place of the default one
	links       []string
	project     string // directory of a pyproject.toml
	install     bool
	extras      []string
	groups      []string
	cuda        string   // "12.6", by an index of PyTorch
	sources     []string // directories that are built without isolation
	line        int      // of the first
}

// tooling are packages that install others, and no part of an image of mlbuild.
var tooling = []string{"pip", "uv", "wheel", "poetry", "poetry-core", "pipenv", "virtualenv", "pip-tools", "pdm", "hatch", "build", "setuptools", "conda-pack", "poetry-plugin-export"}

// valued are the options of pip, uv and Poetry that take a value and change nothing here.
var valued = []string{
	"--python", "-p", "--target", "-t", "--prefix", "--root", "--trusted-host", "--timeout", "--retries", "--platform", "--torch-backend", "--cache-dir", "--src", "--progress-bar", "--config-settings", "-C", "--upgrade-strategy", "--index-strategy",
	"--no-binary", "--only-binary", "-w", "--wheel-dir", "-o", "--output", "--output-file", "-f", "--format", "--link-mode", "--python-version", "--abi", "--implementation", "--directory", "--global-option",
}

// readPackages takes a command that installs Python packages; ok is false where it is another one.
func readPackages(s said, at place, c dockerfile.Command, words []string) (next said, ok bool) {
	kind, rest := installer(words)
	switch kind {
	case "":
		return s, false
	case "none":
		return s, true
	}
	if at.tools || at.helper && at.tools {
		return s, true // of a stage whose packages the image has not
	}
	if s.python.line == 0 {
		s.python.line = c.Line
	}
	switch kind {
	case "pip":
		return readPip(s, at, c, rest), true
	case "files":
		for _, w := range rest {
			if !strings.HasPrefix(w, "-") && strings.Contains(path.Base(w), ".") {
				s = takeRequirements(s, at, c, w)
			}
		}
		return s, true
	case "pipenv":
		for _, name := range []string{"Pipfile.lock", "Pipfile"} {
			if isFile(at.project, name) {
				s.python.files, s.fed = appendNew(s.python.files, name), appendNew(s.fed, "Pipfile", "Pipfile.lock")
				return s, true
			}
		}
		return leave(s, c.Line, c.Text, "there is no Pipfile in the project: name the packages in python.packages"), true
	}
	return readProject(s, at, rest), true
}

// installer says how a command installs packages, and returns what it is told: "pip" a list, "files" requirements files, "project" a pyproject.toml, "pipenv"; "none" installs
// nothing for the image, "" is none.
func installer(words []string) (kind string, rest []string) {
	name := path.Base(words[0])
	if isPython.MatchString(name) && len(words) > 2 && words[1] == "-m" {
		words = words[2:]
		name = words[0]
	}
	sub := ""
	if len(words) > 1 {
		sub = words[1]
	}
	switch {
	case name == "venv" || name == "ensurepip":
		return "none", nil
	case isPip.MatchString(name) || name == "uv" && sub == "pip":
		if name == "uv" {
			words = words[1:]
		}
		switch word := first(words[1:]); {
		case word == "install" || word == "wheel":
			return "pip", after(words, word)
		case word == "sync":
			return "files", after(words, word)
		}
		return "none", nil
	case name == "uv" && sub == "sync":
		return "project", words[2:]
	case name == "poetry" && (sub == "install" || sub == "export" || sub == "sync"):
		return "project", words[2:]
	case name == "pipenv" && (sub == "install" || sub == "sync"):
		return "pipenv", nil
	case name == "uv" && sub != "run" || name == "poetry" && sub != "run" || name == "pipenv" && sub != "run":
		return "none", nil
	}
	return "", nil
}

var (
	isPython = lazyregexp.New(`^python[0-9.]*$`)
	isPip    = lazyregexp.New(`^pip[0-9.]*$`)
)

// first is the first word that is no option.
func first(words []string) string {
	for _, w := range words {
		if !strings.HasPrefix(w, "-") {
			return w
		}
	}
	return ""
}

func after(words []string, word string) []string { return words[slices.Index(words, word)+1:] }

// readPip takes the words behind pip install.
func readPip(s said, at place, c dockerfile.Command, words []string) said {
	p := s.python
	isolated := !slices.Contains(words, "--no-build-isolation")
	for i := 0; i < len(words); i++ {
		flag, value, inline := strings.Cut(words[i], "=")
		if !strings.HasPrefix(flag, "-") || strings.HasPrefix(words[i], "-r") && len(words[i]) > 2 && words[i][2] != 'e' {
			if strings.HasPrefix(words[i], "-r") {
				s.python = p
				s = takeRequirements(s, at, c, words[i][2:])
				p = s.python
				continue
			}
			s.python = p
			s = takePackage(s, at, c, words[i], isolated)
			p = s.python
			continue
		}
		takes := slices.Contains(valued, flag) || slices.Contains([]string{"-r", "--requirement", "-c", "--constraint", "-i", "--index-url", "--default-index", "--extra-index-url", "--index", "--find-links", "-e", "--editable"}, flag)
		if takes && !inline && i+1 < len(words) {
			i++
			value = words[i]
		}
		s.python = p
		s = takeOption(s, at, c, flag, value)
		p = s.python
	}
	s.python = p
	return s
}

// takeOption takes an option of pip install.
func takeOption(s said, at place, c dockerfile.Command, flag, value string) said {
	value = defaultOf(s.args, value)
	switch flag {
	case "-r", "--requirement":
		return takeRequirements(s, at, c, value)
	case "-c", "--constraint":
		if name, ok := projectFileOf(s, at, value); ok {
			s.python.constraints = appendNew(s.python.constraints, name)
			return s
		}
		return leave(s, c.Line, flag+" "+value, "the file is not in the project")
	case "-e", "--editable":
		return takePackage(s, at, c, value, true)
	case "-i", "--index-url", "--default-index", "--extra-index-url", "--index":
		return takeIndex(s, c, flag, value)
	case "--find-links":
		if strings.HasPrefix(value, "http") {
			s.python.links = appendNew(s.python.links, value)
		}
	}
	return s
}

var torchIndex = lazyregexp.New(`^https://download\.pytorch\.org/whl/(?:nightly/)?(cpu|cu([0-9]+)([0-9]))/?$`)

// takeIndex takes an index: those of PyTorch follow from the profile.
func takeIndex(s said, c dockerfile.Command, flag, url string) said {
	if m := torchIndex.FindStringSubmatch(url); m != nil {
		if m[2] != "" {
			s.python.cuda = m[2] + "." + m[3]
		}
		return s
	}
	if strings.Contains(url, "@") || strings.Contains(url, "$") {
		return leave(s, c.Line, flag+" …", "an index with an account: python.indexes with secret: id, and --secret id=… for the build")
	}
	if flag == "-i" || flag == "--index-url" || flag == "--default-index" {
		s.python.index = url
		return s
	}
	s.python.indexes = appendNew(s.python.indexes, url)
	return s
}

// takeRequirements takes a requirements file of the project.
func takeRequirements(s said, at place, c dockerfile.Command, file string) said {
	name, ok := projectFileOf(s, at, file)
	if !ok {
		return leave(s, c.Line, c.Text, "the requirements file "+file+" is not in the project: name the packages in python.packages")
	}
	s.python.files, s.fed = appendNew(s.python.files, name), appendNew(s.fed, name)
	return s
}

// projectFileOf is the file of the project that a path of a stage was copied or mounted from.
func projectFileOf(s said, at place, file string) (string, bool) {
	file = defaultOf(s.args, file)
	inStage := inDir(at.workdir, file)
	candidates := []string{at.sources[inStage]}
	for _, m := range at.step.Mounts {
		if m.Type == "bind" && m.From == "" && inDir(at.workdir, m.Target) == inStage {
			candidates = append(candidates, strings.TrimPrefix(path.Clean(m.Source), "/"))
		}
	}
	for dir := path.Dir(inStage); dir != "/"; dir = path.Dir(dir) { // below a directory that was copied
		if from, ok := at.sources[dir]; ok {
			candidates = append(candidates, path.Join(from, strings.TrimPrefix(inStage, dir+"/")))
		}
	}
	candidates = append(candidates, strings.TrimPrefix(path.Clean(file), "/"), path.Base(file), underPattern(at, path.Base(file)))
	if stem, ok := strings.CutSuffix(path.Base(file), ".lock"); ok { // of pip-compile or uv, which may not be checked in: mlbuild has a lock of its own
		candidates = append(candidates, stem+".txt", stem+".in")
	}
	for _, name := range candidates {
		if name != "" && isFile(at.project, name) {
			return name, true
		}
	}
	return "", false
}

// underPattern is the one source with a base name that a stage has of the project, wherever it lies.
func underPattern(at place, base string) string {
	for _, to := range slices.Sorted(keysOf(at.sources)) {
		if path.Base(at.sources[to]) == base {
			return at.sources[to]
		}
	}
	return ""
}

var requirementName = lazyregexp.New(`^([A-Za-z0-9][A-Za-z0-9._-]*)`)

// takePackage takes a word of pip install: a package, a directory, or the project itself.
func takePackage(s said, at place, c dockerfile.Command, word string, isolated bool) said {
	word = strings.Trim(defaultOf(s.args, word), `"'`)
	bare, extras, _ := strings.Cut(strings.TrimSuffix(word, "]"), "[")
	dir, isPath := strings.TrimSuffix(bare, "/"), strings.HasPrefix(bare, ".") || path.IsAbs(bare)
	switch {
	case strings.Contains(word, "$"):
		return leave(s, c.Line, c.Text, "only the build knows what "+word+" is: name the package in python.packages")
	case isPath && (inDir(at.workdir, dir) == at.workdir || at.sources[inDir(at.workdir, dir)] == "."):
		s.python.install = true
		if extras != "" {
			s.python.extras = appendNew(s.python.extras, strings.Split(extras, ",")...)
		}
		return s
	case isPath && strings.HasSuffix(dir, ".whl") && strings.Contains(dir, "*"):
		return s // the wheels of a stage before
	case isPath:
		return takeDirectory(s, at, c, dir, isolated)
	}
	m := requirementName.FindStringSubmatch(word)
	if m == nil || slices.Contains(tooling, strings.ToLower(m[1])) || word == "*" {
		return s
	}
	s.python.packages = appendNew(s.python.packages, word)
	return s
}

// takeDirectory takes a package whose code lies in the project.
func takeDirectory(s said, at place, c dockerfile.Command, dir string, isolated bool) said {
	from, ok := at.sources[inDir(at.workdir, dir)]
	if !ok {
		from = strings.TrimPrefix(dir, "./")
	}
	if _, err := fs.Stat(at.project, from); err != nil || !fs.ValidPath(from) {
		return leave(s, c.Line, c.Text, dir+" is not in the project")
	}
	s.python.packages, s.fed = appendNew(s.python.packages, "./"+from), appendNew(s.fed, from)
	if !isolated {
		s.python.sources = appendNew(s.python.sources, from)
	}
	return s
}

// readProject takes the words behind uv sync and poetry install: the dependencies of a pyproject.toml.
func readProject(s said, at place, words []string) said {
	p, member, install := s.python, "", at.survey.Builds
	if p.project == "" {
		p.project = "."
	}
	for i := 0; i < len(words); i++ {
		flag, value, inline := strings.Cut(words[i], "=")
		if !inline && i+1 < len(words) {
			value = words[i+1]
		}
		switch flag {
		case "--no-install-project", "--no-install-workspace", "--no-root":
			install = false
		case "--package":
			member = value
		case "--extra", "-E", "--extras":
			p.extras = appendNew(p.extras, strings.Fields(value)...)
		case "--group", "--with":
			p.groups = appendNew(p.groups, strings.Split(value, ",")...)
		}
	}
	if member != "" {
		p.project, install = memberDir(at, member), false
	}
	p.install = p.install || install
	s.python = p
	s.fed = appendNew(s.fed, "pyproject.toml", "uv.lock", "poetry.lock")
	return s
}

// memberDir is the directory of a package of a workspace, among what a step mounts or its stage copies; "." if none is seen.
func memberDir(at place, name string) string {
	var files []string
	for _, m := range at.step.Mounts {
		files = append(files, path.Clean(m.Source))
	}
	for _, to := range slices.Sorted(keysOf(at.sources)) {
		files = append(files, at.sources[to], path.Join(at.sources[to], "pyproject.toml"))
	}
	for _, file := range files {
		if path.Base(file) != "pyproject.toml" || path.Dir(file) == "." {
			continue
		}
		if data, err := fs.ReadFile(at.project, file); err == nil && strings.Contains(string(data), `name = "`+name+`"`) || path.Base(path.Dir(file)) == name {
			return path.Dir(file)
		}
	}
	return "."
}
