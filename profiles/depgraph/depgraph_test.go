package depgraph

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// project is a recipe that asks for packages in a file, in the project file, and limits others.
func project() *recipe.Recipe {
	r := &recipe.Recipe{Profile: "cpu", Platform: "linux/amd64", Python: recipe.Python{Version: "3.11"}}
	r.Requires.Files = []recipe.File{
		{Path: "requirements.txt", Data: "# web\napi[fast]>=1\nwinonly; sys_platform == 'win32'\nother\n", Top: true},
		{Path: "limits.txt", Data: "core<3\n", Limits: true},
	}
	r.Requires.Packages = []string{"tensorflow>=2.16"}
	r.Requires.Overrides = []string{"core==2.1"}
	r.Requires.Rename = map[string]string{"tensorflow": "tensorflow-cpu"}
	r.Requires.Places = map[string]fault.Position{"tensorflow>=2.16": {File: "mlbuild.yaml", Line: 7}}
	r.Requires.Parse()
	return r
}

func lockOf(via map[string][]string, packages ...string) *pylock.Lock {
	l := &pylock.Lock{Tool: pylock.Tool{Via: via}}
	for _, p := range packages {
		name, version, _ := strings.Cut(p, " ")
		l.Packages = append(l.Packages, pylock.Package{Name: name, Version: version})
	}
	return l
}

// text is a path on one line.
func text(p Path) string {
	var steps []string
	for _, n := range p {
		who := n.Place()
		if n.By != "" {
			who = n.By
			if n.Extra != "" {
				who += "[" + n.Extra + "]"
			}
		}
		steps = append(steps, fmt.Sprintf("%s: %s -> %s %s", who, n.Text, n.Package, n.Version))
	}
	return strings.Join(steps, " | ")
}

func texts(paths []Path) (all []string) {
	for _, p := range paths {
		all = append(all, text(p))
	}
	return all
}

// TestPathsOfALock: a lock alone knows names, and the project's lines come from the recipe.
func TestPathsOfALock(t *testing.T) {
	g := New(Sources{Recipe: project(), Lock: lockOf(
		map[string][]string{"core": {"api", "other"}, "other": {"api"}, "lost": {"app-of-nobody"}, "loop-a": {"loop-b"}, "loop-b": {"loop-a"}},
		"api 1.2", "other 5", "core 2.1", "tensorflow-cpu 2.20", "lost 1", "alone 1", "loop-a 1", "loop-b 1",
	)})
	for name, want := range map[string][]string{
		"core": {
			"requirements.txt:2: api[fast]>=1 -> api 1.2 | api:  -> core 2.1",
			"requirements.txt:4: other -> other 5 | other:  -> core 2.1",
			"requirements.txt:2: api[fast]>=1 -> api 1.2 | api:  -> other 5 | other:  -> core 2.1",
		},
		"tensorflow-cpu": {"mlbuild.yaml:7: tensorflow>=2.16 -> tensorflow-cpu 2.20"},
		"lost":           {"app-of-nobody:  -> lost 1"},
		"alone":          nil, "loop-a": nil, "winonly": nil,
	} {
		paths, more := g.Paths(name, 10)
		if diff := cmp.Diff(want, texts(paths)); diff != "" || more != 0 {
			t.Errorf("%s, and %d more:\n%s", name, more, diff)
		}
	}
	if paths, more := g.Paths("core", 1); len(paths) != 1 || more != 2 || len(paths[0]) != 2 {
		t.Errorf("the shortest of three: %v, %d more", texts(paths), more)
	}
	if diff := cmp.Diff([]string{"alone", "api", "core", "loop-a", "loop-b", "lost", "other", "tensorflow-cpu"}, g.Names()); diff != "" {
		t.Error(diff)
	}
}

// TestPathsOfMetadata: requirements come with their texts, and those of an extra once somebody wants it, however far down.
func TestPathsOfMetadata(t *testing.T) {
	g := New(Sources{
		Recipe: project(), Lock: lockOf(map[string][]string{"core": {"api", "built"}}, "api 1.2", "other 5", "core 2.1", "deep 1", "leaf 1", "unwanted 1", "built 1"),
		Requires: map[string][]string{
			"api":   {"core>=2,<4", "other[far]; extra == 'fast'", "unwanted; extra == 'slow'", "leaf; sys_platform == 'win32'", "absent>=1", "!!"},
			"other": {`deep[end]>=0.5 ; python_version >= "3.8" and extra == "far"`},
			"deep":  {"leaf==1; extra == 'end'"},
		},
	})
	for name, want := range map[string][]string{
		"leaf": {
			"requirements.txt:2: api[fast]>=1 -> api 1.2 | api[fast]: other[far]; extra == 'fast' -> other 5 | other[far]: deep[end]>=0.5 ; python_version >= \"3.8\" and extra == \"far\" -> deep 1 | " +
				"deep[end]: leaf==1; extra == 'end' -> leaf 1",
		},
		"unwanted": nil,
		"core": {
			"requirements.txt:2: api[fast]>=1 -> api 1.2 | api: core>=2,<4 -> core 2.1",
			"built:  -> core 2.1",
		},
	} {
		paths, _ := g.Paths(name, 10)
		if diff := cmp.Diff(want, texts(paths)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	var limits []string
	for _, n := range g.Limits("core") {
		limits = append(limits, n.By+n.Place()+" "+n.Text)
	}
	if diff := cmp.Diff([]string{"api core>=2,<4", "limits.txt:1 core<3", "python.overrides core==2.1"}, limits); diff != "" {
		t.Error(diff)
	}
	if n := g.Needs("other"); len(n) != 2 || n[1].Marker != "extra == 'fast'" || n[1].Extra != "fast" {
		t.Errorf("%+v", n)
	}
}

// TestManyPaths: in a graph with more paths than can be counted the search ends, with the shortest ones.
func TestManyPaths(t *testing.T) {
	via, packages := map[string][]string{}, []string{"api 1"}
	for level := range 14 {
		for i := range 4 {
			name := fmt.Sprintf("p%d-%d", level, i)
			packages = append(packages, name+" 1")
			if level == 0 {
				via[name] = []string{"api"}
				continue
			}
			for j := range 4 {
				via[name] = append(via[name], fmt.Sprintf("p%d-%d", level-1, j))
			}
		}
	}
	g := New(Sources{Recipe: project(), Lock: lockOf(via, packages...)})
	paths, more := g.Paths("p13-0", 5)
	if len(paths) != 5 || len(paths[0]) != 15 || more == 0 {
		t.Errorf("%d paths of %d needs, %d more", len(paths), len(paths[0]), more)
	}
}

// TestFilesAndDirectories: a requirement without a name is known by what the lock has from that place.
func TestFilesAndDirectories(t *testing.T) {
	r := project()
	r.Requires.Files = []recipe.File{{Path: "requirements.txt", Data: "./libs/tool\nhttps://example.com/w/pkg-1-py3-none-any.whl\ngit+https://example.com/own.git@main\n", Top: true}}
	r.Requires.Parse()
	l := lockOf(nil, "tool ", "pkg 1", "own 2")
	l.Packages[0].Directory = &pylock.Source{Type: pylock.Directory, Path: "libs/tool"}
	l.Packages[1].Wheels = []pylock.File{{Name: "pkg-1-py3-none-any.whl", URL: "https://example.com/w/pkg-1-py3-none-any.whl"}}
	l.Packages[2].VCS = &pylock.Source{Type: pylock.Git, URL: "https://example.com/own.git"}
	g := New(Sources{Recipe: r, Lock: l})
	for name, line := range map[string]int{"tool": 1, "pkg": 2, "own": 3} {
		if paths, _ := g.Paths(name, 2); len(paths) != 1 || paths[0][0].Line != line {
			t.Errorf("%s: %v", name, texts(paths))
		}
	}
}

func TestSystem(t *testing.T) {
	lock := &buildlock.Lock{Systems: []buildlock.System{{
		Image: "docker.io/library/python:3.11-slim", Platform: "linux/amd64", Profiles: []string{"cpu"}, Asked: []string{"ffmpeg=7:5.1", "zlib1g"}, Present: []string{"zlib1g 1:1.2.13"},
		Packages: []buildlock.Package{{Name: "ffmpeg", Version: "7:5.1", Size: 10}, {Name: "libx264-164", Version: "2:0.164", Size: 20, Replaces: "1"}},
	}}}
	want := map[string][]SystemPackage{
		"ffmpeg":      {{Name: "ffmpeg", Version: "7:5.1", Size: 10, Asked: true, Image: "docker.io/library/python:3.11-slim", Platform: "linux/amd64"}},
		"zlib1g":      {{Name: "zlib1g", Version: "1:1.2.13", Asked: true, Present: true, Image: "docker.io/library/python:3.11-slim", Platform: "linux/amd64"}},
		"libx264-164": {{Name: "libx264-164", Version: "2:0.164", Size: 20, Replaces: "1", For: []string{"ffmpeg=7:5.1", "zlib1g"}, Image: "docker.io/library/python:3.11-slim", Platform: "linux/amd64"}},
		"curl":        nil,
	}
	for name, found := range want {
		if diff := cmp.Diff(found, System(lock, "cpu", name)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	if System(lock, "gpu", "ffmpeg") != nil {
		t.Error("another profile's list counts")
	}
	if diff := cmp.Diff([]string{"ffmpeg", "libx264-164", "zlib1g"}, SystemNames(lock)); diff != "" {
		t.Error(diff)
	}
}

// TestSystemPaths: who depends on whom by control files, with folded lines, alternatives, packages that others provide, and a package of another architecture's name.
func TestSystemPaths(t *testing.T) {
	list := &buildlock.System{Asked: []string{"git", "tini=0.19"}, Packages: []buildlock.Package{
		{Name: "git", Version: "1:2.39"}, {Name: "libcurl3", Version: "7.88"}, {Name: "libssh2-1", Version: "1.10"}, {Name: "exim4", Version: "4"}, {Name: "tini", Version: "0.19"},
	}}
	g := NewSystem(list, `Package: git
Pre-Depends: libcurl3:any (>= 7.56),
 libc6 (>= 2.36)
Depends: mail-transport-agent, absent | git

Package: libcurl3
Depends: libssh2-0 | libssh2-1 (>= 1.7.0)

Package: exim4
Provides: default-mta, mail-transport-agent (= 1)

Package: libssh2-1

`, map[string]fault.Position{"git": {File: "mlbuild.yaml", Line: 9}})
	for name, want := range map[string][]string{
		"libssh2-1": {"mlbuild.yaml:9: git -> git 1:2.39 | git: libcurl3:any (>= 7.56) -> libcurl3 7.88 | libcurl3: libssh2-0 | libssh2-1 (>= 1.7.0) -> libssh2-1 1.10"},
		"exim4":     {"mlbuild.yaml:9: git -> git 1:2.39 | git: mail-transport-agent -> exim4 4"},
		"tini":      {"mlbuild itself: tini=0.19 -> tini 0.19"},
		"libc6":     nil,
	} {
		paths, more := g.Paths(name, 5)
		if diff := cmp.Diff(want, texts(paths)); diff != "" || more != 0 {
			t.Errorf("%s, %d more:\n%s", name, more, diff)
		}
	}
}
