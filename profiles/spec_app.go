package profiles

import (
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

func decodeApp(d *yamldoc.Decoder, n *yamldoc.Node, a *appSpec) {
	d.Mapping(n, "app", yamldoc.Fields{
		"copy":        func(n *yamldoc.Node) { a.copySet, a.copy = true, decodeCopies(d, n, "app.copy") },
		"workdir":     d.String(&a.workdir, "app.workdir"),
		"entrypoint":  decodeWords(d, &a.entrypoint, "app.entrypoint"),
		"command":     decodeWords(d, &a.command, "app.command"),
		"ports":       d.Strings(&a.ports, "app.ports"),
		"env":         d.Pairs(&a.env, "app.env"),
		"labels":      d.Pairs(&a.labels, "app.labels"),
		"annotations": d.Pairs(&a.annotations, "app.annotations"),
		"volumes":     d.Strings(&a.volumes, "app.volumes"),
		"dirs":        func(n *yamldoc.Node) { decodeDirs(d, n, a) },
		"stop_signal": d.String(&a.stopSignal, "app.stop_signal"),
		"presets":     d.Strings(&a.presets, "app.presets"),
		"init": func(n *yamldoc.Node) {
			d.Flag(&a.init, "app.init")(n)
			a.initAt = n.At
		},
		"healthcheck": func(n *yamldoc.Node) { decodeHealth(d, n, a) },
	})
}

// decodeWords reads a command: a list of words. A single text is refused, because whether a shell splits it would
// be a guess.
func decodeWords(d *yamldoc.Decoder, to *[]yamldoc.String, what string) func(*yamldoc.Node) {
	return func(n *yamldoc.Node) {
		if n.Kind != yamldoc.List {
			d.Wrong(n, what, "a list of words").
				Hint("For example [python, main.py]; for a shell write [sh, -c, \"…\"].")
			return
		}
		d.Strings(to, what)(n)
	}
}

// decodeCopies reads app.copy, or another list of the same form: texts and {from, to, mode, owner}. It gives an empty list for none.
func decodeCopies(d *yamldoc.Decoder, n *yamldoc.Node, what string) []copySpec {
	rules := []copySpec{}
	items := []*yamldoc.Node{n}
	if n.Kind == yamldoc.List {
		items = n.Items
	}
	for _, item := range items {
		rule := copySpec{at: item.At}
		if item.Kind != yamldoc.Mapping {
			d.String(&rule.from, "an item of "+what)(item)
		} else {
			d.Mapping(item, what, yamldoc.Fields{
				"from": d.String(&rule.from, "from"), "to": d.String(&rule.to, "to"),
				"mode": d.String(&rule.mode, "mode"), "owner": d.String(&rule.owner, "owner"),
			})
			if !rule.from.Set {
				d.Report.Specf(item.At, "an item of %s has no from", what)
			}
		}
		if rule.from.Set {
			rules = append(rules, rule)
		}
	}
	return rules
}

// decodeDirs reads app.dirs: a list of paths and of {path, mode, owner}.
func decodeDirs(d *yamldoc.Decoder, n *yamldoc.Node, a *appSpec) {
	a.dirs = nil
	if n.Kind != yamldoc.List {
		d.Wrong(n, "app.dirs", "a list of paths")
		return
	}
	for _, item := range n.Items {
		var dir dirSpec
		if item.Kind != yamldoc.Mapping {
			d.String(&dir.path, "an item of app.dirs")(item)
		} else {
			d.Mapping(item, "app.dirs", yamldoc.Fields{
				"path": d.String(&dir.path, "path"), "mode": d.String(&dir.mode, "mode"), "owner": d.String(&dir.owner, "owner"),
			})
			if !dir.path.Set {
				d.Report.Specf(item.At, "an item of app.dirs has no path")
			}
		}
		if dir.path.Set {
			a.dirs = append(a.dirs, dir)
		}
	}
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
