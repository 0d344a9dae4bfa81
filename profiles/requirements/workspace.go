package requirements

import (
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// uvWorkspace is the workspace of uv that a project belongs to.
type uvWorkspace struct {
	dir     string
	py      *Pyproject
	members []ownPackage
}

// findWorkspace looks for the workspace of the project in a directory, as uv finds it: its own pyproject.toml has one, or the next one above it does and takes
// it for a member. nil = there is none.
func findWorkspace(t files.Tree, dir string) *uvWorkspace {
	start := t.InRoot(dir)
	for at := start; ; at = path.Dir(at) {
		py := pyprojectIn(t, t.FromRoot(at))
		switch {
		case py.hasWorkspace() && (at == start || py.claims(at, start)):
			return readWorkspace(t, py, at)
		case at == "." || py != nil && at != start:
			return nil
		}
	}
}

func (p *Pyproject) hasWorkspace() bool { return p.uv() != nil && p.uv().Workspace != nil }

// claims reports whether the workspace of a pyproject.toml in the directory root has a directory among its members.
func (p *Pyproject) claims(root, dir string) bool {
	below := strings.TrimPrefix(dir, root+"/")
	if root == "." {
		below = dir
	}
	matches := func(pattern string) bool {
		return matchesPath(strings.Split(path.Clean(strings.ReplaceAll(pattern, "[!", "[^")), "/"), strings.Split(below, "/"))
	}
	return slices.ContainsFunc(p.uv().Workspace.Members, matches) && !slices.ContainsFunc(p.uv().Workspace.Exclude, matches)
}

// matchesPath holds the parts of a path against those of a pattern, in which ** stands for any number of them, and for one or more at its end.
func matchesPath(pattern, parts []string) bool {
	switch {
	case len(pattern) == 0:
		return len(parts) == 0
	case len(pattern) == 1 && pattern[0] == "**":
		return len(parts) > 0
	case pattern[0] == "**" && matchesPath(pattern[1:], parts):
		return true
	case len(parts) == 0:
		return false
	case pattern[0] == "**":
		return matchesPath(pattern, parts[1:])
	}
	ok, err := path.Match(pattern[0], parts[0])
	return err == nil && ok && matchesPath(pattern[1:], parts[1:])
}

// readWorkspace finds the members of a workspace, its root's package among them.
func readWorkspace(t files.Tree, py *Pyproject, root string) *uvWorkspace {
	space := &uvWorkspace{dir: t.FromRoot(root), py: py}
	found := []string{root}
	for _, pattern := range py.uv().Workspace.Members {
		found = append(found, directories(t.Root(), path.Join(root, pattern))...)
	}
	for _, dir := range recipe.SortedUnique(found) {
		other := pyprojectIn(t, t.FromRoot(dir))
		if other.HasProject() && (dir == root || py.claims(root, dir)) {
			space.members = append(space.members, ownPackage{name: pypi.Normalize(other.Name()), dir: t.FromRoot(dir), editable: true, py: other})
		}
	}
	return space
}

// directories are what a pattern of uv's finds; ** stands for any number of directories, those of environments and of version control left out.
func directories(root fs.FS, pattern string) []string {
	before, after, deep := strings.Cut(pattern, "**")
	if !deep {
		found, _ := fs.Glob(root, strings.ReplaceAll(pattern, "[!", "[^"))
		return found
	}
	starts, _ := fs.Glob(root, path.Clean(before))
	var found []string
	for _, start := range starts {
		// What cannot be read has no members.
		_ = fs.WalkDir(root, start, func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return files.Skip(d)
			case !d.IsDir():
				return nil
			case name != start && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules"):
				return fs.SkipDir
			}
			if rest := strings.Trim(after, "/"); rest == "" {
				found = append(found, name)
			} else {
				found = append(found, directories(root, path.Join(name, rest))...)
			}
			return nil
		})
	}
	return found
}

// pyprojectIn reads the pyproject.toml of a directory, nil = there is none that can be read.
func pyprojectIn(t files.Tree, dir string) *Pyproject {
	name := path.Join(dir, "pyproject.toml")
	f, err := t.FS.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, yamldoc.MaxFileBytes))
	if err != nil {
		return nil
	}
	py, err := readPyproject(recipe.File{Path: name, Data: string(data)})
	if err != nil {
		return nil
	}
	return py
}

// WithAbove returns the tree with the root of the project's workspace, where that lies above and the project's dependencies are wanted.
func WithAbove(t files.Tree, p Spec, py *Pyproject) files.Tree {
	if !p.Project.Set {
		return t
	}
	return t.WithAbove(findAbove(t, py))
}

// upwards is a directory that knows those above it: n levels up, and itself as it is seen from there.
type upwards interface {
	Up(n int) (above fs.FS, dir string, err error)
}

// findAbove looks above the project's directory for the root of the workspace of uv that the project belongs to: the next pyproject.toml upwards has to take it
// for a member. nil = there is none, or it lies in the project's directory itself.
func findAbove(t files.Tree, py *Pyproject) *files.Above {
	project, ok := t.FS.(upwards)
	if !ok || !py.HasProject() || py.hasWorkspace() || pyprojectAbove(t, path.Dir(py.path)) {
		return nil
	}
	for n := 1; ; n++ {
		root, dir, err := project.Up(n)
		if err != nil {
			return nil
		}
		above := files.Tree{Report: t.Report, FS: root}
		if found := pyprojectIn(above, "."); found.hasWorkspace() && found.claims(".", path.Join(dir, path.Dir(py.path))) {
			found := &files.Above{FS: root, Dir: dir}
			at := t.WithAbove(found).FromRoot(".")
			t.Notef("the project belongs to the workspace of uv in %s: its uv.lock and its settings count", at)
			return found
		}
		exists := above.Exists("pyproject.toml")
		if c, ok := root.(io.Closer); ok {
			_ = c.Close()
		}
		if exists {
			return nil
		}
	}
}

// pyprojectAbove reports whether a directory above another has a pyproject.toml, in the project.
func pyprojectAbove(t files.Tree, dir string) bool {
	for dir != "." {
		if dir = path.Dir(dir); t.Exists(path.Join(dir, "pyproject.toml")) {
			return true
		}
	}
	return false
}
