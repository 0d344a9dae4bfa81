package llb

import (
	"net/url"
	"path"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/pylock"
)

// sourceState is a source and how it is mounted.
type sourceState struct {
	state bkllb.State
	mount []bkllb.MountOption
}

// source returns what a package is built from.
func (b *wheelBuilder) source(w pylock.Wheel, s ops.Group) sourceState {
	from := w.Source
	switch {
	case from.Type == pylock.Git:
		return sourceState{b.checkout(w, s), []bkllb.MountOption{ops.ByKey}}
	case from.Type == pylock.Archive && from.URL != "":
		file := pylock.Wheel{Name: w.Name, Filename: from.Name, URL: from.URL, Size: from.Size, SHA256: from.SHA256}
		return sourceState{download(file, b.recipe.Requires.Indexes), []bkllb.MountOption{ops.ByKey}}
	case from.Type == pylock.Archive:
		file := pylock.Wheel{Filename: from.Name, Path: from.Path}
		return sourceState{wheelFile(file, b.recipe, b.in), nil}
	}
	files := ops.LocalFiles([]string{from.Path}, b.recipe, b.in.Session, s)
	return sourceState{files, []bkllb.MountOption{bkllb.SourcePath(path.Join("/", from.Path))}}
}

// SSHServer names the server of a package that is built from a git repository reached by ssh, as known_hosts(5) does; "" = it is not.
func SSHServer(w pylock.Wheel) string {
	if w.Source == nil || w.Source.Type != pylock.Git {
		return ""
	}
	u, err := url.Parse(w.Source.URL)
	if err != nil || u.Scheme != "ssh" {
		return ""
	}
	return ops.ServerName(u.Host)
}

// checkout is a git repository at a commit.
func (b *wheelBuilder) checkout(w pylock.Wheel, s ops.Group) bkllb.State {
	opts := []bkllb.GitOption{bkllb.GitRef(w.Source.Commit), s.Step(ops.StepCheckout, w.Name, "%s at %.12s", w.Source.URL, w.Source.Commit)}
	if SSHServer(w) != "" {
		opts = append(opts, bkllb.KnownSSHHosts(b.in.Build.Hosts), bkllb.MountSSHSock("default"))
	}
	return bkllb.Git(w.Source.URL, "", opts...)
}
