package llb

import (
	"io/fs"
	"path"
	"strconv"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// appLayer is the project's own files, placed as the copy rules say. Only what a rule names is sent.
func appLayer(r *recipe.Recipe, table ops.DirTable, in Inputs) bkllb.State {
	return filesLayer(r.App.Copy, r.App.Ignore, r.User, table, in, ops.Group{ID: ops.GroupApp})
}

// filesLayer is files of the project where rules place them.
func filesLayer(rules []recipe.CopyRule, ignore []string, u recipe.User, table ops.DirTable, in Inputs, s ops.Group) bkllb.State {
	project := projectFiles(rules, ignore, in, s)
	parents := parentsOf(rules)
	a := table.Mkdirs(parents...)
	for _, rule := range rules {
		copyRule(a, project, rule, u)
	}
	a.Settle(emptyDir(s), table.Chain(parents...))
	return bkllb.Scratch().File(a.Last, s.Named("copy the project's files"))
}

// emptyDir holds one empty directory, the same in every build.
func emptyDir(s ops.Group) bkllb.State {
	return bkllb.Scratch().File(bkllb.Mkdir("/empty", 0o755, bkllb.WithCreatedTime(wheel.ModTime)), s.Named("an empty directory"))
}

// projectFiles has the client send the files that the rules name, and no others.
func projectFiles(rules []recipe.CopyRule, ignore []string, in Inputs, s ops.Group) bkllb.State {
	var names []string
	for _, rule := range rules {
		names = append(names, rule.Files...)
	}
	opts := append(in.Session.Local(in.Session.SharedKey+"-"+string(s.ID)+"-"+ops.SelectionKey(names, ignore)),
		bkllb.FollowPaths(names), bkllb.ExcludePatterns(ignore), s.Named("send the project's files"))
	return bkllb.Local(ops.ProjectLocal, opts...)
}

// copyRule adds one action per matched file or directory, so that the graph says exactly what goes where.
func copyRule(a *ops.Actions, project bkllb.State, rule recipe.CopyRule, u recipe.User) {
	uid, gid := owner(rule.Owner, u)
	for _, f := range rule.Files {
		info := &bkllb.CopyInfo{CopyDirContentsOnly: true, Mode: chmod(rule.Mode)}
		a.Copy(project, "/"+f, destination(rule, f), info, uid, gid)
	}
}

// destination of one matched file: below To where To ends in a slash, else To itself.
func destination(rule recipe.CopyRule, file string) string {
	if strings.HasSuffix(rule.To, "/") {
		return path.Join(rule.To, path.Base(file))
	}
	return rule.To
}

func parentsOf(rules []recipe.CopyRule) []string {
	var dirs []string
	for _, rule := range rules {
		for _, f := range rule.Files {
			dirs = append(dirs, path.Dir(destination(rule, f)))
		}
	}
	return dirs
}

// chmod makes files readable for all and keeps what was executable so, unless the rule names a mode. A mode without x is written in
// symbols, because a number is given to directories too and nobody could enter them.
func chmod(mode string) *bkllb.ChmodOpt {
	bits, err := strconv.ParseUint(mode, 8, 32)
	switch {
	case err != nil:
		return &bkllb.ChmodOpt{ModeStr: "u=rwX,go=rX"}
	case bits&0o111 != 0:
		return &bkllb.ChmodOpt{Mode: fs.FileMode(bits) & fs.ModePerm}
	}
	symbols := []string{"", "X", "wX", "wX", "rX", "rX", "rwX", "rwX"}
	return &bkllb.ChmodOpt{ModeStr: "u=" + symbols[bits>>6&7] + ",g=" + symbols[bits>>3&7] + ",o=" + symbols[bits&7]}
}

func owner(o string, u recipe.User) (uid, gid int) {
	a, b, ok := strings.Cut(o, ":")
	if o == "" || !ok {
		return u.UID, u.GID
	}
	uid, _ = strconv.Atoi(a)
	gid, _ = strconv.Atoi(b)
	return uid, gid
}
