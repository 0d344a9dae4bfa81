package profiles

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// healthcheck writes the check as the image config has it.
func (r *resolver) healthcheck() *recipe.Healthcheck {
	s := r.spec.app.healthcheck
	if s == nil {
		return nil
	}
	h := &recipe.Healthcheck{
		Interval: readSeconds(r.Report, s.interval, "interval"), Timeout: readSeconds(r.Report, s.timeout, "timeout"),
		StartPeriod: readSeconds(r.Report, s.startPeriod, "start_period"), StartInterval: readSeconds(r.Report, s.startInterval, "start_interval"),
		Retries: int(numberBetween(r.Report, s.retries, "retries", 0, 1, 100)),
	}
	switch {
	case s.http.Set == (s.command != nil):
		r.Specf(s.at, "app.healthcheck needs http or command, and not both").
			Hint("For example healthcheck: {http: /health, port: 8000}.")
	case s.command != nil:
		h.Test = append([]string{"CMD"}, yamldoc.Values(s.command)...)
	default:
		h.Test = r.httpTest(s, h.Timeout)
	}
	return h
}

var urlPath = lazyregexp.New(`^/[A-Za-z0-9._~/?&=%+-]*$`)

// httpTest asks by the image's own Python, so that the image needs no curl, and fails for every status from 400 on as curl --fail does. -I and -S keep the
// project's files and packages out: a module that is named like one of the standard library changes nothing, and the interpreter starts sooner.
// http.client asks the service itself whatever proxy the container's environment names.
func (r *resolver) httpTest(s *healthSpec, timeout float64) []string {
	if !urlPath.MatchString(s.http.Value) {
		r.Specf(s.http.At, "app.healthcheck.http %q is not the path of a URL", s.http.Value).Hint("For example http: /health.")
		return nil
	}
	port := r.healthPort(s)
	if port == 0 {
		r.Specf(s.at, "app.healthcheck needs a port, and app.ports names no TCP port").
			Hint("Write healthcheck: {http: %s, port: 8000}.", s.http.Value)
		return nil
	}
	const code = "import http.client, sys; c = http.client.HTTPConnection('127.0.0.1', %d, timeout=%s); c.request('GET', '%s'); sys.exit(c.getresponse().status >= 400)"
	wait := strconv.FormatFloat(max(timeout, 5), 'f', -1, 64)
	return []string{"CMD", "python", "-I", "-S", "-c", fmt.Sprintf(code, port, wait, s.http.Value)}
}

// healthPort is the port that is asked: the check's own, else the first TCP port that app.ports names, for a metrics port stands behind the service's.
// 0 = there is none.
func (r *resolver) healthPort(s *healthSpec) int64 {
	if port := numberBetween(r.Report, s.port, "app.healthcheck.port", 0, 1, 65535); port > 0 {
		return port
	}
	for _, p := range r.spec.app.ports {
		number, protocol, _ := strings.Cut(p.Value, "/")
		if protocol == "" || protocol == "tcp" {
			if n, err := strconv.ParseInt(number, 10, 64); err == nil && slices.Contains(r.recipe.App.Ports, number+"/tcp") {
				return n
			}
		}
	}
	return 0
}
