package llb

import (
	"crypto/sha1" //nolint:gosec // git's commits
	"encoding/hex"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/ops"
)

// keys names each layer by what makes it, in the order of the plan: the digest of its definition, and of the base where that is a part of it. They stand in the image's
// history, so that a later build knows of a layer without asking a daemon for it. A layer whose definition does not say all that goes into it has "": one
// with files of the project, a branch of a repository, or a download without a hash.
//
// The daemon's own platform, its GPUs, the network's CA and proxies, and sessions make no difference to a layer, so the keys are those of a graph
// for the platform below without any of them. made is what the image's own layers are made from. sent is what is known of layers that have files of the project:
// with what is in the files they have keys too, which no history holds.
func (m image) keys(made traced) (keys []string, sent []Sent, err error) {
	made, err = m.plain(made)
	if err != nil {
		return nil, nil, err
	}
	keys, sent = make([]string, len(made.layers)), make([]Sent, len(made.layers))
	for i, top := range made.layers {
		switch {
		case top.pinned:
			keys[i] = top.key()
		case top.known && len(top.files) > 0:
			sent[i] = top.sentKey()
		}
	}
	return keys, sent, nil
}

// mixes reports whether a layer has files of the project, and takes work to make.
func (m image) mixes(made traced) bool {
	for i, l := range m.layers {
		if made.layers[i].sent && !l.FromContext() {
			return true
		}
	}
	return false
}

// anyWorker is the platform that stands for every daemon's own.
var anyWorker = ocispecs.Platform{OS: "linux", Architecture: "amd64"}

// plain returns what the image's layers are made from on a daemon of that platform, in a network without a CA or proxies and in no session of its own: what was given, if that is so.
func (m image) plain(made traced) (traced, error) {
	in := m.in.Inputs
	in.Worker, in.Network, in.Session, in.GPU = anyWorker, ops.Network{}, in.Session.AnySession(), ""
	if in.Reference != (ops.Helpers{}) {
		in.Helpers = in.Reference
	}
	same := m.in.Worker.Architecture == anyWorker.Architecture && m.in.Helpers == in.Helpers && m.in.GPU == in.GPU && !m.mixes(made)
	if same && m.in.Network != in.Network {
		online, err := made.online()
		if err != nil {
			return traced{}, err
		}
		same = !online
	}
	if same {
		return made, nil
	}
	plain, err := assemble(m.recipe, in)
	if err != nil {
		return traced{}, err
	}
	return plain.trace(bkllb.NewConstraints(bkllb.Platform(plain.in.platform)))
}

// pinned reports whether a source can only give one content.
func pinned(source *pb.SourceOp) bool {
	_, http := source.Attrs[pb.AttrHTTPChecksum]
	_, git := source.Attrs[pb.AttrGitChecksum]
	scheme, name, _ := strings.Cut(source.Identifier, "://")
	switch {
	case scheme == "local":
		return false
	case http, git:
		return true
	case scheme == "http", scheme == "https":
		return false
	case scheme == "git":
		return namesCommit(name)
	}
	return strings.Contains(name, "@sha256:")
}

// namesCommit reports whether a git source, repository#ref:directory, names a commit by its full hash.
func namesCommit(source string) bool {
	_, ref, _ := strings.Cut(source, "#")
	ref, _, _ = strings.Cut(ref, ":")
	_, err := hex.DecodeString(ref)
	return err == nil && len(ref) >= 2*sha1.Size
}
