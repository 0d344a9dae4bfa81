package scaffold

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// project is what is read of a project before anything is proposed.
type project struct {
	Survey
	fsys    fs.FS
	has     map[string]bool // packages that the project asks for
	copy    []string        // what the image gets, sorted
	sources []pythonFile    // of what the image gets
}

// pythonFile is a Python file of the app; module is the name by which it is imported in the image.
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

// readProject chooses what is copied and reads the Python files among it.
func readProject(fsys fs.FS, survey Survey) *project {
	p := &project{Survey: survey, fsys: fsys, has: map[string]bool{}, copy: slices.Clone(survey.Copy)}
	for _, q := range survey.Requirements {
		p.has[q.Name] = true
	}
	entries, _ := fs.ReadDir(fsys, ".") // nothing is found where it cannot be read
	for _, e := range entries {
		name := e.Name()
		switch {
		case survey.Ignored(name) || slices.Contains(p.copy, name):
		case e.IsDir() && slices.Contains(dataDirs, name), !e.IsDir() && dataFiles.MatchString(name):
			p.copy = append(p.copy, name)
		}
	}
	p.copy = slices.DeleteFunc(p.copy, func(name string) bool { return p.exists(path.Join(name, "pyvenv.cfg")) })
	slices.Sort(p.copy)
	inSrc := PackagesInSrc(fsys)
	for _, name := range p.copy {
		p.readSources(name, inSrc)
	}
	return p
}

// PackagesInSrc reports whether src/ holds packages, which are imported without the word src. It looks at its directories, and not at all files in them.
func PackagesInSrc(fsys fs.FS) bool {
	dirs, err := fs.ReadDir(fsys, "src")
	return err == nil && slices.ContainsFunc(dirs, func(e fs.DirEntry) bool {
		_, err := fs.Stat(fsys, path.Join("src", e.Name(), "__init__.py"))
		return err == nil
	})
}

// readSources reads the Python files of a file or directory at the top. inSrc: packages lie in src/, which no import names.
func (p *project) readSources(top string, inSrc bool) {
	_ = fs.WalkDir(p.fsys, top, func(name string, d fs.DirEntry, err error) error { // what cannot be read is not looked at
		switch {
		case err != nil || p.Ignored(name) || d.IsDir() && (strings.Count(name, "/") >= maxSourceDepth || p.Beside(d.Name())):
			return skip(d)
		case d.IsDir() || !strings.HasSuffix(name, ".py") || len(p.sources) >= maxSources:
			return nil
		}
		if info, err := d.Info(); err != nil || info.Size() > maxSourceBytes {
			return nil
		}
		if data, err := fs.ReadFile(p.fsys, name); err == nil {
			p.sources = append(p.sources, pythonFile{name, moduleOf(name, inSrc), string(data)})
		}
		return nil
	})
}

func skip(d fs.DirEntry) error {
	if d != nil && d.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// moduleOf is the name by which a file is imported.
func moduleOf(name string, inSrc bool) string {
	if inSrc {
		name = strings.TrimPrefix(name, "src/")
	}
	return strings.ReplaceAll(strings.TrimSuffix(strings.TrimSuffix(name, ".py"), "/__init__"), "/", ".")
}

func (p *project) exists(name string) bool {
	_, err := fs.Stat(p.fsys, name)
	return err == nil
}

// asks reports whether the project asks for a package by name.
func (p *project) asks(name string) bool { return p.has[name] }
