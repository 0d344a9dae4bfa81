package profiles

import (
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

type scriptSpec struct {
	at           fault.Position
	number       int // among those of its kind, from 1
	name         yamldoc.String
	commands     []yamldoc.String
	env          []yamldoc.Pair
	caches       []yamldoc.String
	secrets      []stepSecretSpec
	ssh, network bool
	timeout      yamldoc.String
	when         conditionSpec
}

type stepSecretSpec struct {
	at            fault.Position
	id, env, file yamldoc.String
	required      bool
}

type buildSpec struct {
	scriptSpec
	image       yamldoc.String
	source      *sourceSpec
	outputs     []outputSpec
	libraryPath []yamldoc.String
}

type sourceSpec struct {
	at                                            fault.Position
	git, commit, url, sha256, secret, subdir, dir yamldoc.String
}

type bakeSpec struct {
	scriptSpec
	user      yamldoc.String
	needs     []yamldoc.String
	needsSet  bool
	inputs    []files.CopySpec
	inputsSet bool
	outputs   []outputSpec
}

type hookSpec struct {
	scriptSpec
	after, user yamldoc.String
}

// stepSecrets lists the ids that the project's own steps and the service check name.
func (s *spec) stepSecrets() []yamldoc.String {
	var ids []yamldoc.String
	add := func(script scriptSpec) {
		for _, secret := range script.secrets {
			ids = append(ids, secret.id)
		}
	}
	for _, b := range s.build {
		add(b.scriptSpec)
		if b.source != nil && b.source.secret.Set {
			ids = append(ids, b.source.secret)
		}
	}
	for _, b := range s.bake {
		add(b.scriptSpec)
	}
	for _, h := range s.run {
		add(h.scriptSpec)
	}
	if s.smoke != nil {
		add(s.smoke.scriptSpec)
	}
	return ids
}

// scriptFields reads what all steps have.
func scriptFields(d *yamldoc.Decoder, s *scriptSpec, what string) yamldoc.Fields {
	return yamldoc.Fields{
		"name": d.String(&s.name, what+".name"), "commands": d.Strings(&s.commands, what+".commands"), "env": d.Variables(&s.env, what+".env"),
		"caches": d.Strings(&s.caches, what+".caches"), "ssh": d.Flag(&s.ssh, what+".ssh"), "network": d.Flag(&s.network, what+".network"),
		"when":    func(n *yamldoc.Node) { s.when = decodeCondition(d, n, what+".when") },
		"timeout": d.String(&s.timeout, what+".timeout"), "secrets": func(n *yamldoc.Node) { decodeStepSecrets(d, n, s, what) },
	}
}

// decodeStepSecrets reads a list of ids and of {id, env, required} or {id, file, required}.
func decodeStepSecrets(d *yamldoc.Decoder, n *yamldoc.Node, s *scriptSpec, what string) {
	s.secrets = nil
	items := []*yamldoc.Node{n}
	if n.Kind == yamldoc.List {
		items = n.Items
	}
	for _, item := range items {
		secret := stepSecretSpec{at: item.At, required: true}
		if item.Kind != yamldoc.Mapping {
			d.String(&secret.id, "an item of "+what+".secrets")(item)
		} else {
			d.Mapping(item, what+".secrets", yamldoc.Fields{
				"id": d.String(&secret.id, "id"), "env": d.String(&secret.env, "env"), "file": d.String(&secret.file, "file"), "required": d.Flag(&secret.required, "required"),
			})
			if !secret.id.Set {
				d.Report.Specf(item.At, "an item of %s.secrets has no id", what)
			}
		}
		if secret.id.Set {
			s.secrets = append(s.secrets, secret)
		}
	}
}

func decodeBuilds(d *yamldoc.Decoder, n *yamldoc.Node, s *spec) {
	s.build = nil
	for i, item := range eachMapping(d, n, "build", "name, commands and outputs") {
		b := buildSpec{}
		b.at, b.number = item.At, i+1
		keys := scriptFields(d, &b.scriptSpec, "build")
		keys["image"] = d.String(&b.image, "build.image")
		keys["source"] = func(n *yamldoc.Node) { b.source = decodeSource(d, n) }
		keys["outputs"] = func(n *yamldoc.Node) { b.outputs = decodeOutputs(d, n, "build.outputs") }
		keys["library_path"] = d.Strings(&b.libraryPath, "build.library_path")
		d.Mapping(item, "build", keys)
		s.build = append(s.build, b)
	}
}

// decodeSource reads a path of the project, or a mapping with git or url.
func decodeSource(d *yamldoc.Decoder, n *yamldoc.Node) *sourceSpec {
	s := &sourceSpec{at: n.At}
	if n.Kind != yamldoc.Mapping {
		d.String(&s.dir, "build.source")(n)
		return s
	}
	d.Mapping(n, "build.source", yamldoc.Fields{
		"git": d.String(&s.git, "git"), "commit": d.String(&s.commit, "commit"), "url": d.String(&s.url, "url"), "sha256": d.String(&s.sha256, "sha256"),
		"secret": d.String(&s.secret, "secret"), "subdir": d.String(&s.subdir, "subdir"), "from": d.String(&s.dir, "from"),
	})
	return s
}

// decodeOutputs reads a list of paths and of {from, to, mode, owner, replace}.
func decodeOutputs(d *yamldoc.Decoder, n *yamldoc.Node, what string) []outputSpec {
	var all []outputSpec
	items := []*yamldoc.Node{n}
	if n.Kind == yamldoc.List {
		items = n.Items
	}
	for _, item := range items {
		o := outputSpec{at: item.At}
		if item.Kind == yamldoc.Mapping {
			d.Mapping(item, what, outputFields(d, &o))
		} else {
			files.DecodePath(d, &o.from, "an item of "+what)(item)
		}
		all = append(all, o)
	}
	return all
}

func decodeBakes(d *yamldoc.Decoder, n *yamldoc.Node, s *spec) {
	s.bake = nil
	for i, item := range eachMapping(d, n, "bake", "commands and outputs") {
		b := bakeSpec{}
		b.at, b.number = item.At, i+1
		keys := scriptFields(d, &b.scriptSpec, "bake")
		keys["user"] = d.String(&b.user, "bake.user")
		keys["needs"] = func(n *yamldoc.Node) {
			b.needsSet = true
			d.Strings(&b.needs, "bake.needs")(n)
		}
		keys["outputs"] = func(n *yamldoc.Node) { b.outputs = decodeOutputs(d, n, "bake.outputs") }
		keys["inputs"] = func(n *yamldoc.Node) { b.inputs, b.inputsSet = files.DecodeCopies(d, n, "bake.inputs"), true }
		d.Mapping(item, "bake", keys)
		s.bake = append(s.bake, b)
	}
}

func decodeHooks(d *yamldoc.Decoder, n *yamldoc.Node, s *spec) {
	s.run = nil
	for i, item := range eachMapping(d, n, "run", "after and commands") {
		h := hookSpec{}
		h.at, h.number = item.At, i+1
		keys := scriptFields(d, &h.scriptSpec, "run")
		keys["after"] = d.String(&h.after, "run.after")
		keys["user"] = d.String(&h.user, "run.user")
		d.Mapping(item, "run", keys)
		s.run = append(s.run, h)
	}
}
