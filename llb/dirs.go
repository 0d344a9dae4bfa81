package llb

import (
	"cmp"
	"path"
	"slices"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// dirTable is the one table of directories → mode and owner. Every layer writes its parent directories from it, because
// a directory entry in a later layer wins over an earlier one.
type dirTable []recipe.Dir

// newDirTable lists the directories that this image sets: the user's, and those of the virtual environment.
func newDirTable(r *recipe.Recipe) dirTable {
	own := func(p string) recipe.Dir {
		return recipe.Dir{Path: p, Mode: 0o755, UID: r.User.UID, GID: r.User.GID}
	}
	table := dirTable{{Path: "/root", Mode: 0o700}}
	for _, d := range wheel.ParentDirs(r.Python.Version) {
		table = append(table, recipe.Dir{Path: d.Path, Mode: d.Mode, UID: d.UID, GID: d.GID})
	}
	for _, d := range modelDirs(r.Models) {
		table = table.set(d)
	}
	table = table.set(own(r.App.Workdir))
	if r.User.UID != 0 {
		table = table.set(own(r.User.Home))
	}
	for _, d := range r.App.Dirs {
		table = table.set(d)
	}
	return table
}

// sticky matches the directories in which every user may write.
var sticky = lazyregexp.New(`^/(var/)?tmp/`)

// checkDirs refuses files and directories in /tmp and /var/tmp with fault.Spec. A layer would have to write /tmp itself, and a file operation cannot give it the
// sticky bit that lets every user write there (solver/llbsolver/file/backend.go masks modes with 0777).
func checkDirs(r *recipe.Recipe) error {
	places := []string{r.App.Workdir}
	for _, rule := range r.App.Copy {
		for _, f := range rule.Files {
			places = append(places, destination(rule, f))
		}
	}
	if r.User.UID != 0 {
		places = append(places, r.User.Home)
	}
	for _, d := range r.App.Dirs {
		places = append(places, d.Path)
	}
	for _, model := range r.Models {
		places = append(places, model.To)
	}
	var faults fault.List
	slices.Sort(places)
	for _, d := range slices.Compact(places) {
		if tmp := sticky.FindString(path.Clean(d) + "/"); tmp != "" {
			faults = append(faults, fault.New(fault.Spec, "%s lies in %s, which the image leaves as its base has it", d, tmp[:len(tmp)-1]).
				Hint("name another directory, such as /app; /tmp can be written when the container runs"))
		}
	}
	return faults.Err()
}

func (t dirTable) set(d recipe.Dir) dirTable {
	d.Path = path.Clean(d.Path)
	t = slices.DeleteFunc(t, func(e recipe.Dir) bool { return e.Path == d.Path })
	return append(t, d)
}

// lookup gives the entry of a directory. One that the table does not name belongs to whoever owns the nearest parent that
// it does name; outside all of them it is root's.
func (t dirTable) lookup(p string) recipe.Dir {
	for at := p; at != "/" && at != "."; at = path.Dir(at) {
		i := slices.IndexFunc(t, func(e recipe.Dir) bool { return e.Path == at })
		switch {
		case i >= 0 && at == p:
			return t[i]
		case i >= 0:
			return recipe.Dir{Path: p, Mode: 0o755, UID: t[i].UID, GID: t[i].GID}
		}
	}
	return recipe.Dir{Path: p, Mode: 0o755}
}

// chain lists the given directories and all their parents, parents first, each once.
func (t dirTable) chain(dirs ...string) []recipe.Dir {
	var all []recipe.Dir
	for _, d := range dirs {
		for at := path.Clean(d); at != "/" && at != "."; at = path.Dir(at) {
			all = append(all, t.lookup(at))
		}
	}
	byPath := func(a, b recipe.Dir) int { return cmp.Compare(a.Path, b.Path) }
	slices.SortFunc(all, byPath)
	return slices.CompactFunc(all, func(a, b recipe.Dir) bool { return a.Path == b.Path })
}

// mkdirs makes the directories on the state, each as the table says.
func (t dirTable) mkdirs(dirs ...string) *actions {
	a := &actions{last: bkllb.Mkdir("/", 0o755, bkllb.WithParents(true))} // exists already: only the start of a chain
	for _, d := range t.chain(dirs...) {
		a.mkdir(d)
	}
	return a
}

// actions collects file actions, so that all of them become one vertex.
type actions struct{ last *bkllb.FileAction }

func (a *actions) mkdir(d recipe.Dir) {
	a.last = a.last.Mkdir(d.Path, fileMode(d.Mode), bkllb.WithUIDGID(d.UID, d.GID), bkllb.WithCreatedTime(wheel.ModTime))
}

func (a *actions) mkfile(p, data string) {
	a.last = a.last.Mkfile(p, 0o644, []byte(data), bkllb.WithCreatedTime(wheel.ModTime))
}

func (a *actions) symlink(target, link string) {
	a.last = a.last.Symlink(target, link, bkllb.WithCreatedTime(wheel.ModTime))
}

func (a *actions) copy(from bkllb.CopyInput, src, dst string, info *bkllb.CopyInfo, uid, gid int) {
	opts := []bkllb.CopyOption{info, bkllb.WithUIDGID(uid, gid), bkllb.WithCreatedTime(wheel.ModTime)}
	a.last = a.last.Copy(from, src, dst, opts...)
}
