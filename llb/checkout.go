package llb

import (
	"path"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/profiles/pylock"
)

// sourceState is a source and how it is mounted.
type sourceState struct {
	state bkllb.State
	mount []bkllb.MountOption
}

// source gives what a package is built from.
func (b *wheelBuilder) source(w pylock.Wheel, s stage) sourceState {
	from := w.Source
	switch {
	case from.Type == pylock.Git:
		return sourceState{b.checkout(w, s), []bkllb.MountOption{byKey}}
	case from.Type == pylock.Archive && from.URL != "":
		file := pylock.Wheel{Name: w.Name, Filename: from.Name, URL: from.URL, Size: from.Size, SHA256: from.SHA256}
		return sourceState{download(file, b.recipe.Requires.Indexes), []bkllb.MountOption{byKey}}
	case from.Type == pylock.Archive:
		file := pylock.Wheel{Filename: from.Name, Path: from.Path}
		return sourceState{wheelFile(file, b.recipe, b.in), nil}
	}
	files := localFiles([]string{from.Path}, b.recipe, b.in.Session, s)
	return sourceState{files, []bkllb.MountOption{bkllb.SourcePath(path.Join("/", from.Path))}}
}

// BySSH tells whether a package is built from a git repository that is reached by ssh.
func BySSH(w pylock.Wheel) bool {
	return w.Source != nil && w.Source.Type == pylock.Git && strings.HasPrefix(w.Source.URL, "ssh://")
}

// checkout is a git repository at a commit.
func (b *wheelBuilder) checkout(w pylock.Wheel, s stage) bkllb.State {
	opts := []bkllb.GitOption{bkllb.GitRef(w.Source.Commit), s.named("%s at %.12s", w.Source.URL, w.Source.Commit)}
	if BySSH(w) {
		opts = append(opts, bkllb.KnownSSHHosts(b.in.Build.Hosts), bkllb.MountSSHSock("default"))
	}
	return bkllb.Git(w.Source.URL, "", opts...)
}
