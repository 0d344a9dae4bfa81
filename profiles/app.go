package profiles

import (
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// app decides what runs in the image and what it finds there.
func (r *resolver) app() {
	s := r.spec.app
	a := &r.recipe.App
	a.Workdir = r.workdir(s.workdir)
	r.files()
	a.Entrypoint = values(s.entrypoint)
	r.command()
	r.initEntrypoint()
	a.Env = r.env()
	a.Labels = r.labels()
	a.Annotations = r.pairs(s.annotations, "annotation", labelName)
	a.Ports = r.ports(s.ports)
	a.Volumes = r.volumes()
	a.Dirs = r.dirs()
	a.StopSignal = r.stopSignal()
	a.Healthcheck = r.healthcheck()
}

func (r *resolver) workdir(s str) string {
	if !s.set {
		return defaultWorkdir
	}
	why := badDirectory(s.value)
	if why == "" && path.Clean(s.value) == "/" {
		why = "is the root of the image"
	}
	if why == "" && under(s.value, systemTrees) != "" {
		why = "lies in " + under(s.value, systemTrees) + ", which belongs to the system"
	}
	if why != "" {
		r.specf(s.at, "app.workdir %q %s", s.value, why).Hint("For example workdir: %s.", defaultWorkdir)
		return defaultWorkdir
	}
	return path.Clean(s.value)
}

var (
	envName   = lazyregexp.New(`^[A-Za-z_][A-Za-z0-9_]*$`)
	labelName = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`)
)

// env gives the environment: the defaults, the presets over them, and the project's own over both.
func (r *resolver) env() []recipe.Pair {
	env := r.pairs(r.spec.app.env, "environment variable", envName)
	defaults := []recipe.Pair{{Name: "PYTHONUNBUFFERED", Value: "1"}}
	if r.srcLayout() {
		defaults = append(defaults, recipe.Pair{Name: "PYTHONPATH", Value: path.Join(r.recipe.App.Workdir, "src")})
	}
	if r.recipe.Accelerator.Kind == "cuda" {
		defaults = append(defaults, nvidiaEnv...)
	}
	for _, t := range r.trainers() {
		defaults = append(defaults, t.env...)
	}
	return over(over(defaults, r.presets()), env)
}

// over gives the pairs of both lists sorted by name; those of top win.
func over(under, top []recipe.Pair) []recipe.Pair {
	merged := map[string]string{}
	for _, p := range slices.Concat(under, top) {
		merged[p.Name] = p.Value
	}
	var pairs []recipe.Pair
	for _, name := range slices.Sorted(maps.Keys(merged)) {
		pairs = append(pairs, recipe.Pair{Name: name, Value: merged[name]})
	}
	return pairs
}

func (r *resolver) pairs(list []named, what string, valid *lazyregexp.Regexp) []recipe.Pair {
	var pairs []recipe.Pair
	for _, p := range list {
		if !valid.MatchString(p.name.value) {
			r.specf(p.name.at, "%q cannot name an %s", p.name.value, what)
		}
		if strings.ContainsRune(p.value.value, 0) {
			r.specf(p.value.at, "the %s %s holds a zero byte", what, p.name.value)
		}
		pairs = append(pairs, recipe.Pair{Name: p.name.value, Value: p.value.value})
	}
	return pairs
}

func (r *resolver) labels() []recipe.Pair {
	defaults := []recipe.Pair{{Name: "org.opencontainers.image.title", Value: r.recipe.Name}}
	return over(append(defaults, r.modelLabels()...), r.pairs(r.spec.app.labels, "label", labelName))
}

var portText = lazyregexp.New(`^([0-9]{1,5})(?:/(tcp|udp|sctp))?$`)

func (r *resolver) ports(given []str) []string {
	var ports []string
	for _, s := range given {
		m := portText.FindStringSubmatch(s.value)
		n := 0
		if m != nil {
			n, _ = strconv.Atoi(m[1])
		}
		if n < 1 || n > 65535 {
			f := r.specf(s.at, "%q is not a port", s.value)
			f.Hint("Write a number from 1 to 65535, with /udp where it is not tcp.")
			if strings.Contains(s.value, ":") {
				f.Hint("Which port of the host it becomes is decided when the container starts.")
			}
			continue
		}
		ports = append(ports, m[1]+"/"+orElse(m[2], "tcp"))
	}
	return recipe.SortedUnique(ports)
}

// inImage reads a path in the image: absolute, or below the working directory.
func (r *resolver) inImage(s str, what string) (string, bool) {
	p := s.value
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
		r.specf(s.at, "%s %q %s", what, s.value, why)
		return p, false
	}
	return path.Clean(p), true
}

func (r *resolver) volumes() []string {
	var volumes []string
	for _, s := range r.spec.app.volumes {
		if path.Clean(s.value) == "/tmp" { // nothing is written there: a volume may lie over it
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
		uid, gid := r.owner(s.owner)
		mode := r.mode(s.mode, 0o755)
		if slices.ContainsFunc(dirs, func(d recipe.Dir) bool { return d.Path == p }) {
			r.specf(s.path.at, "the directory %s is named twice", p)
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
	if s.set && !signalText.MatchString(s.value) {
		r.specf(s.at, "%q is not a signal", s.value).Hint("For example SIGTERM or SIGINT.")
	}
	return s.value
}
