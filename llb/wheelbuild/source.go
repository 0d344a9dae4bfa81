package wheelbuild

import (
	"net/url"
	"path"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/install"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// mounted is a source and how it is mounted.
type mounted struct {
	state bkllb.State
	opts  []bkllb.MountOption
}

// sourceOf returns what a package is built from. hosts is known_hosts(5) of the git servers that are reached by ssh.
func sourceOf(w pylock.Wheel, r *recipe.Recipe, session ops.Session, hosts string, s ops.Group) mounted {
	from := w.Source
	switch {
	case from.Type == pylock.Git:
		return mounted{checkout(w, hosts, s), []bkllb.MountOption{ops.ByKey}}
	case from.Type == pylock.Archive && from.URL != "":
		file := pylock.Wheel{Name: w.Name, Filename: from.Name, URL: from.URL, Size: from.Size, SHA256: from.SHA256}
		return mounted{install.WheelFile(file, r, session), []bkllb.MountOption{ops.ByKey}}
	case from.Type == pylock.Archive:
		file := pylock.Wheel{Filename: from.Name, Path: from.Path}
		return mounted{install.WheelFile(file, r, session), nil}
	}
	files, at := ops.PackageFiles(from.Path, r, session, s)
	return mounted{ops.Settled(files, s), []bkllb.MountOption{bkllb.SourcePath(path.Join("/", at))}}
}

// checkout is a git repository at a commit.
func checkout(w pylock.Wheel, hosts string, s ops.Group) bkllb.State {
	opts := []bkllb.GitOption{bkllb.GitRef(w.Source.Commit), s.Step(ops.StepCheckout, w.Name, "%s at %.12s", w.Source.URL, w.Source.Commit)}
	if SSHServer(w) != "" {
		opts = append(opts, bkllb.KnownSSHHosts(hosts), bkllb.MountSSHSock("default"))
	}
	return bkllb.Git(w.Source.URL, "", opts...)
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
