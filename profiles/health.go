package profiles

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

type healthSpec struct {
	at                             fault.Position
	http                           yamldoc.String
	port                           yamldoc.Number
	command                        []yamldoc.String
	interval, timeout, startPeriod yamldoc.String
	startInterval                  yamldoc.String
	retries                        yamldoc.Number
}

func decodeHealth(d *yamldoc.Decoder, n *yamldoc.Node, a *appSpec) {
	h := &healthSpec{at: n.At}
	if n.Kind == yamldoc.Text {
		d.String(&h.http, "app.healthcheck")(n)
	} else {
		d.Mapping(n, "app.healthcheck", yamldoc.Fields{
			"http": d.String(&h.http, "http"), "port": d.Integer(&h.port, "port"), "command": decodeWords(d, &h.command, "command"),
			"interval": d.String(&h.interval, "interval"), "timeout": d.String(&h.timeout, "timeout"),
			"start_period": d.String(&h.startPeriod, "start_period"), "retries": d.Integer(&h.retries, "retries"),
			"start_interval": d.String(&h.startInterval, "start_interval"),
		})
	}
	a.healthcheck = h
}

// resolveHealth writes the check as the image config has it; nil = there is none. ports are app.ports as the project names them.
func resolveHealth(report *yamldoc.Report, s *healthSpec, ports []yamldoc.String) *recipe.Healthcheck {
	if s == nil {
		return nil
	}
	h := &recipe.Healthcheck{
		Interval: readSeconds(report, s.interval, "interval"), Timeout: readSeconds(report, s.timeout, "timeout"),
		StartPeriod: readSeconds(report, s.startPeriod, "start_period"), StartInterval: readSeconds(report, s.startInterval, "start_interval"),
		Retries: int(numberBetween(report, s.retries, "retries", 0, 1, 100)),
	}
	switch {
	case s.http.Set == (s.command != nil):
		report.Specf(s.at, "app.healthcheck needs http or command, and not both").
			Hint("for example healthcheck: {http: /health, port: 8000}")
	case s.command != nil:
		h.Test = append([]string{"CMD"}, yamldoc.Values(s.command)...)
	default:
		h.Test = httpTest(report, s, ports, h.Timeout)
	}
	return h
}

var urlPath = lazyregexp.New(`^/[A-Za-z0-9._~/?&=%+-]*$`)

// httpTest asks by the image's own Python, so that the image needs no curl, and fails for every status from 400 on as curl --fail does. -I and -S keep the
// project's files and packages out: a module that is named like one of the standard library changes nothing, and the interpreter starts sooner.
// http.client asks the service itself whatever proxy the container's environment names.
func httpTest(report *yamldoc.Report, s *healthSpec, ports []yamldoc.String, timeout float64) []string {
	if !urlPath.MatchString(s.http.Value) {
		report.Specf(s.http.At, "app.healthcheck.http %q is not the path of a URL", s.http.Value).Hint("for example http: /health")
		return nil
	}
	port := healthPort(report, s, ports)
	if port == 0 {
		report.Specf(s.at, "app.healthcheck needs a port, and app.ports names no TCP port").
			Hint("write healthcheck: {http: %s, port: 8000}", s.http.Value)
		return nil
	}
	const code = "import http.client, sys; c = http.client.HTTPConnection('127.0.0.1', %d, timeout=%s); c.request('GET', '%s'); sys.exit(c.getresponse().status >= 400)"
	wait := strconv.FormatFloat(max(timeout, 5), 'f', -1, 64)
	return []string{"CMD", "python", "-I", "-S", "-c", fmt.Sprintf(code, port, wait, s.http.Value)}
}

// healthPort is the port that is asked: the check's own, else the first TCP port that app.ports names, for a metrics port stands behind the service's.
// 0 = there is none.
func healthPort(report *yamldoc.Report, s *healthSpec, ports []yamldoc.String) int64 {
	if port := numberBetween(report, s.port, "app.healthcheck.port", 0, 1, 65535); port > 0 {
		return port
	}
	for _, p := range ports {
		number, protocol, _ := strings.Cut(p.Value, "/")
		if protocol == "" || protocol == "tcp" {
			if n, err := strconv.ParseInt(number, 10, 64); err == nil && n > 0 && n <= 65535 {
				return n
			}
		}
	}
	return 0
}
