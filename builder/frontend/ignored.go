package frontend

import (
	"encoding/json"
	"maps"
	"strings"

	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
)

// described are the files that say what a project is made of. mlbuild reads them whether .dockerignore names them or not, as docker reads a Dockerfile; no image holds one for that.
var described = []string{
	"mlbuild.lock", "pylock.*.toml", "pylock.toml", "uv.lock", "uv.toml", "poetry.lock", "pdm.lock", "Pipfile", "Pipfile.lock", "pyproject.toml", "setup.py", "setup.cfg", ".python-version", "environment.yml",
	"requirements*.txt", "requirements*.in", "constraints*.txt", "requirements/*.txt", "requirements/*.in",
}

// ignored returns the definition that fetches those files from the client's context, nil where the definition of the context leaves nothing out: no .dockerignore, or no client's
// files at all.
func ignored(def *pb.Definition) (*pb.Definition, error) {
	if len(def.Def) != 2 {
		return nil, nil
	}
	op, end := &pb.Op{}, &pb.Op{}
	if err := op.UnmarshalVT(def.Def[0]); err != nil {
		return nil, err
	}
	if err := end.UnmarshalVT(def.Def[1]); err != nil {
		return nil, err
	}
	source := op.GetSource()
	if source == nil || !strings.HasPrefix(source.Identifier, "local://") || source.Attrs[pb.AttrExcludePatterns] == "" || len(end.Inputs) != 1 {
		return nil, nil
	}
	patterns, err := json.Marshal(described)
	if err != nil {
		return nil, err
	}
	source.Attrs = maps.Clone(source.Attrs)
	delete(source.Attrs, pb.AttrExcludePatterns)
	source.Attrs[pb.AttrIncludePatterns] = string(patterns)
	source.Attrs[pb.AttrSharedKeyHint] += "-project"
	first, err := op.MarshalVT()
	if err != nil {
		return nil, err
	}
	before := digest.FromBytes(def.Def[0]).String()
	end.Inputs[0].Digest = digest.FromBytes(first).String()
	last, err := end.MarshalVT()
	if err != nil {
		return nil, err
	}
	sent := &pb.Definition{Def: [][]byte{first, last}, Metadata: map[string]*pb.OpMetadata{}}
	if md := def.Metadata[before]; md != nil {
		md = md.CloneVT()
		md.Description = map[string]string{"llb.customname": "[internal] load the locks and requirements that .dockerignore names"}
		sent.Metadata[end.Inputs[0].Digest] = md
	}
	return sent, nil
}
