package state

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/llb/deb"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// mapFS is a file system of these files.
func mapFS(files map[string]string) fstest.MapFS {
	m := fstest.MapFS{}
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	return m
}

var base = map[string]string{
	"etc/passwd":  "root:x:0:0:root:/root:/bin/bash\n_apt:x:100:65534::/nonexistent:/usr/sbin/nologin\n",
	"etc/group":   "root:x:0:\nadm:x:4:\nshadow:x:42:\nusers:x:100:\nnogroup:x:65534:\n",
	"etc/shadow":  "root:*:1::::::\n",
	"etc/gshadow": "root:*::",
}

// lines are the made files, one a line.
func lines(t *testing.T, made []deb.Made) []string {
	t.Helper()
	var all []string
	for _, m := range made {
		line := fmt.Sprintf("%s %s %o %d:%d", m.Path, m.Kind, m.Mode, m.UID, m.GID)
		if m.Kind == deb.Symlink {
			line = m.Path + " -> " + m.Link
		}
		all = append(all, line)
	}
	return all
}

func text(t *testing.T, made []deb.Made, path string) string {
	t.Helper()
	for _, m := range made {
		if m.Path == path {
			return string(m.Data)
		}
	}
	t.Fatalf("%s was not made", path)
	return ""
}

func files(t *testing.T, e Effects, packages map[string]string, more map[string]string) []deb.Made {
	t.Helper()
	b := mapFS(base)
	for name, file := range mapFS(more) {
		b[name] = file
	}
	made, err := Files(e, Image{Base: b, Packages: mapFS(packages)})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestFilesAccounts(t *testing.T) {
	e := Merge(Effects{Groups: []Group{{Name: "rdma"}, {Name: "adm"}}}, Effects{
		Groups: []Group{{Name: "_ssh"}, {Name: "rdma"}, {Name: "hsm", GID: 200}},
		Users: []User{{Name: "d", Group: "d", Home: "/var/lib/d", Shell: "/usr/sbin/nologin", Gecos: "A daemon", MakeHome: true}, {Name: "_apt"},
			{Name: "e", Home: "/nonexistent", Shell: "/bin/sh"}, {Name: "f", UID: 300, Group: "adm", Home: "/f", Shell: "/bin/sh"}},
		Dirs: []Dir{{Path: "/var/cache/d", Mode: 0o2750, User: "d", Group: "adm"}},
	})
	made := files(t, e, nil, nil)
	for path, want := range map[string]string{
		"/etc/group":   base["etc/group"] + "_ssh:x:101:\nhsm:x:200:\nrdma:x:102:\nd:x:103:\n",
		"/etc/passwd":  base["etc/passwd"] + "d:x:103:103:A daemon:/var/lib/d:/usr/sbin/nologin\ne:x:101:65534::/nonexistent:/bin/sh\nf:x:300:4::/f:/bin/sh\n",
		"/etc/shadow":  base["etc/shadow"] + "d:!:::::::\ne:!:::::::\nf:!:::::::\n",
		"/etc/gshadow": base["etc/gshadow"] + "\n_ssh:!::\nhsm:!::\nrdma:!::\nd:!::\n",
	} {
		if diff := cmp.Diff(want, text(t, made, path)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	want := []string{"/etc/group file 644 0:0", "/etc/gshadow file 640 0:42", "/etc/passwd file 644 0:0", "/etc/shadow file 640 0:42",
		"/var/cache/d dir 2750 103:4", "/var/lib/d dir 755 103:103"}
	if diff := cmp.Diff(want, lines(t, made)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if made := files(t, Effects{Groups: []Group{{Name: "adm"}}, Users: []User{{Name: "_apt"}}}, nil, nil); len(made) != 0 {
		t.Errorf("names that the base has: %v", lines(t, made))
	}
}

func TestFilesAlternatives(t *testing.T) {
	packages := map[string]string{"usr/bin/run.a": "", "usr/bin/run.b": "", "usr/bin/exec.b": ""}
	a := Effects{Alternatives: []Alternative{{Name: "run", Link: "/usr/bin/run", Path: "/usr/bin/run.a", Priority: 10}}}
	b := Effects{Alternatives: []Alternative{{Name: "run", Link: "/usr/bin/run", Path: "/usr/bin/run.b", Priority: 50, Slaves: []Slave{
		{Name: "run.1.gz", Link: "/usr/share/man/man1/run.1.gz", Path: "/usr/share/man/man1/run.b.1.gz"}, // left out as documentation
		{Name: "exec", Link: "/usr/bin/exec", Path: "/usr/bin/exec.b"},
	}}}}
	var first []deb.Made
	for _, e := range []Effects{Merge(a, b), Merge(b, a)} {
		made := files(t, e, packages, nil)
		want := []string{"/etc/alternatives/exec -> /usr/bin/exec.b", "/etc/alternatives/run -> /usr/bin/run.b", "/usr/bin/exec -> /etc/alternatives/exec",
			"/usr/bin/run -> /etc/alternatives/run", "/var/lib/dpkg/alternatives/run file 644 0:0"}
		if diff := cmp.Diff(want, lines(t, made)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		admin := "auto\n/usr/bin/run\nexec\n/usr/bin/exec\nrun.1.gz\n/usr/share/man/man1/run.1.gz\n\n" +
			"/usr/bin/run.a\n10\n\n\n/usr/bin/run.b\n50\n/usr/bin/exec.b\n/usr/share/man/man1/run.b.1.gz\n\n"
		if got := text(t, made, "/var/lib/dpkg/alternatives/run"); got != admin {
			t.Errorf("admin file:\n%s\nwant:\n%s", got, admin)
		}
		if first == nil {
			first = made
		}
		if diff := cmp.Diff(first, made); diff != "" {
			t.Errorf("the order of packages matters:\n%s", diff)
		}
	}
}

// What the base chose takes part; what its administrator set by hand stays.
func TestFilesAlternativesOfTheBase(t *testing.T) {
	e := Effects{Alternatives: []Alternative{{Name: "pager", Link: "/usr/bin/pager", Path: "/usr/bin/less", Priority: 77}}}
	packages := map[string]string{"usr/bin/less": ""}
	admin := func(status string, priority int) map[string]string {
		return map[string]string{"bin/more": "", "var/lib/dpkg/alternatives/pager": fmt.Sprintf("%s\n/usr/bin/pager\npager.1.gz\n/man/pager.1.gz\n\n/bin/more\n%d\n/man/more.1.gz\n\n", status, priority)}
	}
	for _, c := range []struct {
		status   string
		priority int
		want     string
	}{{"auto", 50, "/usr/bin/less"}, {"auto", 77, "/bin/more"}, {"auto", 100, "/bin/more"}, {"manual", 50, ""}} {
		made := files(t, e, packages, admin(c.status, c.priority))
		all := strings.Join(lines(t, made), "\n")
		if got := strings.Contains(all, "/etc/alternatives/pager -> "+c.want); got != (c.want != "") {
			t.Errorf("%s %d:\n%s", c.status, c.priority, all)
		}
		want := fmt.Sprintf("%s\n/usr/bin/pager\npager.1.gz\n/man/pager.1.gz\n\n/bin/more\n%d\n/man/more.1.gz\n/usr/bin/less\n77\n\n\n", c.status, c.priority)
		if got := text(t, made, "/var/lib/dpkg/alternatives/pager"); got != want {
			t.Errorf("admin file:\n%s\nwant:\n%s", got, want)
		}
	}
}

func TestFilesOwners(t *testing.T) {
	e := Effects{Groups: []Group{{Name: "_ssh"}}, Owners: []Owner{{Path: "/usr/bin/agent", Package: "ssh", User: "root", Group: "_ssh", Mode: 0o2755}},
		Links: []Link{{Path: "/etc/l", Target: "t"}}, Files: []File{{Path: "/etc/f", Text: "x"}}}
	made := files(t, e, map[string]string{"usr/bin/agent": "program"}, nil)
	if got := text(t, made, "/usr/bin/agent"); got != "program" {
		t.Errorf("contents: %q", got)
	}
	want := []string{"/etc/f file 644 0:0", "/etc/group file 644 0:0", "/etc/gshadow file 640 0:42", "/etc/l -> t", "/usr/bin/agent file 2755 0:101"}
	if diff := cmp.Diff(want, lines(t, made)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFilesRefuses(t *testing.T) {
	alternative := func(name, link, path string) Effects {
		return Effects{Alternatives: []Alternative{{Name: name, Link: link, Path: path, Slaves: []Slave{{Name: "s", Link: link + ".s", Path: "/s"}}}}}
	}
	full := "root:x:0:\n"
	for id := firstSystemID; id <= lastSystemID; id++ {
		full += fmt.Sprintf("g%d:x:%d:\n", id, id)
	}
	for _, c := range []struct {
		e    Effects
		base map[string]string
		want string
	}{
		{alternative("a", "/b", "/none"), nil, "/none is to be an alternative for a, but is not there"},
		{Merge(alternative("a", "/b", "/p"), alternative("a", "/c", "/p")), nil, "the alternatives for a do not agree: /b and /c"},
		{alternative("a", "/b", "/p"), map[string]string{"var/lib/dpkg/alternatives/a": "auto\nx\n"}, "alternatives/a is damaged"},
		{Effects{Owners: []Owner{{Path: "/none", User: "root", Group: "root"}}}, nil, "/none of  is to belong to root:root, but is no file"},
		{Effects{Dirs: []Dir{{Path: "/d", User: "root", Group: "none"}}}, nil, "the base's /etc/group has no none"},
		{Effects{Users: []User{{Name: "u", Group: "none"}}}, nil, "in the group none, which does not exist"},
		{Effects{Users: []User{{Name: "u", UID: 100}}}, nil, "the id 100, which another user of the base has"},
		{Effects{Groups: []Group{{Name: "u", GID: 4}}}, nil, "the id 4, which another group of the base has"},
		{Effects{Groups: []Group{{Name: "u"}}}, map[string]string{"etc/group": full}, "no free id"},
		{Effects{CACertificates: true}, nil, "/usr/share/ca-certificates holds no certificate"},
	} {
		b := mapFS(base)
		for name, file := range mapFS(c.base) {
			b[name] = file
		}
		_, err := Files(c.e, Image{Base: b, Packages: mapFS(map[string]string{"p": ""})})
		if !fault.Is(err, fault.Deb) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

func TestConflicts(t *testing.T) {
	e := Effects{Absent: []string{"/usr/share/schemas/*.xml", "/usr/bin/ucf"}}
	got := e.Conflicts([]string{"/usr/bin/ucf", "/usr/bin/ucfr", "/usr/share/schemas/a.xml", "/usr/share/schemas/b/a.xml", "/usr/share/schemas"})
	if diff := cmp.Diff([]string{"/usr/bin/ucf", "/usr/share/schemas/a.xml"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestFilesCopies: a file is made from one of a package; nothing else will do.
func TestFilesCopies(t *testing.T) {
	e := Effects{Copies: []Copy{{Path: "/etc/conf", From: "/usr/share/demo/conf"}}}
	made := files(t, e, map[string]string{"usr/share/demo/conf": "a=1\n"}, nil)
	if got := lines(t, made); len(got) != 1 || got[0] != "/etc/conf file 644 0:0" || text(t, made, "/etc/conf") != "a=1\n" {
		t.Errorf("%q", got)
	}
	if _, err := Files(e, Image{Base: mapFS(base), Packages: mapFS(nil)}); !fault.Is(err, fault.Deb) {
		t.Errorf("without the package's file: %v", err)
	}
}
