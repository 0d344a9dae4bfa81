package profiles

func (d *decoder) app(n *node, a *appSpec) {
	d.mapping(n, "app", fields{
		"copy":        func(n *node) { a.copySet, a.copy = true, d.copies(n, "app.copy") },
		"workdir":     d.str(&a.workdir, "app.workdir"),
		"entrypoint":  d.words(&a.entrypoint, "app.entrypoint"),
		"command":     d.words(&a.command, "app.command"),
		"ports":       d.strs(&a.ports, "app.ports"),
		"env":         d.pairs(&a.env, "app.env"),
		"labels":      d.pairs(&a.labels, "app.labels"),
		"annotations": d.pairs(&a.annotations, "app.annotations"),
		"volumes":     d.strs(&a.volumes, "app.volumes"),
		"dirs":        func(n *node) { d.dirs(n, a) },
		"stop_signal": d.str(&a.stopSignal, "app.stop_signal"),
		"presets":     d.strs(&a.presets, "app.presets"),
		"init": func(n *node) {
			d.flag(&a.init, "app.init")(n)
			a.initAt = n.at
		},
		"healthcheck": func(n *node) { d.health(n, a) },
	})
}

// words reads a command: a list of words. A single text is refused, because whether a shell splits it would
// be a guess.
func (d *decoder) words(to *[]str, what string) func(*node) {
	return func(n *node) {
		if n.kind != list {
			d.wrong(n, what, "a list of words").
				Hint("For example [python, main.py]; for a shell write [sh, -c, \"…\"].")
			return
		}
		d.strs(to, what)(n)
	}
}

// copies reads app.copy, or another list of the same form: texts and {from, to, mode, owner}. It gives an empty list for none.
func (d *decoder) copies(n *node, what string) []copySpec {
	rules := []copySpec{}
	items := []*node{n}
	if n.kind == list {
		items = n.items
	}
	for _, item := range items {
		rule := copySpec{at: item.at}
		if item.kind != mapping {
			d.str(&rule.from, "an item of "+what)(item)
		} else {
			d.mapping(item, what, fields{
				"from": d.str(&rule.from, "from"), "to": d.str(&rule.to, "to"),
				"mode": d.str(&rule.mode, "mode"), "owner": d.str(&rule.owner, "owner"),
			})
			if !rule.from.set {
				d.report.specf(item.at, "an item of %s has no from", what)
			}
		}
		if rule.from.set {
			rules = append(rules, rule)
		}
	}
	return rules
}

// dirs reads app.dirs: a list of paths and of {path, mode, owner}.
func (d *decoder) dirs(n *node, a *appSpec) {
	a.dirs = nil
	if n.kind != list {
		d.wrong(n, "app.dirs", "a list of paths")
		return
	}
	for _, item := range n.items {
		var dir dirSpec
		if item.kind != mapping {
			d.str(&dir.path, "an item of app.dirs")(item)
		} else {
			d.mapping(item, "app.dirs", fields{
				"path": d.str(&dir.path, "path"), "mode": d.str(&dir.mode, "mode"), "owner": d.str(&dir.owner, "owner"),
			})
			if !dir.path.set {
				d.report.specf(item.at, "an item of app.dirs has no path")
			}
		}
		if dir.path.set {
			a.dirs = append(a.dirs, dir)
		}
	}
}

func (d *decoder) health(n *node, a *appSpec) {
	h := &healthSpec{at: n.at}
	if n.kind == text {
		d.str(&h.http, "app.healthcheck")(n)
	} else {
		d.mapping(n, "app.healthcheck", fields{
			"http": d.str(&h.http, "http"), "port": d.integer(&h.port, "port"), "command": d.words(&h.command, "command"),
			"interval": d.str(&h.interval, "interval"), "timeout": d.str(&h.timeout, "timeout"),
			"start_period": d.str(&h.startPeriod, "start_period"), "retries": d.integer(&h.retries, "retries"),
			"start_interval": d.str(&h.startInterval, "start_interval"),
		})
	}
	a.healthcheck = h
}
