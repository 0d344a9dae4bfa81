package buildertest

import (
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	fstypes "github.com/tonistiigi/fsutil/types"
)

// Gateway is a daemon's gateway that answers what a test says.
type Gateway struct {
	gateway.Client
	OnLookup func(op *pb.SourceOp) (*sourceresolver.MetaResponse, error)
	OnSolve  func(definition string) (files map[string]string, err error)
}

// ResolveSourceMetadata implements gateway.Client.
func (s *Gateway) ResolveSourceMetadata(_ context.Context, op *pb.SourceOp, _ sourceresolver.Opt) (*sourceresolver.MetaResponse, error) {
	return s.OnLookup(op)
}

// Solve implements gateway.Client: OnSolve is asked with the definition as text.
func (s *Gateway) Solve(_ context.Context, req gateway.SolveRequest) (*gateway.Result, error) {
	var all strings.Builder
	for _, op := range req.Definition.Def {
		all.Write(op)
	}
	files, err := s.OnSolve(all.String())
	if err != nil {
		return nil, err
	}
	res := gateway.NewResult()
	res.SetRef(&Ref{Files: files})
	return res, nil
}

// Ref is a result with some files. In a directory that is read, one whose contents start with "->" is a symbolic link.
type Ref struct {
	gateway.Reference
	Files map[string]string
	Reads int
}

// ReadDir implements gateway.Reference.
func (r *Ref) ReadDir(_ context.Context, req gateway.ReadDirRequest) ([]*fstypes.Stat, error) {
	var all []*fstypes.Stat
	for _, file := range slices.Sorted(maps.Keys(r.Files)) {
		inside, ok := strings.CutPrefix(file, req.Path+"/")
		name, _, _ := strings.Cut(inside, "/")
		if match, _ := path.Match(req.IncludePattern, name); !ok || !match {
			continue
		}
		link, _ := strings.CutPrefix(r.Files[file], "->")
		if inside != name || link == r.Files[file] {
			link = ""
		}
		all = append(all, &fstypes.Stat{Path: name, Linkname: link})
	}
	if all == nil {
		return nil, errors.New("no such directory: " + req.Path)
	}
	return all, nil
}

// ReadFile implements gateway.Reference.
func (r *Ref) ReadFile(_ context.Context, req gateway.ReadRequest) ([]byte, error) {
	r.Reads++
	data, ok := r.Files[req.Filename]
	if !ok {
		return nil, errors.New("no such file: " + req.Filename)
	}
	from := min(req.Range.Offset, len(data))
	return []byte(data[from:min(from+req.Range.Length, len(data))]), nil
}

// AnImage answers each lookup with an image of Debian bookworm.
func AnImage(op *pb.SourceOp) (*sourceresolver.MetaResponse, error) {
	config := `{"os": "linux", "architecture": "amd64", "history": [{"created_by": "# debian.sh --arch 'amd64' out/ 'bookworm' '@1'"}], "config": {"Env": ["PYTHON_VERSION=3.11.9"]}}`
	return &sourceresolver.MetaResponse{Op: op, Image: &sourceresolver.ResolveImageResponse{Digest: digest.FromString("image"), Config: []byte(config)}}, nil
}
