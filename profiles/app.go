package profiles

import (
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// app decides what runs in the image and what it finds there.
func (r *resolver) app() {
	s := r.spec.app
	a := &r.recipe.App
	a.Workdir = r.workdir(s.workdir)
	r.files()
	a.Entrypoint = yamldoc.Values(s.entrypoint)
	r.command()
	r.initEntrypoint()
	a.Env = r.env()
	a.Labels = r.labels()
	a.Annotations = readPairs(r.Report, s.annotations, "annotation", labelName)
	a.Ports = readPorts(r.Report, s.ports)
	a.Volumes = r.volumes()
	a.Dirs = r.dirs()
	a.StopSignal = r.stopSignal()
	a.Healthcheck = r.healthcheck()
}

func (r *resolver) workdir(s yamldoc.String) string {
	if !s.Set {
		return defaultWorkdir
	}
	why := badDirectory(s.Value)
	if why == "" && path.Clean(s.Value) == "/" {
		why = "is the root of the image"
	}
	if why == "" && under(s.Value, systemTrees) != "" {
		why = "lies in " + under(s.Value, systemTrees) + ", which belongs to the system"
	}
	if why != "" {
		r.Specf(s.At, "app.workdir %q %s", s.Value, why).Hint("For example workdir: %s.", defaultWorkdir)
		return defaultWorkdir
	}
	return path.Clean(s.Value)
}

var (
	envName   = lazyregexp.New(`^[A-Za-z_][A-Za-z0-9_]*$`)
	labelName = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`)
)

// env gives the environment: the defaults, the presets over them, and the project's own over both.
func (r *resolver) env() []recipe.Pair {
	env := readPairs(r.Report, r.spec.app.env, "environment variable", envName)
	defaults := []recipe.Pair{{Name: "PYTHONUNBUFFERED", Value: "1"}}
	if r.srcLayout() {
		defaults = append(defaults, recipe.Pair{Name: "PYTHONPATH", Value: path.Join(r.recipe.App.Workdir, "src")})
	}
	if r.recipe.Accelerator.Kind == recipe.CUDA {
		defaults = append(defaults, compat.NvidiaEnv...)
	}
	for _, t := range r.trainers() {
		defaults = append(defaults, t.env...)
	}
	return recipe.Over(recipe.Over(defaults, r.presets()), env)
}

func (r *resolver) labels() []recipe.Pair {
	defaults := []recipe.Pair{{Name: "org.opencontainers.image.title", Value: r.recipe.Name}}
	return recipe.Over(append(defaults, r.modelLabels()...), readPairs(r.Report, r.spec.app.labels, "label", labelName))
}

// readInImage reads a path in the image: absolute, or below the working directory.
func (r *resolver) inImage(s yamldoc.String, what string) (string, bool) {
	p := s.Value
	if !path.IsAbs(p) && !hasDotDot(p) {
		p = path.Join(r.recipe.App.Workdir, p)
	}
	why := badDirectory(p)
	if why == "" && under(p, systemTrees) != "" {
		why = "lies in " + under(p, systemTrees) + ", which belongs to the system"
	}
	if why == "" && path.Clean(p) == "/" {
		why = "is the root of the image"
	}
	if why != "" {
		r.Specf(s.At, "%s %q %s", what, s.Value, why)
		return p, false
	}
	return path.Clean(p), true
}

func (r *resolver) volumes() []string {
	var volumes []string
	for _, s := range r.spec.app.volumes {
		if path.Clean(s.Value) == "/tmp" { // nothing is written there: a volume may lie over it
			volumes = append(volumes, "/tmp")
		} else if p, ok := r.inImage(s, "the volume"); ok {
			volumes = append(volumes, p)
		}
	}
	return recipe.SortedUnique(volumes)
}

// dirs gives the directories that the image has for the user to write in.
func (r *resolver) dirs() []recipe.Dir {
	var dirs []recipe.Dir
	for _, s := range r.spec.app.dirs {
		p, ok := r.inImage(s.path, "the directory")
		uid, gid := readOwner(r.Report, s.owner, r.recipe.User)
		mode := readMode(r.Report, s.mode, 0o755)
		if slices.ContainsFunc(dirs, func(d recipe.Dir) bool { return d.Path == p }) {
			r.Specf(s.path.At, "the directory %s is named twice", p)
			ok = false
		}
		if ok {
			dirs = append(dirs, recipe.Dir{Path: p, Mode: mode, UID: uid, GID: gid})
		}
	}
	slices.SortFunc(dirs, func(a, b recipe.Dir) int { return strings.Compare(a.Path, b.Path) })
	return dirs
}

var signalText = lazyregexp.New(`^(SIG[A-Z0-9+-]{2,12}|[0-9]{1,2})$`)

func (r *resolver) stopSignal() string {
	s := r.spec.app.stopSignal
	if s.Set && !signalText.MatchString(s.Value) {
		r.Specf(s.At, "%q is not a signal", s.Value).Hint("For example SIGTERM or SIGINT.")
	}
	return s.Value
}
