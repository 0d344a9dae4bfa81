package profiles

import (
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

type scriptSpec struct {
	at           fault.Position
	name         yamldoc.String
	commands     []yamldoc.String
	env          []yamldoc.Pair
	caches       []yamldoc.String
	secrets      []stepSecretSpec
	ssh, network bool
	timeout      yamldoc.String
}

type stepSecretSpec struct {
	at            fault.Position
	id, env, file yamldoc.String
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
	inputs    []files.CopySpec
	inputsSet bool
	outputs   []outputSpec
}

type hookSpec struct {
	scriptSpec
	after, user yamldoc.String
}

// stepSecrets lists the ids that the project's own steps name.
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
	return ids
}

// scriptFields reads what all steps have.
func scriptFields(d *yamldoc.Decoder, s *scriptSpec, what string) yamldoc.Fields {
	return yamldoc.Fields{
		"name": d.String(&s.name, what+".name"), "commands": d.Strings(&s.commands, what+".commands"), "env": d.Variables(&s.env, what+".env"),
		"caches": d.Strings(&s.caches, what+".caches"), "ssh": d.Flag(&s.ssh, what+".ssh"), "network": d.Flag(&s.network, what+".network"),
		"timeout": d.String(&s.timeout, what+".timeout"), "secrets": func(n *yamldoc.Node) { decodeStepSecrets(d, n, s, what) },
	}
}

// decodeStepSecrets reads a list of ids and of {id, env} or {id, file}.
func decodeStepSecrets(d *yamldoc.Decoder, n *yamldoc.Node, s *scriptSpec, what string) {
	s.secrets = nil
	items := []*yamldoc.Node{n}
	if n.Kind == yamldoc.List {
		items = n.Items
	}
	for _, item := range items {
		secret := stepSecretSpec{at: item.At}
		if item.Kind != yamldoc.Mapping {
			d.String(&secret.id, "an item of "+what+".secrets")(item)
		} else {
			d.Mapping(item, what+".secrets", yamldoc.Fields{"id": d.String(&secret.id, "id"), "env": d.String(&secret.env, "env"), "file": d.String(&secret.file, "file")})
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
	for _, item := range eachMapping(d, n, "build", "name, commands and outputs") {
		b := buildSpec{}
		b.at = item.At
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

// decodeOutputs reads a list of paths and of {from, to, mode, owner}.
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
			d.String(&o.from, "an item of "+what)(item)
		}
		all = append(all, o)
	}
	return all
}

func decodeBakes(d *yamldoc.Decoder, n *yamldoc.Node, s *spec) {
	s.bake = nil
	for _, item := range eachMapping(d, n, "bake", "commands and outputs") {
		b := bakeSpec{}
		b.at = item.At
		keys := scriptFields(d, &b.scriptSpec, "bake")
		keys["user"] = d.String(&b.user, "bake.user")
		keys["outputs"] = func(n *yamldoc.Node) { b.outputs = decodeOutputs(d, n, "bake.outputs") }
		keys["inputs"] = func(n *yamldoc.Node) { b.inputs, b.inputsSet = files.DecodeCopies(d, n, "bake.inputs"), true }
		d.Mapping(item, "bake", keys)
		s.bake = append(s.bake, b)
	}
}

func decodeHooks(d *yamldoc.Decoder, n *yamldoc.Node, s *spec) {
	s.run = nil
	for _, item := range eachMapping(d, n, "run", "after and commands") {
		h := hookSpec{}
		h.at = item.At
		keys := scriptFields(d, &h.scriptSpec, "run")
		keys["after"] = d.String(&h.after, "run.after")
		keys["user"] = d.String(&h.user, "run.user")
		d.Mapping(item, "run", keys)
		s.run = append(s.run, h)
	}
}
