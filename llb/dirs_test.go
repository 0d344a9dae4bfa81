package llb

import (
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

func TestDirTableLookup(t *testing.T) {
	table := newDirTable(llbtest.Recipe())
	for _, want := range []recipe.Dir{
		{Path: "/opt", Mode: 0o755},
		{Path: "/opt/venv", Mode: 0o755},
		{Path: "/opt/venv/bin", Mode: 0o755},
		{Path: "/opt/venv/lib/python3.11/site-packages", Mode: 0o755},
		{Path: "/opt/venv/lib/python3.11/site-packages/x", Mode: 0o755},
		{Path: "/root", Mode: 0o700},
		{Path: "/home", Mode: 0o755},
		{Path: "/home/app", Mode: 0o755, UID: 1000, GID: 1000},
		{Path: "/home/app/.cache/models", Mode: 0o755, UID: 1000, GID: 1000},
		{Path: "/home/application", Mode: 0o755},
		{Path: "/app", Mode: 0o755, UID: 1000, GID: 1000},
		{Path: "/app/src", Mode: 0o755, UID: 1000, GID: 1000},
		{Path: "/data", Mode: 0o750, UID: 1000, GID: 1000},
		{Path: "/data/in", Mode: 0o755, UID: 1000, GID: 1000},
		{Path: "/srv", Mode: 0o755},
	} {
		if d := cmp.Diff(want, table.Lookup(want.Path)); d != "" {
			t.Errorf("%s (-want +got):\n%s", want.Path, d)
		}
	}
}

func TestDirTableIsOfTheRecipe(t *testing.T) {
	r := llbtest.Recipe()
	r.User, r.Python.Version = recipe.User{Home: "/root"}, "3.13t"
	r.App.Workdir, r.App.Dirs = "/srv/app/", []recipe.Dir{{Path: "/srv/app", Mode: 0o700, UID: 7, GID: 8}}
	table := newDirTable(r)
	if got := table.Lookup("/root"); got.Mode != 0o700 || got.UID != 0 {
		t.Errorf("root's home is %+v", got)
	}
	if got := table.Lookup("/srv/app"); got != (recipe.Dir{Path: "/srv/app", Mode: 0o700, UID: 7, GID: 8}) {
		t.Errorf("a directory that is named twice is %+v", got)
	}
	if got := table.Lookup("/opt/venv/lib/python3.13t"); got.UID != 0 || got.Mode != 0o755 {
		t.Errorf("the library of a free-threaded Python is %+v", got)
	}
}

// TestParentsOfTheWorkdir: they belong to whom it does, but for those that a base has.
func TestParentsOfTheWorkdir(t *testing.T) {
	for workdir, want := range map[string]map[string]int{
		"/workspace/team/app": {"/workspace": 1000, "/workspace/team": 1000, "/workspace/team/app": 1000, "/workspace/other": 1000},
		"/srv/team/app":       {"/srv": 0, "/srv/team": 1000, "/srv/other": 0},
		"/usr/src/app":        {"/usr": 0, "/usr/src": 0, "/usr/src/app": 1000},
		"/opt/app/src":        {"/opt": 0, "/opt/app": 1000, "/opt/venv": 0},
		"/data/x/y":           {"/data": 7, "/data/x": 1000},
	} {
		r := llbtest.Recipe()
		r.App.Workdir, r.App.Dirs = workdir, []recipe.Dir{{Path: "/data", Mode: 0o700, UID: 7, GID: 7}}
		for p, uid := range want {
			if got := newDirTable(r).Lookup(p); got.UID != uid {
				t.Errorf("workdir %s: %s belongs to %d, want %d", workdir, p, got.UID, uid)
			}
		}
	}
}

func TestDirTableChain(t *testing.T) {
	var got []string
	for _, d := range newDirTable(llbtest.Recipe()).Chain("/home/app/a/b", "/home/app", "/home/app-data", "/", "/home/app/a/b/", ".") {
		got = append(got, d.Path)
	}
	want := []string{"/home", "/home/app", "/home/app-data", "/home/app/a", "/home/app/a/b"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("chain (-want +got):\n%s", d)
	}
}

// made lists the directories that a file operation makes, with mode and owner.
func made(v llbtest.Vertex) map[string]recipe.Dir {
	dirs := map[string]recipe.Dir{}
	for _, a := range v.Op.GetFile().GetActions() {
		if m := a.GetMkdir(); m != nil && m.Path != "/" {
			dirs[m.Path] = recipe.Dir{Path: m.Path, Mode: int(m.Mode), UID: id(m.Owner.GetUser()), GID: id(m.Owner.GetGroup())}
		}
	}
	return dirs
}

func id(u *pb.UserOpt) int { return int(u.GetByID()) }

// TestLayersAgreeOnDirectories: the entry of a later layer wins, so every layer must write the same one, and none /tmp.
func TestLayersAgreeOnDirectories(t *testing.T) {
	g := compiled(t, nil)
	table := newDirTable(llbtest.Recipe())
	steps := map[string]map[string]recipe.Dir{
		"skeleton": made(g.Named("environment for Python 3.11")), "app": made(g.Named("copy the project's files")),
	}
	for name, dirs := range steps {
		for p, d := range dirs {
			if diff := cmp.Diff(table.Lookup(p), d); diff != "" {
				t.Errorf("%s makes %s otherwise than the table (-table +made):\n%s", name, p, diff)
			}
			if strings.HasPrefix(p, "/tmp") {
				t.Errorf("%s makes %s", name, p)
			}
			if parent := path.Dir(p); parent != "/" && dirs[parent].Path == "" {
				t.Errorf("%s makes %s without its parent", name, p)
			}
		}
	}
	if home := steps["app"]["/home/app"]; home.UID != 1000 || home.Mode != 0o755 {
		t.Errorf("a model below the home leaves the home as %+v: its user could not write there", home)
	}
	for _, d := range wheel.ParentDirs("3.11") {
		if got := steps["skeleton"][d.Path]; got != (recipe.Dir(d)) {
			t.Errorf("the skeleton makes %+v where wheels make %+v", got, d)
		}
	}
	for _, p := range []string{"/app", "/home/app", "/data"} {
		if _, ok := steps["skeleton"][p]; !ok {
			t.Errorf("the skeleton does not make %s", p)
		}
	}
}

// TestSkeleton: a virtual environment by PEP 405, made by file operations on nothing.
func TestSkeleton(t *testing.T) {
	v := compiled(t, nil).Named("environment for Python 3.11")
	links, files := map[string]string{}, map[string]string{}
	for _, a := range v.Op.GetFile().Actions {
		if s := a.GetSymlink(); s != nil {
			links[s.Newpath] = s.Oldpath
		}
		if f := a.GetMkfile(); f != nil {
			files[f.Path] = string(f.Data)
		}
	}
	wantLinks := map[string]string{
		"/opt/venv/bin/python": "/usr/local/bin/python3.11", "/opt/venv/bin/python3": "python", "/opt/venv/bin/python3.11": "python",
	}
	if d := cmp.Diff(wantLinks, links); d != "" {
		t.Errorf("links (-want +got):\n%s", d)
	}
	wantFiles := map[string]string{"/opt/venv/pyvenv.cfg": "home = /usr/local/bin\ninclude-system-site-packages = false\nversion = 3.11\n"}
	if d := cmp.Diff(wantFiles, files); d != "" {
		t.Errorf("files (-want +got):\n%s", d)
	}
	if len(v.Op.Inputs) != 0 {
		t.Errorf("the skeleton reads %v", v.Op.Inputs)
	}
}

// TestSkeletonIsSettled: what file operations put together is copied once more with one time, or its directories would keep the clock's.
func TestSkeletonIsSettled(t *testing.T) {
	g := compiled(t, nil)
	v := g.Named("settle times")
	c := v.Op.GetFile().Actions[0].GetCopy()
	if len(v.Op.GetFile().Actions) != 1 || c.Src != "/" || c.Dest != "/" || !c.DirCopyContents || c.Timestamp != wheel.ModTime.UnixNano() {
		t.Errorf("%s copies by %v", v.Name, c)
	}
}

// TestTimesOfActions: every file action sets the layout's time; the first only starts the chain.
func TestTimesOfActions(t *testing.T) {
	g := compiled(t, nil)
	for _, name := range []string{"environment for Python 3.11", "copy the project's files"} {
		v := g.Named(name)
		for _, a := range v.Op.GetFile().Actions[1:] {
			if at := actionTime(a); at != wheel.ModTime.UnixNano() {
				t.Errorf("%s: action %v has the time %d", v.Name, a, at)
			}
		}
	}
}

func actionTime(a *pb.FileAction) int64 {
	for _, at := range []int64{a.GetMkdir().GetTimestamp(), a.GetMkfile().GetTimestamp(), a.GetSymlink().GetTimestamp(), a.GetCopy().GetTimestamp()} {
		if at != 0 {
			return at
		}
	}
	return 0
}
