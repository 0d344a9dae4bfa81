package llb

import (
	"net/url"
	"path"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
)

// sourceState is a source and how it is mounted.
type sourceState struct {
	state bkllb.State
	mount []bkllb.MountOption
}

// source gives what a package is built from.
func (b *wheelBuilder) source(w pylock.Wheel, s stage) (sourceState, error) {
	from := w.Source
	switch {
	case from.Type == pylock.Git:
		state, err := b.checkout(w, s)
		return sourceState{state, []bkllb.MountOption{byKey}}, err
	case from.Type == pylock.Archive && from.URL != "":
		file := pylock.Wheel{Name: w.Name, Filename: from.Name, URL: from.URL, Size: from.Size, SHA256: from.SHA256}
		return sourceState{download(file, b.recipe.Requires.Indexes), []bkllb.MountOption{byKey}}, nil
	case from.Type == pylock.Archive:
		file := pylock.Wheel{Filename: from.Name, Path: from.Path}
		return sourceState{wheelFile(file, b.recipe, b.in), nil}, nil
	}
	files := localFiles([]string{from.Path}, b.recipe, b.in.Session, s)
	return sourceState{files, []bkllb.MountOption{bkllb.SourcePath(path.Join("/", from.Path))}}, nil
}

// checkout is a git repository at a commit.
func (b *wheelBuilder) checkout(w pylock.Wheel, s stage) (bkllb.State, error) {
	opts := []bkllb.GitOption{bkllb.GitRef(w.Source.Commit), s.named("%s at %.12s", w.Source.URL, w.Source.Commit)}
	if strings.HasPrefix(w.Source.URL, "ssh://") {
		if b.in.Build.Hosts == "" {
			return bkllb.State{}, fault.New(fault.Secret, "%s comes from %s, and nothing says which key that server has", w.Name, hostOf(w.Source.URL)).
				Hint("connect to it once with ssh: its key is then in ~/.ssh/known_hosts")
		}
		opts = append(opts, bkllb.KnownSSHHosts(b.in.Build.Hosts), bkllb.MountSSHSock("default"))
	}
	return bkllb.Git(w.Source.URL, "", opts...), nil
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Hostname()
}
