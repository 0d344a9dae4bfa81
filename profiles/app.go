package profiles

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// app decides what runs in the image and what it finds there.
func (r *resolver) app() {
	s := r.spec.app
	a := &r.recipe.App
	a.Workdir = r.workdir(s.workdir)
	r.files()
	a.Entrypoint = values(s.entrypoint)
	r.command()
	a.Env = r.env()
	a.Labels = r.labels()
	a.Annotations = r.pairs(s.annotations, "annotation", labelName)
	a.Ports = r.ports()
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
	envName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	labelName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`)
)

// env gives the environment: the defaults, and the project's over them.
func (r *resolver) env() []Pair {
	env := r.pairs(r.spec.app.env, "environment variable", envName)
	defaults := []Pair{{"PYTHONUNBUFFERED", "1"}}
	if r.srcLayout() {
		defaults = append(defaults, Pair{"PYTHONPATH", path.Join(r.recipe.App.Workdir, "src")})
	}
	if r.recipe.Accelerator.Kind == "cuda" {
		defaults = append(defaults, nvidiaEnv...)
	}
	return over(defaults, env)
}

// over gives the pairs of both lists sorted by name; those of top win.
func over(under, top []Pair) []Pair {
	merged := map[string]string{}
	for _, p := range slices.Concat(under, top) {
		merged[p.Name] = p.Value
	}
	var pairs []Pair
	for _, name := range slices.Sorted(maps.Keys(merged)) {
		pairs = append(pairs, Pair{name, merged[name]})
	}
	return pairs
}

func (r *resolver) pairs(list []named, what string, valid *regexp.Regexp) []Pair {
	var pairs []Pair
	for _, p := range list {
		if !valid.MatchString(p.name.value) {
			r.specf(p.name.at, "%q cannot name an %s", p.name.value, what)
		}
		if strings.ContainsRune(p.value.value, 0) {
			r.specf(p.value.at, "the %s %s holds a zero byte", what, p.name.value)
		}
		pairs = append(pairs, Pair{p.name.value, p.value.value})
	}
	return pairs
}

func (r *resolver) labels() []Pair {
	defaults := []Pair{{"org.opencontainers.image.title", r.recipe.Name}}
	return over(defaults, r.pairs(r.spec.app.labels, "label", labelName))
}

var portText = regexp.MustCompile(`^([0-9]{1,5})(?:/(tcp|udp|sctp))?$`)

func (r *resolver) ports() []string {
	var ports []string
	for _, s := range r.spec.app.ports {
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
	return sortedUnique(ports)
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
	return sortedUnique(volumes)
}

// dirs gives the directories that the image has for the user to write in.
func (r *resolver) dirs() []Dir {
	var dirs []Dir
	for _, s := range r.spec.app.dirs {
		p, ok := r.inImage(s.path, "the directory")
		uid, gid := r.owner(s.owner)
		mode := r.mode(s.mode, 0o755)
		if slices.ContainsFunc(dirs, func(d Dir) bool { return d.Path == p }) {
			r.specf(s.path.at, "the directory %s is named twice", p)
			ok = false
		}
		if ok {
			dirs = append(dirs, Dir{Path: p, Mode: mode, UID: uid, GID: gid})
		}
	}
	slices.SortFunc(dirs, func(a, b Dir) int { return strings.Compare(a.Path, b.Path) })
	return dirs
}

var signalText = regexp.MustCompile(`^(SIG[A-Z0-9+-]{2,12}|[0-9]{1,2})$`)

func (r *resolver) stopSignal() string {
	s := r.spec.app.stopSignal
	if s.set && !signalText.MatchString(s.value) {
		r.specf(s.at, "%q is not a signal", s.value).Hint("For example SIGTERM or SIGINT.")
	}
	return s.value
}

// healthcheck writes the check as the image config has it. One over HTTP runs the image's own Python, so that
// the image needs no curl; urlopen fails for every status from 400 on.
func (r *resolver) healthcheck() *Healthcheck {
	s := r.spec.app.healthcheck
	if s == nil {
		return nil
	}
	h := &Healthcheck{
		Interval: r.seconds(s.interval, "interval"), Timeout: r.seconds(s.timeout, "timeout"),
		StartPeriod: r.seconds(s.startPeriod, "start_period"), Retries: int(r.between(s.retries, "retries", 0, 1, 100)),
	}
	switch {
	case s.http.set == (s.command != nil):
		r.specf(s.at, "app.healthcheck needs http or command, and not both").
			Hint("For example healthcheck: {http: /health, port: 8000}.")
	case s.command != nil:
		h.Test = append([]string{"CMD"}, values(s.command)...)
	default:
		h.Test = r.httpTest(s)
	}
	return h
}

var urlPath = regexp.MustCompile(`^/[A-Za-z0-9._~/?&=%+-]*$`)

func (r *resolver) httpTest(s *healthSpec) []string {
	if !urlPath.MatchString(s.http.value) {
		r.specf(s.http.at, "app.healthcheck.http %q is not the path of a URL", s.http.value).Hint("For example http: /health.")
		return nil
	}
	port := r.between(s.port, "app.healthcheck.port", 0, 1, 65535)
	if port == 0 {
		if len(r.recipe.App.Ports) != 1 {
			r.specf(s.at, "app.healthcheck needs a port: app.ports names %d", len(r.recipe.App.Ports)).
				Hint("Write healthcheck: {http: %s, port: 8000}.", s.http.value)
			return nil
		}
		number, _, _ := strings.Cut(r.recipe.App.Ports[0], "/")
		port, _ = strconv.ParseInt(number, 10, 64)
	}
	code := fmt.Sprintf("import urllib.request; urllib.request.urlopen('http://127.0.0.1:%d%s', timeout=5)", port, s.http.value)
	return []string{"CMD", "python", "-c", code}
}

// seconds reads "30s", "1m30s" or a bare number of seconds.
func (r *resolver) seconds(s str, what string) float64 {
	if !s.set {
		return 0
	}
	if n, err := strconv.ParseFloat(s.value, 64); err == nil && n > 0 && n < 86400 {
		return n
	}
	d, err := time.ParseDuration(s.value)
	if err != nil || d <= 0 || d > 24*time.Hour {
		r.specf(s.at, "app.healthcheck.%s %q is not a time", what, s.value).Hint("For example 30s or 2m.")
		return 0
	}
	return d.Seconds()
}
