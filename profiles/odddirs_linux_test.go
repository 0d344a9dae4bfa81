package profiles

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/projectdir"
)

// asNobody runs something that opens files as a user who owns none of them.
func asNobody(t *testing.T, do func()) {
	t.Helper()
	if os.Getuid() != 0 {
		do()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // the thread ends with the goroutine
		if err := syscall.Setfsuid(65534); err != nil {
			t.Error(err)
		}
		do()
	}()
	<-done
}

// TestDirectoriesOfOthers: a database's directory, which only its own user may list, lies in the project.
func TestDirectoriesOfOthers(t *testing.T) {
	for _, c := range []struct{ name, copied, ignored, want string }{
		{"a pattern for every depth", "\"**/*.json\"", "", "data/pgdata cannot be read"},
		{"a pattern for every depth, without it", "\"**/*.json\"", "data/pgdata\n", ""},
		{"a pattern above it", "\"*.json\"", "", ""},
		{"a pattern beside it", "\"data/*.json\"", "", ""},
		{"a pattern that reaches into it", "\"data/*/*.json\"", "", "data/pgdata cannot be read"},
		{"a pattern in it", "\"data/pgdata/*.json\"", "", "data/pgdata cannot be read"},
		{"the directory above", "data", "", "data/pgdata cannot be read"},
		{"the directory above, without it", "data", "data/pgdata\n", ""},
		{"all but one file is left out", "data", "data/*\n!data/a.json\n", ""},
		{"all but one file is left out, everywhere", "data", "data/*\n!**/a.json\n", ""},
		{"a file in it is wanted", "data", "data/*\n!data/a.json\n!data/pgdata/b.json\n", "data/pgdata cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, _ := small(t)
			for name, text := range map[string]string{"top.json": "{}", "data/a.json": "{}", "data/pgdata/b.json": "{}", ".dockerignore": c.ignored, FileName: "app: {copy: [main.py, top.json, " + c.copied + "]}\n"} {
				if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(filepath.Join(dir, "data/pgdata"), 0); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = os.Chmod(filepath.Join(dir, "data/pgdata"), 0o755) }()
			if err := os.Chmod(filepath.Dir(filepath.Dir(dir)), 0o755); err != nil {
				t.Fatal(err)
			}
			var err error
			asNobody(t, func() { err = inDirectory(t, dir) })
			if c.want == "" && err != nil || c.want != "" && (len(fault.All(err)) != 1 || !fault.Is(err, fault.Context) || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// linked is a small project in which links lie.
func linked(t *testing.T, yaml string, files, links map[string]string) (command string, notes []string, err error) {
	t.Helper()
	dir, _ := small(t)
	files[FileName] = yaml
	for name, text := range files {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range links {
		_ = os.Remove(filepath.Join(dir, name))
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	opened, err := projectdir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Load(opened, "")
	if err != nil {
		return "", nil, err
	}
	r, err := p.Resolve(Selection{Profile: "cpu"})
	if err != nil {
		return "", nil, err
	}
	return strings.Join(r.App.Command, " "), r.Notes, nil
}

// TestLinkedMain: the script that an image runs by default may be a link.
func TestLinkedMain(t *testing.T) {
	for _, c := range []struct{ name, link, to, want string }{
		{"main.py", "main.py", "src/serve.py", "python main.py"},
		{"app.py", "app.py", "src/serve.py", "python main.py"}, // main.py is there as a file, too
		{"another", "serve.py", "src/serve.py", "python main.py"},
	} {
		command, notes, err := linked(t, "name: x\n", map[string]string{"src/serve.py": ""}, map[string]string{c.link: c.to})
		if err != nil || command != c.want {
			t.Errorf("%s: %q, %v, %q", c.name, command, err, notes)
		}
	}
}

// TestLinksToNothing: a link in a copied directory to what is not copied is noted.
func TestLinksToNothing(t *testing.T) {
	files := map[string]string{"weights/w.bin": "1", "conf/a.json": "{}"}
	for _, c := range []struct{ name, copied, link, to, want string }{
		{"a file that is not copied", "conf", "conf/w.bin", "../weights/w.bin", "conf/w.bin → weights/w.bin;"},
		{"a directory that is not copied", "conf", "conf/w", "../weights", "conf/w → weights;"},
		{"nothing at all", "conf", "conf/x", "gone", "conf/x → conf/gone;"},
		{"a file that is copied", "conf, weights", "conf/w.bin", "../weights/w.bin", ""},
		{"a directory that is copied", "conf, weights", "conf/w", "../weights", ""},
		{"a file beside it", "conf", "conf/b.json", "a.json", ""},
		{"its own directory", "conf", "conf/here", ".", ""},
		{"named itself", "conf/w.bin", "conf/w.bin", "../weights/w.bin", ""},
	} {
		_, notes, err := linked(t, "app: {copy: [main.py, "+c.copied+"]}\n", files, map[string]string{c.link: c.to})
		said := strings.Join(notes, "\n")
		if err != nil || strings.Contains(said, "they lead nowhere") != (c.want != "") || !strings.Contains(said, c.want) {
			t.Errorf("%s: %v, %q", c.name, err, notes)
		}
	}
}

// TestLinkedRequirements: what a link out of the project is told to do helps: a requirements file cannot be left out.
func TestLinkedRequirements(t *testing.T) {
	for name, leavesOut := range map[string]bool{"requirements.txt": false, "conf/shared": true} {
		_, _, err := linked(t, "app: {copy: [main.py, conf]}\npython: {requirements: [requirements.txt]}\n", map[string]string{"conf/a": ""}, map[string]string{name: "../../shared.txt"})
		if err == nil {
			t.Fatal("no fault")
		}
		f := fault.All(err)[0]
		hints := strings.Join(f.Hints, "; ")
		if f.Code != fault.Context || !strings.Contains(hints, "into the project") || strings.Contains(hints, ".dockerignore") != leavesOut {
			t.Errorf("%s: %+v", name, f)
		}
	}
}
