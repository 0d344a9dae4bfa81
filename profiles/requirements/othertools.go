package requirements

import (
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// Files of other tools that are read as requirements files, in the order in which they are looked for.
const (
	pipfileLock = "Pipfile.lock"
	pipfile     = "Pipfile"
	pipTools    = "requirements.in"
)

var condaFiles = []string{"environment.yml", "environment.yaml"}

// InputOf is the file of another tool that says what a project without requirements.txt and [project] asks for; "" = there is none.
func InputOf(t files.Tree, py *Pyproject) string {
	if t.Exists("requirements.txt") || py.HasProject() {
		return ""
	}
	for _, name := range slices.Concat([]string{pipfileLock, pipfile}, condaFiles, []string{pipTools}) {
		if data, ok := quietly(t, name); ok && len(data) > 0 {
			return name
		}
	}
	return ""
}

// quietly reads a file of which nothing is said where it cannot be read.
func quietly(t files.Tree, name string) ([]byte, bool) {
	if !t.Exists(name) {
		return nil, false
	}
	silent := files.Tree{Report: yamldoc.NewReport(), FS: t.FS}
	return silent.SmallFile(name, fault.Position{File: name}, "file")
}

// IsSetupAlone reports whether only the build of a project says what it requires: there is a setup.py, and nothing that is read.
func IsSetupAlone(t files.Tree, py *Pyproject) bool {
	return bySetup(t) && !py.HasProject() && !t.Exists("requirements.txt") && InputOf(t, py) == ""
}

// PythonOf is the version of Python that the file of another tool asks for, where that file is read; not set = it asks for none.
func PythonOf(t files.Tree, py *Pyproject) yamldoc.String {
	name := InputOf(t, py)
	data, ok := quietly(t, name)
	if !ok {
		return yamldoc.String{}
	}
	expression := pipenvPython
	if slices.Contains(condaFiles, name) {
		expression = condaPython
	}
	m := expression.FindStringSubmatchIndex(string(data))
	if m == nil {
		return yamldoc.String{}
	}
	line := 1 + strings.Count(string(data[:m[2]]), "\n")
	return yamldoc.String{Value: string(data[m[2]:m[3]]), At: fault.Position{File: name, Line: line, Column: 1}, Set: true}
}

var (
	pipenvPython = lazyregexp.New(`python_version"?\s*[:=]\s*"(3\.[0-9]+)"`)
	condaPython  = lazyregexp.New(`(?m)^\s*-\s*["']?(?:[a-z-]+::)?python\s*={1,2}\s*(3\.[0-9]+)`)
)

// asRequirements returns what a file of another tool says, as a requirements file whose requirements stand in the same lines; other files as they are. The name is that of the
// requirements file.
func (q *reader) asRequirements(name string, data []byte) (as, text string) {
	var lines []string
	switch base := path.Base(name); {
	case base == pipfileLock:
		lines = q.pipfileLock(name, data)
	case base == pipfile:
		lines = q.pipfile(name, data)
	case slices.Contains(condaFiles, base):
		lines = q.condaFile(name, data)
	default:
		return name, string(data)
	}
	return name + ".txt", strings.Join(lines, "\n") + "\n"
}

// pipenvPackage is an entry of a Pipfile or its lock.
type pipenvPackage struct {
	Version  string   `json:"version" toml:"version"`
	Hashes   []string `json:"hashes" toml:"hashes"`
	Markers  string   `json:"markers" toml:"markers"`
	Extras   []string `json:"extras" toml:"extras"`
	Git      string   `json:"git" toml:"git"`
	Ref      string   `json:"ref" toml:"ref"`
	Path     string   `json:"path" toml:"path"`
	File     string   `json:"file" toml:"file"`
	Platform string   `json:"sys_platform" toml:"sys_platform"`
	Subdir   string   `json:"subdirectory" toml:"subdirectory"`
}

type pipenvSource struct {
	Name string `json:"name" toml:"name"`
	URL  string `json:"url" toml:"url"`
}

// line is the package as a line of a requirements file.
func (p pipenvPackage) line(name string) string {
	var b strings.Builder
	b.WriteString(name)
	if len(p.Extras) > 0 {
		b.WriteString("[" + strings.Join(p.Extras, ",") + "]")
	}
	switch {
	case p.Git != "":
		b.WriteString(" @ git+" + strings.TrimPrefix(p.Git, "git+"))
		if p.Ref != "" {
			b.WriteString("@" + p.Ref)
		}
		if p.Subdir != "" {
			b.WriteString("#subdirectory=" + p.Subdir)
		}
	case p.File != "":
		b.WriteString(" @ " + p.File)
	case p.Path != "":
		return "./" + strings.TrimPrefix(path.Clean(p.Path), "./")
	case p.Version != "*":
		b.WriteString(p.Version)
	}
	markers := p.Markers
	if p.Platform != "" {
		markers = strings.TrimPrefix(markers+" and sys_platform "+p.Platform, " and ")
	}
	if markers != "" {
		b.WriteString(" ; " + markers)
	}
	for _, hash := range p.Hashes {
		b.WriteString(" --hash=" + hash)
	}
	return b.String()
}

// pipfileLock reads the packages of a Pipfile.lock, less those for development.
func (q *reader) pipfileLock(name string, data []byte) []string {
	var lock struct {
		Meta struct {
			Sources []pipenvSource `json:"sources"`
		} `json:"_meta"`
		Default map[string]pipenvPackage `json:"default"`
	}
	if err := json.Unmarshal(data, &lock); err != nil {
		q.Specf(fault.Position{File: name}, "the lock of pipenv cannot be read: %s", err).Hint("pipenv lock writes it anew")
		return nil
	}
	lines, from := blank(data)
	for i, line := range from {
		if strings.HasPrefix(strings.TrimSpace(line), `"default"`) {
			put(lines, from, i, lock.Default, `"`, `"`)
			break
		}
	}
	return withSources(lines, lock.Meta.Sources)
}

// pipfile reads the packages of a Pipfile, less those for development.
func (q *reader) pipfile(name string, data []byte) []string {
	var file struct {
		Source   []pipenvSource `toml:"source"`
		Packages map[string]any `toml:"packages"`
	}
	if err := toml.Unmarshal(data, &file); err != nil {
		badTOML(q.Report, name, err)
		return nil
	}
	packages := map[string]pipenvPackage{}
	for _, key := range recipe.SortedKeys(file.Packages) {
		p := pipenvPackage{}
		switch v := file.Packages[key].(type) {
		case string:
			p.Version = v
		case map[string]any:
			text, err := json.Marshal(v)
			if err == nil {
				err = json.Unmarshal(text, &p)
			}
			if err != nil {
				q.Specf(fault.Position{File: name}, "the package %s of [packages] cannot be read", key)
			}
		}
		packages[key] = p
	}
	lines, from := blank(data)
	for i, line := range from {
		if strings.TrimSpace(line) == "[packages]" {
			put(lines, from, i, packages, "", "")
			break
		}
	}
	return withSources(lines, file.Source)
}

// blank returns as many empty lines as a file has, and its lines.
func blank(data []byte) (lines, from []string) {
	from = strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	return make([]string, len(from)), from
}

// put writes packages into the lines in which a file names them, from line at on. before and behind are what stands around a name.
func put(lines, from []string, at int, packages map[string]pipenvPackage, before, behind string) {
	for _, name := range recipe.SortedKeys(packages) {
		for i := at; i < len(from); i++ {
			rest, ok := strings.CutPrefix(strings.TrimSpace(from[i]), before+name+behind)
			if !ok && before == "" {
				rest, ok = strings.CutPrefix(strings.TrimSpace(from[i]), `"`+name+`"`)
			}
			if rest = strings.TrimSpace(rest); ok && lines[i] == "" && (strings.HasPrefix(rest, ":") || strings.HasPrefix(rest, "=")) {
				lines[i] = packages[name].line(name)
				break
			}
		}
	}
}

// withSources writes the indexes of a Pipfile into the first lines that are free. The first one replaces the default index, unless it is that.
func withSources(lines []string, sources []pipenvSource) []string {
	for i, s := range sources {
		if s.Name == "pypi" || s.URL == "" {
			continue
		}
		option := "--extra-index-url "
		if i == 0 {
			option = "--index-url "
		}
		if free := slices.Index(lines, ""); free >= 0 {
			lines[free] = option + s.URL
		} else {
			lines = append(lines, option+s.URL)
		}
	}
	return lines
}

// condaTools are packages of conda's that an image of mlbuild does not need: its Python, and what installs packages.
var condaTools = []string{"python", "pip", "setuptools", "wheel", "uv", "conda", "mamba", "ca-certificates", "openssl"}

var condaSpec = lazyregexp.New(`^(?:[A-Za-z0-9_.-]+::)?([A-Za-z0-9_.-]+)\s*(?:(={1,2}|[<>!~]=?)\s*([^\s=]+)(?:=\S*)?)?$`)

// condaFile reads what an environment of conda's takes with pip. Its other packages are a fault: their names, versions and builds are conda's own.
func (q *reader) condaFile(name string, data []byte) []string {
	report := yamldoc.NewReport()
	root := yamldoc.Read(name, data, report)
	for _, f := range report.Faults {
		q.Add(f)
	}
	lines, _ := blank(data)
	var of, write []string
	var first fault.Position
	list := root.Get("dependencies")
	if list == nil {
		return lines
	}
	for _, item := range list.Items {
		if pip := item.Get("pip"); pip != nil {
			for _, p := range pip.Items {
				lines[p.At.Line-1] = joined(lines[p.At.Line-1], p.Text)
			}
			continue
		}
		m := condaSpec.FindStringSubmatch(item.Text)
		if m == nil || slices.Contains(condaTools, m[1]) {
			continue
		}
		if first.Line == 0 {
			first = item.At
		}
		of = append(of, item.Text)
		if there := ofIndex(m[1], m[2], m[3]); there != "" {
			write = append(write, there)
		}
	}
	if len(of) > 0 {
		q.Specf(first, "%s names packages of conda's, which has its own names, versions and builds, and mlbuild installs those of the index: %s", name, strings.Join(of, ", ")).
			Hint("write in its list pip, or in requirements.txt, what they are called there; by their names: %s", strings.Join(write, ", ")).
			Hint("programs and libraries of the system (ffmpeg, graphviz) are Debian's: system.runtime; compilers: system.build; CUDA comes with the wheels of the profile gpu").
			Hint("mlbuild init writes the packages as python.packages, to be looked at")
	}
	return lines
}

// joined puts a second requirement of one line behind the first. A line has one, as pip has it.
func joined(line, more string) string {
	if line == "" {
		return more
	}
	return line + "\n" + more
}

// condaNames are packages of conda's that have other names on the index; "" = none: wheels bring it, or it is a program or a library of the system.
var condaNames = map[string]string{
	"pytorch": "torch", "pytorch-cuda": "", "cudatoolkit": "", "cuda-toolkit": "", "cudnn": "", "cpuonly": "", "opencv": "opencv-python-headless", "py-opencv": "opencv-python-headless", "tensorflow-gpu": "tensorflow",
	"nccl": "", "cuda-nvcc": "", "mkl": "", "blas": "", "libblas": "", "compilers": "", "cxx-compiler": "", "c-compiler": "", "gxx_linux-64": "", "gcc_linux-64": "", "gxx": "", "gcc": "", "make": "", "cmake": "", "ninja": "", "git": "",
	"ffmpeg": "", "graphviz": "", "libsndfile": "", "nodejs": "", "openjdk": "", "r-base": "", "libgcc": "", "libstdcxx-ng": "", "zlib": "", "swig": "", "tesseract": "", "poppler": "",
	"msgpack-python": "msgpack", "matplotlib-base": "matplotlib", "dask-core": "dask", "faiss-gpu": "faiss-cpu",
}

// ofIndex is a package of conda's under the name that it probably has on the index, "" if it has none there.
func ofIndex(name, operator, version string) string {
	if rest, ok := strings.CutPrefix(name, "py-"); ok && compat.Known().Frameworks.Named(rest) != nil { // the Python part of a framework that conda has as a library, too
		name = rest
	}
	if other, known := condaNames[name]; known {
		if other == "" {
			return ""
		}
		name = other
	}
	switch {
	case version == "":
		return name
	case operator == "=":
		return name + "==" + strings.TrimSuffix(strings.TrimSuffix(version, ".*"), "*") + ".*"
	}
	return name + operator + version
}

// CondaPackages are the packages of an environment of conda's under the names that they probably have on the index, beside those that it takes with pip. nil = it has none, or
// there is no such file.
func CondaPackages(t files.Tree, name string) (packages []string) {
	data, ok := quietly(t, name)
	if !ok || !slices.Contains(condaFiles, name) {
		return nil
	}
	root, conda := yamldoc.Read(name, data, yamldoc.NewReport()), false
	list := root.Get("dependencies")
	if list == nil {
		return nil
	}
	for _, item := range list.Items {
		if pip := item.Get("pip"); pip != nil {
			for _, p := range pip.Items {
				packages = append(packages, p.Text)
			}
			continue
		}
		if m := condaSpec.FindStringSubmatch(item.Text); m != nil && !slices.Contains(condaTools, m[1]) {
			conda = true
			if q := ofIndex(m[1], m[2], m[3]); q != "" {
				packages = append(packages, q)
			}
		}
	}
	if !conda {
		return nil
	}
	return packages
}
