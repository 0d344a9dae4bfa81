package profiles

import (
	"path"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

type userSpec struct {
	at       fault.Position
	name     yamldoc.String
	uid, gid yamldoc.Number
	home     yamldoc.String
}

// decodeUser reads "root", or a mapping.
func decodeUser(d *yamldoc.Decoder, n *yamldoc.Node, u *userSpec) {
	u.at = n.At
	if n.Kind == yamldoc.Text {
		d.String(&u.name, "user")(n)
		return
	}
	d.Mapping(n, "user", yamldoc.Fields{
		"name": d.String(&u.name, "user.name"), "home": d.String(&u.home, "user.home"),
		"uid": d.Integer(&u.uid, "user.uid"), "gid": d.Integer(&u.gid, "user.gid"),
	})
}

var userName = lazyregexp.New(`^[a-z_][a-z0-9_-]{0,31}$`)

// resolveUser decides who the image runs as: app with uid and gid 1000, unless the project says otherwise.
func resolveUser(report *yamldoc.Report, s userSpec) recipe.User {
	u := recipe.User{Name: s.name.Or("app"), UID: 1000, GID: 1000}
	if u.Name == "root" {
		u.UID, u.GID = 0, 0
	}
	if s.uid.Set {
		u.UID = readID(report, s.uid, "uid")
		u.GID = u.UID
		if u.UID == 0 && !s.name.Set {
			u.Name = "root"
		}
	}
	if s.gid.Set {
		u.GID = readID(report, s.gid, "gid")
	}
	if !userName.MatchString(u.Name) {
		badUser(report, s.name.At, "%q cannot name a user", u.Name).Hint("use lower-case letters, digits, _ and -; at most 32")
	}
	if (u.Name == "root") != (u.UID == 0) {
		badUser(report, s.at, "the user %s has uid %d: root and uid 0 belong together", u.Name, u.UID).
			Hint("write user: root, or another name and uid")
	}
	if u.UID == 0 {
		report.Notef("the image runs as root")
	}
	u.Home = homeOf(report, s.home, u.Name)
	return u
}

func homeOf(report *yamldoc.Report, s yamldoc.String, name string) string {
	if !s.Set {
		if name == "root" {
			return "/root"
		}
		return "/home/" + name
	}
	if why := files.BadDirectory(s.Value); why != "" {
		badUser(report, s.At, "the home directory %q %s", s.Value, why)
	}
	return path.Clean(s.Value)
}
