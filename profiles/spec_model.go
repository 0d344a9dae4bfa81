package profiles

import (
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

type modelSpec struct {
	at                         fault.Position
	name                       yamldoc.String
	url, git, hub, drive, file yamldoc.String
	sha256                     yamldoc.String
	revision                   yamldoc.String
	files                      []yamldoc.String
	endpoint, region, secret   yamldoc.String
	to, owner, mode, version   yamldoc.String
	unpack                     bool
}

// decodeModels reads a list of mappings, and of texts: a URL, or the path of a file.
func decodeModels(d *yamldoc.Decoder, n *yamldoc.Node, s *spec) {
	if n.Kind != yamldoc.List {
		d.Wrong(n, "models", "a list of models")
		return
	}
	s.models = nil
	for _, item := range n.Items {
		m := modelSpec{at: item.At}
		if item.Kind == yamldoc.Mapping {
			decodeModel(d, item, &m)
		} else {
			d.String(&m.file, "an item of models")(item)
			if strings.Contains(m.file.Value, "://") {
				m.url, m.file = m.file, yamldoc.String{}
			}
			if !m.url.Set && !m.file.Set {
				continue
			}
		}
		s.models = append(s.models, m)
	}
}

func decodeModel(d *yamldoc.Decoder, n *yamldoc.Node, m *modelSpec) {
	d.Mapping(n, "models", yamldoc.Fields{
		"name": d.String(&m.name, "name"), "url": d.String(&m.url, "url"), "git": d.String(&m.git, "git"),
		"huggingface": d.String(&m.hub, "huggingface"), "gdrive": d.String(&m.drive, "gdrive"), "file": d.String(&m.file, "file"),
		"sha256": d.String(&m.sha256, "sha256"), "revision": d.String(&m.revision, "revision"), "files": d.Strings(&m.files, "files"),
		"endpoint": d.String(&m.endpoint, "endpoint"), "region": d.String(&m.region, "region"), "secret": d.String(&m.secret, "secret"),
		"to": d.String(&m.to, "to"), "owner": d.String(&m.owner, "owner"), "mode": d.String(&m.mode, "mode"),
		"version": d.String(&m.version, "version"), "unpack": d.Flag(&m.unpack, "unpack"),
	})
}
