package state

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/llb/deb"
)

// The files are those of update-alternatives itself, where the machine has it.
func TestFilesAlternativesLikeDebian(t *testing.T) {
	program, err := exec.LookPath("update-alternatives")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"alt", "admin", "packages"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	at := func(name string) string { return filepath.Join(dir, "packages", name) }
	var all []Alternative
	for i, a := range []Alternative{
		{Priority: 10, Slaves: []Slave{{Name: "zz", Link: at("zz"), Path: at("zz.0")}, {Name: "aa", Link: at("aa"), Path: at("none")}}},
		{Priority: 90, Slaves: []Slave{{Name: "mm", Link: at("mm"), Path: at("mm.1")}, {Name: "aa", Link: at("aa"), Path: at("aa.1")}}},
		{Priority: -5},
	} {
		a.Name, a.Link, a.Path = "run", at("run"), at("run."+strconv.Itoa(i))
		all = append(all, a)
	}
	for _, name := range []string{"run.0", "run.1", "run.2", "zz.0", "mm.1", "aa.1"} {
		if err := os.WriteFile(at(name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	made, err := Files(Effects{Alternatives: all}, Image{Base: os.DirFS(t.TempDir()), Packages: os.DirFS("/")})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		args := []string{"--quiet", "--altdir", filepath.Join(dir, "alt"), "--admindir", filepath.Join(dir, "admin"), "--log", filepath.Join(dir, "log"),
			"--install", a.Link, a.Name, a.Path, strconv.Itoa(a.Priority)}
		for _, s := range a.Slaves {
			args = append(args, "--slave", s.Link, s.Name, s.Path)
		}
		if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	moved := strings.NewReplacer(linkDir, filepath.Join(dir, "alt"), adminDir, filepath.Join(dir, "admin"))
	links := 0
	for _, m := range made {
		if m.Kind == deb.Regular {
			if got, err := os.ReadFile(moved.Replace(m.Path)); err != nil || string(got) != string(m.Data) {
				t.Errorf("%s: %v\n%s\nDebian's:\n%s", m.Path, err, m.Data, got)
			}
			continue
		}
		links++
		if got, err := os.Readlink(moved.Replace(m.Path)); err != nil || got != moved.Replace(m.Link) {
			t.Errorf("%s leads to %s, Debian's to %s, %v", m.Path, m.Link, got, err)
		}
	}
	entries, err := os.ReadDir(filepath.Join(dir, "alt"))
	if err != nil || links != 2*len(entries) {
		t.Errorf("%d links; Debian has %d names, %v", links, len(entries), err)
	}
}
