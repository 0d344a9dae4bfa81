package llb

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"path"
	"strconv"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// appLayer is the project's own files, placed as the copy rules say. Only what a rule names is sent.
func appLayer(r *recipe.Recipe, table dirTable, in Inputs) bkllb.State {
	return filesLayer(r.App.Copy, r.App.Ignore, r.User, table, in, stage{id: "app", title: "app"})
}

// filesLayer is files of the project where rules place them.
func filesLayer(rules []recipe.CopyRule, ignore []string, u recipe.User, table dirTable, in Inputs, s stage) bkllb.State {
	project := projectFiles(rules, ignore, in, s)
	parents := parentsOf(rules)
	a := table.mkdirs(parents...)
	for _, rule := range rules {
		copyRule(a, project, rule, u)
	}
	a.settle(emptyDir(s), table.chain(parents...))
	return bkllb.Scratch().File(a.last, s.named("copy the project's files"))
}

// emptyDir holds one empty directory, the same in every build.
func emptyDir(s stage) bkllb.State {
	return bkllb.Scratch().File(bkllb.Mkdir("/empty", 0o755, bkllb.WithCreatedTime(wheel.ModTime)), s.named("an empty directory"))
}

// settle gives directories that files were put into their fixed time again; the root has no entry in a layer. A copy onto a directory that is there sets its
// time and leaves its mode and owner (fsutil, copy/copy.go), so nothing is copied a second time.
func (a *actions) settle(empty bkllb.State, dirs []recipe.Dir) {
	for _, d := range dirs {
		a.last = a.last.Copy(empty, "/empty", d.Path, &bkllb.CopyInfo{CopyDirContentsOnly: true}, bkllb.WithCreatedTime(wheel.ModTime))
	}
}

// projectFiles has the client send the files that the rules name, and no others.
func projectFiles(rules []recipe.CopyRule, ignore []string, in Inputs, s stage) bkllb.State {
	var names []string
	for _, rule := range rules {
		names = append(names, rule.Files...)
	}
	opts := append(in.Session.local(in.Session.SharedKey+"-"+s.id+"-"+selectionKey(names, ignore)),
		bkllb.FollowPaths(names), bkllb.ExcludePatterns(ignore), s.named("send the project's files"))
	return bkllb.Local(ProjectLocal, opts...)
}

// selectionKey names a choice of files. The daemon keeps one transfer for each, and profiles that choose the same files share it.
func selectionKey(names, ignore []string) string {
	sum := sha256.Sum256([]byte(strings.Join(names, "\x00") + "\x00\x00" + strings.Join(ignore, "\x00")))
	return hex.EncodeToString(sum[:6])
}

// copyRule adds one action per matched file or directory, so that the graph says exactly what goes where.
func copyRule(a *actions, project bkllb.State, rule recipe.CopyRule, u recipe.User) {
	uid, gid := owner(rule.Owner, u)
	for _, f := range rule.Files {
		info := &bkllb.CopyInfo{CopyDirContentsOnly: true, Mode: chmod(rule.Mode)}
		a.copy(project, "/"+f, destination(rule, f), info, uid, gid)
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
