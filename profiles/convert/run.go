package convert

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/dockerfile"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// account is a user that the Dockerfile makes.
type account struct {
	name, home string
	uid        int // -1 = not said
}

// quiet are commands that leave nothing in an image that mlbuild would not make without them.
var quiet = []string{
	"set", "cd", "true", ":", "echo", "export", "apt-key", "update-ca-certificates", "ldconfig", "chown", "which", "ls", "find", "virtualenv", "groupadd", "addgroup", "ln", "sync", "hash", "exec", "printf", "test", "[", "cat",
}

// readCommand takes one command of a RUN.
func readCommand(s said, at place, c dockerfile.Command) said {
	words := withoutLauncher(c.Words)
	if len(words) == 0 {
		if c.Words == nil && isPipDownload(c.Text) {
			return s
		}
		return leaveCommand(s, at, c)
	}
	name := path.Base(words[0])
	if next, ok := readPackages(s, at, c, words); ok {
		return next
	}
	switch {
	case isTest(words):
		return leave(s, c.Line, c.Text, ofTests)
	case name == "apt-get" || name == "apt":
		return readApt(s, at, c, words)
	case name == "useradd" || name == "adduser":
		if !at.helper {
			s.accounts = append(slices.Clone(s.accounts), readAccount(words))
		}
		return s
	case name == "mkdir" || name == "install" && slices.Contains(words, "-d"):
		return readDirs(s, at, words)
	case name == "hf" || name == "huggingface-cli":
		return readHub(s, at, c, words)
	case readsPruned(words) && prunes(words) != "":
		s.prune = appendNew(s.prune, prunes(words))
		return s
	case name == "rm" || name == "sed" && mentions(words, "requirements"), slices.Contains(quiet, name) && !readsPruned(words):
		return readQuiet(s, c, name)
	}
	return leaveCommand(s, at, c)
}

const ofTests = "tests are run by mlbuild test: testing: {command: […], copy: [tests]}"

const ofRequirements = "the requirements are taken as they are in the project: a profile takes the names for its accelerator by itself"

// readQuiet is for commands that leave nothing behind. A change of a requirements file is said.
func readQuiet(s said, c dockerfile.Command, name string) said {
	if name == "sed" {
		return leave(s, c.Line, c.Text, ofRequirements)
	}
	return s
}

// readsPruned reports whether a find is one that takes files out of packages.
func readsPruned(words []string) bool {
	return path.Base(words[0]) == "find" && (slices.Contains(words, "-delete") || slices.Contains(words, "-exec")) && !mentions(words, "/var/") && !mentions(words, "__pycache__") && !mentions(words, ".pyc")
}

// prunes is the rule of prune that takes the same files out as a find does, "" if there is none.
func prunes(words []string) string {
	rules := map[string]string{"tests": "tests", "test": "tests", "*.pyi": "pyi", "*.a": "static-libraries"}
	i := slices.Index(words, "-name")
	if i < 0 || i+1 >= len(words) || slices.Contains(words, "-o") {
		return ""
	}
	return rules[words[i+1]]
}

func mentions(words []string, text string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(w, text) })
}

// withoutLauncher takes sudo, env and the like away from the beginning of a command.
func withoutLauncher(words []string) []string {
	for len(words) > 0 && (slices.Contains([]string{"sudo", "env", "time", "command", "exec"}, words[0]) || isAssignment.MatchString(words[0])) {
		words = words[1:]
	}
	return words
}

var isAssignment = lazyregexp.New(`^[A-Za-z_][A-Za-z0-9_]*=`)

// isPipDownload reports whether a pipe fetches an installer of uv, Poetry or pip: mlbuild has its own.
func isPipDownload(text string) bool {
	return strings.Contains(text, "astral.sh/uv") || strings.Contains(text, "install.python-poetry.org") || strings.Contains(text, "get-pip.py")
}

// leaveCommand notes a command that is not known, with where it could go.
func leaveCommand(s said, at place, c dockerfile.Command) said {
	why := "commands on the image are steps of run, files that they make steps of build or bake"
	name := ""
	if len(c.Words) > 0 {
		name = path.Base(c.Words[0])
	}
	switch {
	case strings.HasPrefix(c.Text, "sed ") && strings.Contains(c.Text, "requirements"):
		why = ofRequirements
	case name == "find":
		why = "mlbuild leaves such files out before they are in a layer: prune: [tests, pyi]"
	case name == "curl" || name == "wget" || strings.HasPrefix(c.Text, "curl") || strings.HasPrefix(c.Text, "wget"):
		why = "a download is one of models, {url, sha256, to}, or the source of a step of build"
	case name == "git":
		why = "a repository is the source of a step of build, {git, commit}, or a requirement git+https://…@commit"
	case slices.Contains([]string{"make", "cmake", "ninja", "gcc", "g++", "cargo", "go", "npm", "yarn", "./configure", "configure"}, name):
		why = "what is compiled is a step of build, with its outputs"
	case slices.Contains([]string{"conda", "mamba", "micromamba"}, name):
		why = "conda's packages are not installed: name the packages of the index in python.packages"
	case slices.Contains([]string{"apk", "yum", "dnf", "microdnf", "pacman"}, name):
		why = "system packages are Debian's: name them in system.runtime"
	case at.helper && at.tools:
		why = "a step of build makes files for the image, with outputs"
	case strings.HasPrefix(name, "python"):
		why = "files that the project's code makes are a step of bake, with its outputs"
	}
	return leave(s, c.Line, c.Text, why)
}

// toolchain are the Debian packages that compile, and those with headers.
var toolchain = lazyregexp.New(`^(build-essential|gcc(-[0-9]+)?|g\+\+(-[0-9]+)?|clang(-[0-9]+)?|gfortran|make|cmake|ninja-build|pkg-config|autoconf|automake|libtool|patch|swig|cython3?|.*-dev|protobuf-compiler)$`)

// ofPython are Debian packages that the base's Python, or mlbuild itself, makes needless.
var ofPython = lazyregexp.New(`^(python3?(\.[0-9]+)?(-(minimal|pip|venv|dev|distutils|setuptools|wheel|full))?|python-is-python3|pip|pipx|apt-utils|apt-transport-https|software-properties-common|gnupg2?|dirmngr|lsb-release|\$\{.*\})$`)

// debianPython is a Python of the distribution by its version.
var debianPython = lazyregexp.New(`^python(3\.[0-9]+)$`)

// renamed are Debian packages that have another name in the releases that mlbuild's images stand on.
var renamed = map[string]string{"libgl1-mesa-glx": "libgl1", "libgl1-mesa-glx:amd64": "libgl1", "netcat": "netcat-openbsd"}

// readApt takes the packages of apt-get install.
func readApt(s said, at place, c dockerfile.Command, words []string) said {
	i := slices.Index(words, "install")
	if i < 0 {
		if slices.Contains(words, "upgrade") || slices.Contains(words, "dist-upgrade") {
			return leave(s, c.Line, c.Text, "a newer base has newer packages: mlbuild lock --upgrade base")
		}
		return s
	}
	for _, w := range words[i+1:] {
		if m := debianPython.FindStringSubmatch(w); m != nil && s.base.python == "" {
			s.base.python = m[1]
		}
		if strings.HasPrefix(w, "-") || ofPython.MatchString(w) || strings.Contains(w, "${") {
			continue
		}
		name, version, _ := strings.Cut(w, "=")
		if to := renamed[name]; to != "" {
			name = to
		}
		if version != "" && !strings.Contains(version, "*") {
			name += "=" + version
		}
		if at.helper || toolchain.MatchString(name) {
			s.build = appendNew(s.build, name)
		} else {
			s.runtime = appendNew(s.runtime, name)
		}
	}
	return s
}

// readAccount reads useradd and adduser.
func readAccount(words []string) account {
	a := account{uid: -1}
	for i := 1; i < len(words); i++ {
		flag, value, inline := strings.Cut(words[i], "=")
		if !inline && i+1 < len(words) {
			value = words[i+1]
		}
		switch {
		case slices.Contains([]string{"-u", "--uid", "-d", "--home-dir", "--home"}, flag):
			if n, err := strconv.Atoi(value); err == nil && strings.Contains(flag, "u") {
				a.uid = n
			} else if path.IsAbs(value) {
				a.home = value
			}
		case slices.Contains([]string{"-g", "--gid", "-G", "--groups", "-s", "--shell", "-c", "--comment", "--gecos", "--ingroup", "-k", "--skel", "-K"}, flag):
		default:
			if !strings.HasPrefix(words[i], "-") {
				a.name = words[i]
			}
			continue
		}
		if !inline {
			i++
		}
	}
	return a
}

// readDirs takes the directories that mkdir and install -d make in the image.
func readDirs(s said, at place, words []string) said {
	if at.helper {
		return s
	}
	for i := 1; i < len(words); i++ {
		if slices.Contains([]string{"-m", "--mode", "-o", "-g", "--owner", "--group"}, words[i]) {
			i++
			continue
		}
		if dir := words[i]; !strings.HasPrefix(dir, "-") && !strings.Contains(dir, "$") && !strings.ContainsAny(dir, "{*") {
			s.dirs = appendNew(s.dirs, inDir(at.workdir, dir))
		}
	}
	return s
}

// readHub takes a download of the Hugging Face hub as a model.
func readHub(s said, at place, c dockerfile.Command, words []string) said {
	if len(words) < 3 || words[1] != "download" {
		return s
	}
	repo, files, to, revision := "", []string(nil), "", ""
	for i := 2; i < len(words); i++ {
		flag, value, inline := strings.Cut(words[i], "=")
		if !inline && i+1 < len(words) {
			value = words[i+1]
		}
		switch {
		case !strings.HasPrefix(words[i], "-") && repo == "":
			repo = words[i]
			continue
		case !strings.HasPrefix(words[i], "-"):
			files = append(files, words[i])
			continue
		case flag == "--local-dir":
			to = value
		case flag == "--revision":
			revision = value
		case flag == "--include":
			files = append(files, value)
		case slices.Contains([]string{"--quiet", "--force-download", "--local-dir-use-symlinks"}, flag):
			continue
		}
		if !inline {
			i++
		}
	}
	if to == "" || strings.Contains(repo, "$") {
		return leave(s, c.Line, c.Text, "a model of a hub is one of models: {huggingface: "+repo+", to: …}, and the program is told its directory")
	}
	s.models = append(slices.Clone(s.models), modelLine(repo, files, inDir(at.workdir, to), defaultOf(s.args, revision)))
	return s
}

func appendNew(list []string, words ...string) []string {
	list = slices.Clone(list)
	for _, w := range words {
		if !slices.Contains(list, w) {
			list = append(list, w)
		}
	}
	return list
}

// defaultOf puts the defaults of build arguments into a text.
func defaultOf(args []dockerfile.Pair, text string) string {
	for _, a := range args {
		if a.Given {
			text = strings.ReplaceAll(text, "${"+a.Name+"}", a.Value)
		}
	}
	return text
}

func number(n int) string { return strconv.Itoa(n) }
