package llb

import (
	"path"
	"slices"
	"strconv"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// appLayers returns the project's own files, placed as the copy rules say, and their bytecode, which is as little worth a cache as they are. Only what a rule names is
// sent. below are the layers of the image so far. The dev stage has no bytecode of files that are edited there, because it is not compared with its source.
func appLayers(r *recipe.Recipe, in given, table ops.DirTable, below ops.Layers) ops.Layers {
	inside := environmentFiles(r, in, table, below)
	rules, _ := splitRules(r.App.Copy)
	if len(rules) == 0 {
		return inside
	}
	const name = "the project's files"
	s := ops.Group{ID: ops.GroupApp, NoCache: in.NoCache}
	files := placedFiles(rules, r.App.Ignore, r.User, table, in, ops.Group{ID: ops.GroupApp})
	layers := inside.And(ops.Layer{Layer: layerplan.Layer{Kind: layerplan.KindApp, Name: name}, State: files})
	if r.Bytecode && in.Target != recipe.StageDev {
		code := bytecode(in, interpreter(r, in, below), s, name, []bkllb.State{files})
		layers = layers.And(ops.Layer{Layer: layerplan.Layer{Kind: layerplan.KindApp, Name: "bytecode of " + name}, State: code})
	}
	return layers
}

// placedFiles is files of the project where rules place them.
func placedFiles(rules []recipe.CopyRule, ignore []string, u recipe.User, table ops.DirTable, in given, s ops.Group) bkllb.State {
	parents := parentsOf(rules)
	a := table.Mkdirs(parents...)
	copyRules(a, rules, ignore, u, in, s)
	a.Settle(s, table.Chain(parents...))
	return bkllb.Scratch().File(a.Last, s.Named("copy the project's files"))
}

// copyRules adds the copies of rules. Those that leave out nothing share what the client sends; each other rule has files of its own.
func copyRules(a *ops.Actions, rules []recipe.CopyRule, ignore []string, u recipe.User, in given, s ops.Group) {
	whole := slices.DeleteFunc(slices.Clone(rules), func(r recipe.CopyRule) bool { return len(r.Exclude) > 0 })
	var project bkllb.State
	if len(whole) > 0 {
		project = projectFiles(whole, ignore, in, s)
	}
	for _, rule := range rules {
		if len(rule.Exclude) > 0 {
			copyRule(a, projectFiles([]recipe.CopyRule{rule}, slices.Concat(ignore, rule.Exclude), in, s), rule, u)
		} else {
			copyRule(a, project, rule, u)
		}
	}
}

// projectFiles has the client send the files that the rules name, and no others.
func projectFiles(rules []recipe.CopyRule, ignore []string, in given, s ops.Group) bkllb.State {
	var names []string
	for _, rule := range rules {
		names = append(names, rule.Files...)
	}
	return in.Session.Files(ops.Selection{Paths: names, Ignore: ignore}, s.Named("send the project's files"))
}

// copyRule adds one action per matched file or directory, so that the graph says exactly what goes where.
func copyRule(a *ops.Actions, project bkllb.State, rule recipe.CopyRule, u recipe.User) {
	uid, gid := owner(rule.Owner, u)
	for _, f := range rule.Files {
		info := &bkllb.CopyInfo{CopyDirContentsOnly: true, Mode: ops.Chmod(rule.Mode)}
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

func ownerText(uid, gid int) string { return strconv.Itoa(uid) + ":" + strconv.Itoa(gid) }

func owner(o string, u recipe.User) (uid, gid int) {
	a, b, ok := strings.Cut(o, ":")
	if o == "" || !ok {
		return u.UID, u.GID
	}
	uid, _ = strconv.Atoi(a)
	gid, _ = strconv.Atoi(b)
	return uid, gid
}
