package convert

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/mlbuild/mlbuild/profiles/dockerfile"
	"github.com/mlbuild/mlbuild/profiles/scaffold"
)

// appLines are the lines of the section app.
func appLines(s said, q Question) []string {
	lines := []string{"app:"}
	if s.workdir != "/app" && s.workdir != "/" {
		lines = append(lines, "  workdir: "+scaffold.Word(s.workdir))
	}
	dir := s.workdir
	if dir == "/" {
		dir = "/app"
	}
	lines = append(lines, "  copy: ["+strings.Join(copyItems(s, q, dir), ", ")+"]")
	if len(s.entry) > 0 {
		lines = append(lines, "  entrypoint: "+literals(s.entry))
	}
	if len(s.command) > 0 {
		lines = append(lines, "  command: "+literals(s.command))
	}
	if s.init {
		lines = append(lines, "  init: true")
	}
	for _, list := range []struct {
		key   string
		words []string
	}{{"ports", s.ports}, {"volumes", s.volumes}, {"dirs", s.dirs}} {
		if len(list.words) > 0 {
			lines = append(lines, "  "+list.key+": ["+withArgs(s.args, strings.Join(quotedAll(list.words), ", "))+"]")
		}
	}
	lines = append(lines, mappingLines("env", s.args, s.env)...)
	lines = append(lines, mappingLines("labels", s.args, s.labels)...)
	if s.signal != "" {
		lines = append(lines, "  stop_signal: "+scaffold.Word(s.signal))
	}
	return append(lines, healthLines(s)...)
}

func quotedAll(words []string) []string {
	all := make([]string, len(words))
	for i, w := range words {
		if _, err := strconv.Atoi(w); err == nil {
			all[i] = w
		} else {
			all[i] = scaffold.Word(w)
		}
	}
	return all
}

// copyItems are the rules of app.copy, each once.
func copyItems(s said, q Question, workdir string) (items []string) {
	user := accountOf(s).name
	for _, r := range s.copied {
		r.from, r.to = withArgs(s.args, r.from), withArgs(s.args, r.to)
		if name, group, _ := strings.Cut(r.owner, ":"); name == cmp.Or(user, "app") && (group == "" || group == name) || name == strings.Split(s.user, ":")[0] || strings.Contains(r.owner, "$") {
			r.owner = ""
		}
		items = appendNew(items, ruleText(q.Project, r, workdir, ""))
	}
	return items
}

func mappingLines(key string, args, pairs []dockerfile.Pair) []string {
	if len(pairs) == 0 {
		return nil
	}
	lines := []string{"  " + key + ":"}
	for _, p := range pairs {
		lines = append(lines, "    "+scaffold.Word(p.Name)+": "+quoted(withArgs(args, p.Value)))
	}
	return lines
}

// healthLines are the lines of app.healthcheck.
func healthLines(s said) []string {
	h := s.health
	if h == nil {
		return nil
	}
	keys := []string{"command: " + literals(h.Words)}
	if p := healthPath(h); p != "" {
		keys = []string{"http: " + scaffold.Word(p)}
		port := healthPort(h)
		if port == "" && len(s.ports) == 0 {
			port = "80"
		}
		if port != "" && (len(s.ports) == 0 || s.ports[0] != port) {
			keys = append(keys, "port: "+port)
		}
	}
	for _, t := range []struct {
		key   string
		value time.Duration
	}{{"interval", h.Interval}, {"timeout", h.Timeout}, {"start_period", h.StartPeriod}, {"start_interval", h.StartInterval}} {
		if t.value > 0 {
			keys = append(keys, t.key+": "+durationText(t.value))
		}
	}
	if h.Retries > 0 {
		keys = append(keys, "retries: "+number(h.Retries))
	}
	return []string{"  healthcheck: {" + strings.Join(keys, ", ") + "}"}
}

// durationText is a time as it is written: 90s, not 1m30s.
func durationText(d time.Duration) string {
	if d%time.Second != 0 {
		return number(int(d.Milliseconds())) + "ms"
	}
	return number(int(d.Seconds())) + "s"
}
