package profiles

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// Suggestion is a project file and a .dockerignore for a project that has none.
type Suggestion struct {
	File   string   // text of mlbuild.yaml
	Ignore string   // text of .dockerignore
	Notes  []string // what was found and what is missing, for the user
}

// Suggest looks at a project and proposes how to build it: its web framework, the object that a server runs, its port and health check, the system libraries that
// its packages load. directory names the project where pyproject.toml does not. What is proposed is a start: Suggest runs nothing and reads at most some
// hundred Python files.
func Suggest(fsys fs.FS, directory string) Suggestion {
	t := tree{yamldoc.NewReport(), fsys}
	r := &resolver{
		tree: t, sel: Selection{Profile: defaultProfile}, spec: &spec{}, recipe: &recipe.Recipe{Profile: defaultProfile},
		project: &Project{fsys: fsys, root: &yamldoc.Node{Kind: yamldoc.Mapping}, DefaultName: directory},
	}
	r.pyprojectFile()
	r.requirements()
	s := &suggester{
		tree: t, direct: r.direct, has: map[string]bool{}, name: resolveName(t.Report, yamldoc.String{}, r.py.name(), directory), described: r.py.hasProject(),
		python: resolvePython(t, yamldoc.String{}, yamldoc.String{}, r.py).Version,
	}
	t.Faults, t.Notes = nil, nil // they are told when the project is built
	for _, d := range r.direct {
		s.has[d.Name] = true
	}
	s.files()
	s.service()
	return Suggestion{File: s.render(), Ignore: s.ignoreText(), Notes: s.Notes}
}

// suggester gathers what a suggestion says.
type suggester struct {
	tree
	name      string // the project's
	python    string // its Python
	described bool   // by a pyproject.toml
	direct    []requirement
	has       map[string]bool // packages that the project asks for
	sources   []pythonFile
	copy      []string
	command   []string
	port      int
	health    string
	env       [][2]string
	venvs     []string // virtual environments in the project
}

// pythonFile is a Python file of the app.
type pythonFile struct{ path, module, text string }

// Names at the top of a project that services read when they run.
var (
	dataDirs  = []string{"assets", "conf", "config", "configs", "models", "prompts", "static", "templates"}
	dataFiles = lazyregexp.New(`^(config|settings|logging|params)[A-Za-z0-9_.-]*\.(ya?ml|toml|json|ini)$|^alembic\.ini$`)
)

// The bounds of what is read.
const (
	maxSources     = 300
	maxSourceBytes = 256 << 10
	maxSourceDepth = 3
)

// files chooses what is copied and reads the Python files among it.
func (s *suggester) files() {
	ignore := readIgnores(s.tree, nil, nil)
	for _, rule := range detectApp(s.tree, ignore) {
		s.copy = append(s.copy, rule.from.Value)
	}
	for _, e := range s.entries() {
		name := e.Name()
		switch {
		case s.exists(path.Join(name, "pyvenv.cfg")):
			s.venvs = append(s.venvs, name)
		case ignore.byUser(name) || slices.Contains(s.copy, name):
		case e.IsDir() && slices.Contains(dataDirs, name), !e.IsDir() && dataFiles.MatchString(name):
			s.copy = append(s.copy, name)
		}
	}
	s.copy = slices.DeleteFunc(s.copy, func(n string) bool { return slices.Contains(s.venvs, n) })
	slices.Sort(s.copy)
	s.Notes = nil
	for _, name := range s.copy {
		s.readSources(name, ignore)
	}
}

func (s *suggester) readSources(top string, ignore *ignores) {
	_ = fs.WalkDir(s.fsys, top, func(name string, d fs.DirEntry, err error) error { // what cannot be read is not looked at
		switch {
		case err != nil || ignore.byUser(name) || d.IsDir() && (strings.Count(name, "/") >= maxSourceDepth || slices.Contains(notAppDirs, d.Name())):
			return skip(d)
		case d.IsDir() || !strings.HasSuffix(name, ".py") || len(s.sources) >= maxSources:
			return nil
		}
		if info, err := d.Info(); err != nil || info.Size() > maxSourceBytes {
			return nil
		}
		if data, err := fs.ReadFile(s.fsys, name); err == nil {
			s.sources = append(s.sources, pythonFile{name, s.module(name), string(data)})
		}
		return nil
	})
}

// module is the name by which a file is imported in the image.
func (s *suggester) module(name string) string {
	packages, _ := fs.Glob(s.fsys, "src/*/__init__.py") // the pattern is valid
	if len(packages) > 0 {
		name = strings.TrimPrefix(name, "src/")
	}
	return strings.ReplaceAll(strings.TrimSuffix(strings.TrimSuffix(name, ".py"), "/__init__"), "/", ".")
}

// service finds what the image runs.
func (s *suggester) service() {
	for _, find := range []func() bool{s.streamlit, s.gradio, s.django, s.webApp, s.celery, s.program} {
		if find() {
			break
		}
	}
	if len(s.command) == 0 {
		s.Notef("no command was found: name one in app.command")
	}
	if s.port > 0 && s.health == "" {
		if s.health = s.healthPath(); s.health == "" {
			s.Notef("no health check was found: give the service a path like /health and name it in app.healthcheck")
		}
	}
}

func (s *suggester) streamlit() bool {
	file := s.fileWith("streamlit", lazyregexp.New(`(?m)^import streamlit\b`), "streamlit_app.py", "Home.py", "app.py", "main.py")
	if file == "" {
		return false
	}
	s.command = []string{"streamlit", "run", file, "--server.address=0.0.0.0", "--server.port=8501", "--server.headless=true"}
	s.port, s.health = 8501, "/_stcore/health"
	s.Notef("found a Streamlit app in %s", file)
	return true
}

func (s *suggester) gradio() bool {
	file := s.fileWith("gradio", lazyregexp.New(`\.launch\(`), "app.py", "main.py", "demo.py")
	if file == "" {
		return false
	}
	s.command, s.port, s.health = []string{"python", file}, 7860, "/"
	s.env = append(s.env, [2]string{"GRADIO_SERVER_NAME", "0.0.0.0"})
	s.Notef("found a Gradio app in %s", file)
	return true
}

// fileWith finds the file that a framework runs, of the first of these names, else of any.
func (s *suggester) fileWith(framework string, line *lazyregexp.Regexp, names ...string) string {
	if !s.has[framework] {
		return ""
	}
	found := map[string]bool{}
	for _, f := range s.sources {
		found[f.path] = line.MatchString(f.text)
	}
	for _, name := range slices.Concat(names, slices.Sorted(maps.Keys(found))) {
		if found[name] {
			return name
		}
	}
	return ""
}

func (s *suggester) django() bool {
	i := slices.IndexFunc(s.sources, func(f pythonFile) bool {
		return path.Base(f.path) == "wsgi.py" && strings.Contains(f.text, "get_wsgi_application")
	})
	if i < 0 || !s.has["django"] {
		return false
	}
	s.wsgi("Django project", s.sources[i].module+":application")
	return true
}

var (
	webObject  = lazyregexp.New(`(?m)^(\w+)\s*(?::\s*[\w.]+\s*)?=\s*(?:\w+\.)*(FastAPI|Starlette|Litestar|Quart|Flask)\(`)
	webFactory = lazyregexp.New(`(?m)^(?:async )?def (create_app|make_app)\(`)
)

// webApp finds the object that a web server runs. One in a file that is named main or app is taken before others.
func (s *suggester) webApp() bool {
	var found []pythonFile
	for _, f := range s.sources {
		if webObject.MatchString(f.text) || webFactory.MatchString(f.text) && s.framework(f) != "" {
			found = append(found, f)
		}
	}
	if len(found) == 0 {
		return false
	}
	slices.SortStableFunc(found, func(a, b pythonFile) int { return mainRank(a.path) - mainRank(b.path) })
	f := found[0]
	if len(found) > 1 {
		s.Notef("several files make a web app; %s is taken", f.path)
	}
	framework, target := s.framework(f), f.module+":create_app"
	if m := webObject.FindStringSubmatch(f.text); m != nil {
		framework, target = m[2], f.module+":"+m[1]
	} else if m := webFactory.FindStringSubmatch(f.text); m != nil {
		target = f.module + ":" + m[1]
	}
	if framework == "Flask" {
		if !webObject.MatchString(f.text) {
			target += "()"
		}
		s.wsgi(framework+" app", target)
	} else {
		s.asgi(framework+" app", target, !webObject.MatchString(f.text))
	}
	return true
}

// framework names the framework that a file imports, "" if none is seen.
func (s *suggester) framework(f pythonFile) string {
	for _, name := range []string{"FastAPI", "Starlette", "Litestar", "Quart", "Flask"} {
		if s.has[strings.ToLower(name)] && strings.Contains(f.text, name) {
			return name
		}
	}
	return ""
}

func mainRank(name string) int {
	if i := slices.Index([]string{"main.py", "app.py", "api.py", "server.py", "__init__.py"}, path.Base(name)); i >= 0 {
		return i
	}
	return 9
}

func (s *suggester) wsgi(what, target string) {
	s.Notef("found a %s: %s", what, target)
	s.port = 8000
	if s.has["waitress"] && !s.has["gunicorn"] {
		s.command = []string{"waitress-serve", "--listen=0.0.0.0:8000", target}
		return
	}
	s.command = []string{"gunicorn", target, "--bind", "0.0.0.0:8000", "--graceful-timeout", "20"}
	s.needs("gunicorn")
}

func (s *suggester) asgi(what, target string, factory bool) {
	s.Notef("found a %s: %s", what, target)
	s.port = 8000
	if s.has["hypercorn"] && !s.has["uvicorn"] && !factory {
		s.command = []string{"hypercorn", target, "--bind", "0.0.0.0:8000"}
		return
	}
	s.command = []string{"uvicorn", target, "--host", "0.0.0.0", "--port", "8000", "--timeout-graceful-shutdown", "20"}
	if factory {
		s.command = slices.Insert(s.command, 1, "--factory")
	}
	brought := func(q requirement) bool {
		return q.Name == "fastapi" && (strings.Contains(q.ExtrasText(), "standard") || strings.Contains(q.ExtrasText(), "all"))
	}
	if !slices.ContainsFunc(s.direct, brought) {
		s.needs("uvicorn")
	}
}

// needs reports that the command runs a program of a package that the project does not ask for.
func (s *suggester) needs(name string) {
	if !s.has[name] {
		s.Notef("add %s to the requirements: the command runs it", name)
	}
}

var celeryObject = lazyregexp.New(`(?m)^\w+\s*=\s*(?:\w+\.)*Celery\(`)

func (s *suggester) celery() bool {
	i := slices.IndexFunc(s.sources, func(f pythonFile) bool { return celeryObject.MatchString(f.text) })
	if i < 0 || !s.has["celery"] {
		return false
	}
	s.command = []string{"celery", "-A", s.sources[i].module, "worker", "--loglevel", "info"}
	s.Notef("found a Celery app: %s", s.sources[i].module)
	return true
}

// program takes a script at the top, as a build without a file does.
func (s *suggester) program() bool {
	for _, name := range []string{"main.py", "app.py", "train.py", "run.py", "server.py"} {
		if slices.Contains(s.copy, name) {
			s.command = []string{"python", name}
			s.Notef("the image runs python %s", name)
			return true
		}
	}
	return false
}

var healthRoute = lazyregexp.New(`["'](/(?:api/)?(?:healthz|health|healthcheck|health/live|livez|live|ping))/?["']`)

func (s *suggester) healthPath() string {
	for _, f := range s.sources {
		if m := healthRoute.FindStringSubmatch(f.text); m != nil {
			return m[1]
		}
	}
	return ""
}

// libraries are Debian packages that Python packages load or run and do not bring, from their own installation pages; frameworks have theirs in compat.
var libraries = map[string][]string{
	"ffmpeg-python": {"ffmpeg"}, "graphviz": {"graphviz"}, "opencv-contrib-python": {"libgl1", "libglib2.0-0"},
	"opencv-python": {"libgl1", "libglib2.0-0"}, "openai-whisper": {"ffmpeg"}, "pdf2image": {"poppler-utils"}, "phonemizer": {"espeak-ng"},
	"pydub": {"ffmpeg"}, "pyodbc": {"unixodbc"}, "pytesseract": {"tesseract-ocr"}, "python-magic": {"libmagic1"}, "pyzbar": {"libzbar0"},
	"weasyprint": {"libpango-1.0-0", "libpangoft2-1.0-0"},
}

// system returns the Debian packages that the project's packages need, and for which of them.
func (s *suggester) system() (debs []string, because string) {
	var who []string
	all := compat.Known().Frameworks.Libraries()
	maps.Copy(all, libraries)
	for _, name := range sortedKeys(all) {
		if s.has[name] {
			debs, who = append(debs, all[name]...), append(who, name)
		}
	}
	return recipe.SortedUnique(debs), strings.Join(who, ", ")
}

// requirementsText is the value of the key python.
func (s *suggester) requirementsText() string {
	from := "requirements: []"
	switch {
	case s.exists("requirements.txt"):
		from = "requirements: [requirements.txt]"
	case s.described:
		from = "project: ."
	default:
		s.Notef("there is no requirements.txt: name the packages in python.packages or a file in python.requirements")
	}
	return fmt.Sprintf("{version: %q, %s}", s.python, from)
}
