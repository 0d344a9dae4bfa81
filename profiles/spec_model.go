package profiles

import (
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

type modelSpec struct {
	at                         fault.Position
	name                       str
	url, git, hub, drive, file str
	sha256                     str
	revision                   str
	files                      []str
	endpoint, region, secret   str
	to, owner, mode, version   str
	unpack                     bool
}

// models reads a list of mappings, and of texts: a URL, or the path of a file.
func (d *decoder) models(n *node, s *spec) {
	if n.kind != list {
		d.wrong(n, "models", "a list of models")
		return
	}
	s.models = nil
	for _, item := range n.items {
		m := modelSpec{at: item.at}
		if item.kind == mapping {
			d.model(item, &m)
		} else {
			d.str(&m.file, "an item of models")(item)
			if strings.Contains(m.file.value, "://") {
				m.url, m.file = m.file, str{}
			}
			if !m.url.set && !m.file.set {
				continue
			}
		}
		s.models = append(s.models, m)
	}
}

func (d *decoder) model(n *node, m *modelSpec) {
	d.mapping(n, "models", fields{
		"name": d.str(&m.name, "name"), "url": d.str(&m.url, "url"), "git": d.str(&m.git, "git"),
		"huggingface": d.str(&m.hub, "huggingface"), "gdrive": d.str(&m.drive, "gdrive"), "file": d.str(&m.file, "file"),
		"sha256": d.str(&m.sha256, "sha256"), "revision": d.str(&m.revision, "revision"), "files": d.strs(&m.files, "files"),
		"endpoint": d.str(&m.endpoint, "endpoint"), "region": d.str(&m.region, "region"), "secret": d.str(&m.secret, "secret"),
		"to": d.str(&m.to, "to"), "owner": d.str(&m.owner, "owner"), "mode": d.str(&m.mode, "mode"),
		"version": d.str(&m.version, "version"), "unpack": d.flag(&m.unpack, "unpack"),
	})
}
