package llb

import (
	"path"
	"slices"

	"github.com/mlbuild/mlbuild/llb/models"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// newDirTable lists the directories that this image sets: the user's, and those of the virtual environment.
func newDirTable(r *recipe.Recipe) ops.DirTable {
	own := func(p string) recipe.Dir {
		return recipe.Dir{Path: p, Mode: 0o755, UID: r.User.UID, GID: r.User.GID}
	}
	table := ops.DirTable{{Path: "/root", Mode: 0o700}}
	for _, d := range wheel.ParentDirs(r.Python.Version) {
		table = append(table, recipe.Dir{Path: d.Path, Mode: d.Mode, UID: d.UID, GID: d.GID})
	}
	for _, d := range models.Dirs(r.Models) {
		table = table.Set(d)
	}
	for _, p := range ownParents(r.App.Workdir, table) {
		table = table.Set(own(p))
	}
	table = table.Set(own(r.App.Workdir))
	if r.User.UID != 0 {
		table = table.Set(own(r.User.Home))
	}
	for _, d := range r.App.Dirs {
		table = table.Set(d)
	}
	return table
}

// sharedDirs are the directories that bases have, and that belong to nobody's app (Filesystem Hierarchy Standard 3.0).
var sharedDirs = []string{
	"/bin", "/boot", "/etc", "/home", "/lib", "/lib64", "/media", "/mnt", "/opt", "/root", "/run", "/sbin", "/srv", "/usr", "/usr/lib", "/usr/local", "/usr/local/lib", "/usr/local/share",
	"/usr/local/src", "/usr/share", "/usr/src", "/var", "/var/cache", "/var/lib", "/var/local", "/var/log", "/var/opt", "/var/spool", "/var/www",
}

// ownParents lists the directories above the working directory that are made for it alone: they belong to whom it does, as what is copied there.
func ownParents(workdir string, table ops.DirTable) []string {
	var parents []string
	for p := path.Dir(path.Clean(workdir)); p != "/" && p != "."; p = path.Dir(p) {
		known := slices.ContainsFunc(table, func(d recipe.Dir) bool { return d.Path == p })
		if !known && !slices.Contains(sharedDirs, p) {
			parents = append(parents, p)
		}
	}
	return parents
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
