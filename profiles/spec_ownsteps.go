package profiles

import "github.com/mlbuild/mlbuild/profiles/fault"

type scriptSpec struct {
	at           fault.Position
	name         str
	commands     []str
	env          []named
	caches       []str
	secrets      []stepSecretSpec
	ssh, network bool
	timeout      str
}

type stepSecretSpec struct {
	at            fault.Position
	id, env, file str
}

type buildSpec struct {
	scriptSpec
	image       str
	source      *sourceSpec
	outputs     []outputSpec
	libraryPath []str
}

type sourceSpec struct {
	at                                            fault.Position
	git, commit, url, sha256, secret, subdir, dir str
}

type bakeSpec struct {
	scriptSpec
	user      str
	inputs    []copySpec
	inputsSet bool
	outputs   []outputSpec
}

type hookSpec struct {
	scriptSpec
	after, user str
}

// stepSecrets lists the ids that the project's own steps name.
func (s *spec) stepSecrets() []str {
	var ids []str
	add := func(script scriptSpec) {
		for _, secret := range script.secrets {
			ids = append(ids, secret.id)
		}
	}
	for _, b := range s.build {
		add(b.scriptSpec)
		if b.source != nil && b.source.secret.set {
			ids = append(ids, b.source.secret)
		}
	}
	for _, b := range s.bake {
		add(b.scriptSpec)
	}
	for _, h := range s.run {
		add(h.scriptSpec)
	}
	return ids
}

// scriptFields reads what all steps have.
func (d *decoder) scriptFields(s *scriptSpec, what string) fields {
	return fields{
		"name": d.str(&s.name, what+".name"), "commands": d.strs(&s.commands, what+".commands"), "env": d.pairs(&s.env, what+".env"),
		"caches": d.strs(&s.caches, what+".caches"), "ssh": d.flag(&s.ssh, what+".ssh"), "network": d.flag(&s.network, what+".network"),
		"timeout": d.str(&s.timeout, what+".timeout"), "secrets": func(n *node) { d.stepSecrets(n, s, what) },
	}
}

// stepSecrets reads a list of ids and of {id, env} or {id, file}.
func (d *decoder) stepSecrets(n *node, s *scriptSpec, what string) {
	s.secrets = nil
	items := []*node{n}
	if n.kind == list {
		items = n.items
	}
	for _, item := range items {
		secret := stepSecretSpec{at: item.at}
		if item.kind != mapping {
			d.str(&secret.id, "an item of "+what+".secrets")(item)
		} else {
			d.mapping(item, what+".secrets", fields{"id": d.str(&secret.id, "id"), "env": d.str(&secret.env, "env"), "file": d.str(&secret.file, "file")})
			if !secret.id.set {
				d.report.specf(item.at, "an item of %s.secrets has no id", what)
			}
		}
		if secret.id.set {
			s.secrets = append(s.secrets, secret)
		}
	}
}

func (d *decoder) builds(n *node, s *spec) {
	s.build = nil
	for _, item := range d.mappings(n, "build", "name, commands and outputs") {
		b := buildSpec{}
		b.at = item.at
		keys := d.scriptFields(&b.scriptSpec, "build")
		keys["image"] = d.str(&b.image, "build.image")
		keys["source"] = func(n *node) { b.source = d.source(n) }
		keys["outputs"] = func(n *node) { b.outputs = d.outputs(n, "build.outputs") }
		keys["library_path"] = d.strs(&b.libraryPath, "build.library_path")
		d.mapping(item, "build", keys)
		s.build = append(s.build, b)
	}
}

// source reads a path of the project, or a mapping with git or url.
func (d *decoder) source(n *node) *sourceSpec {
	s := &sourceSpec{at: n.at}
	if n.kind != mapping {
		d.str(&s.dir, "build.source")(n)
		return s
	}
	d.mapping(n, "build.source", fields{
		"git": d.str(&s.git, "git"), "commit": d.str(&s.commit, "commit"), "url": d.str(&s.url, "url"), "sha256": d.str(&s.sha256, "sha256"),
		"secret": d.str(&s.secret, "secret"), "subdir": d.str(&s.subdir, "subdir"), "from": d.str(&s.dir, "from"),
	})
	return s
}

// outputs reads a list of paths and of {from, to, mode, owner}.
func (d *decoder) outputs(n *node, what string) []outputSpec {
	var all []outputSpec
	items := []*node{n}
	if n.kind == list {
		items = n.items
	}
	for _, item := range items {
		o := outputSpec{at: item.at}
		if item.kind == mapping {
			d.mapping(item, what, d.outputFields(&o))
		} else {
			d.str(&o.from, "an item of "+what)(item)
		}
		all = append(all, o)
	}
	return all
}

func (d *decoder) bakes(n *node, s *spec) {
	s.bake = nil
	for _, item := range d.mappings(n, "bake", "commands and outputs") {
		b := bakeSpec{}
		b.at = item.at
		keys := d.scriptFields(&b.scriptSpec, "bake")
		keys["user"] = d.str(&b.user, "bake.user")
		keys["outputs"] = func(n *node) { b.outputs = d.outputs(n, "bake.outputs") }
		keys["inputs"] = func(n *node) { b.inputs, b.inputsSet = d.copies(n, "bake.inputs"), true }
		d.mapping(item, "bake", keys)
		s.bake = append(s.bake, b)
	}
}

func (d *decoder) hooks(n *node, s *spec) {
	s.run = nil
	for _, item := range d.mappings(n, "run", "after and commands") {
		h := hookSpec{}
		h.at = item.at
		keys := d.scriptFields(&h.scriptSpec, "run")
		keys["after"] = d.str(&h.after, "run.after")
		keys["user"] = d.str(&h.user, "run.user")
		d.mapping(item, "run", keys)
		s.run = append(s.run, h)
	}
}
