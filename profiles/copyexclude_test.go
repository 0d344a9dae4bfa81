package profiles

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// resolved is the recipe of a project's files.
func resolved(t *testing.T, project memory) (*recipe.Recipe, error) {
	t.Helper()
	project["requirements.txt"] = ""
	p, err := Load(project.fs(), "")
	if err != nil {
		t.Fatal(err)
	}
	return p.Resolve(Selection{})
}

// TestCopyExclude: what a rule leaves out is not looked at, be it a secret or a file that cannot be copied, and the patterns are the project's.
func TestCopyExclude(t *testing.T) {
	_, err := resolved(t, memory{
		FileName:  "app:\n  command: [x]\n  copy:\n  - {from: ., exclude: [data, \"**/*.ipynb\", \"!data/keep.txt\"]}\n  - {from: src, to: lib, exclude: data}\n",
		"main.py": "", "data/big.bin": "x", "data/keep.txt": "", "data/.env": "SECRET=1", "a/b.ipynb": "", "src/x.py": "", "src/data/id_rsa": "",
	})
	if err == nil || !strings.Contains(err.Error(), "src/data/id_rsa") || strings.Contains(err.Error(), "data/.env") {
		t.Errorf("%v, want the secret that is copied, and no other", err)
	}
	r, err := resolved(t, memory{
		FileName:  "app:\n  command: [x]\n  copy:\n  - {from: ., exclude: [data, \"**/*.ipynb\", \"!data/keep.txt\"]}\n  - {from: src, to: lib, exclude: data}\n",
		"main.py": "", "data/keep.txt": "", "src/x.py": "", "src/data/y": "",
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]string{{"data", "**/*.ipynb", "!data/keep.txt"}, {"src/data"}} {
		if got := r.App.Copy[i].Exclude; !slices.Equal(got, want) {
			t.Errorf("rule %d leaves out %q, want %q", i, got, want)
		}
	}
	if _, err = resolved(t, memory{FileName: "app:\n  command: [x]\n  copy: [{from: ., exclude: [../x]}]\n"}); err == nil || !strings.Contains(err.Error(), "mlbuild.yaml:3:30") {
		t.Errorf("%v, want the place of a pattern that leads out", err)
	}
}

// TestLeftAtTop: mlbuild's own locks and environments by any name stay behind, unless app.copy or .dockerignore takes them.
func TestLeftAtTop(t *testing.T) {
	project := memory{
		FileName: "app: {copy: [.], command: [x]}\n", "mlbuild.lock": "", "pylock.cpu.toml": "", "pylock.gpu.toml": "", "env/pyvenv.cfg": "", "env/lib/x.py": "", "main.py": "", "sub/mlbuild.lock": "", "pylock.toml": "",
	}
	for name, c := range map[string]struct {
		change map[string]string
		left   []string
	}{
		"all":        {nil, []string{"env", "mlbuild.lock", "pylock.cpu.toml", "pylock.gpu.toml"}},
		"named":      {map[string]string{FileName: "app: {copy: [., mlbuild.lock], command: [x]}\n"}, []string{"env", "pylock.cpu.toml", "pylock.gpu.toml"}},
		"taken back": {map[string]string{".dockerignore": "!pylock.gpu.toml\n"}, []string{"env", "mlbuild.lock", "pylock.cpu.toml", "pylock.gpu.toml", "!pylock.gpu.toml"}},
	} {
		files := memory{}
		for _, from := range []map[string]string{project, c.change} {
			for file, text := range from {
				files[file] = text
			}
		}
		r, err := resolved(t, files)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.Index(r.App.Ignore, "**/.ruff_cache")
		if got := r.App.Ignore[i+1:]; !slices.Equal(got, c.left) {
			t.Errorf("%s: left out %q, want %q", name, got, c.left)
		}
	}
}

// TestOwnersByName: the image's user, and the accounts of every Debian.
func TestOwnersByName(t *testing.T) {
	r, err := resolved(t, memory{
		FileName: "user: {name: svc, uid: 2000, gid: 3000}\napp:\n  command: [x]\n  copy: [{from: a, owner: svc}, {from: b, owner: \"www-data:root\"}, {from: c, owner: nobody}, {from: d, owner: \"7:svc\"}]\n  dirs: [{path: /data, owner: root}]\n",
		"a":      "", "b": "", "c": "", "d": "",
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"2000:3000", "33:0", "65534:65534", "7:3000"} {
		if got := r.App.Copy[i].Owner; got != want {
			t.Errorf("owner %d is %s, want %s", i, got, want)
		}
	}
	if d := r.App.Dirs[0]; d.UID != 0 || d.GID != 0 {
		t.Errorf("directory %+v, want root's", d)
	}
	_, err = resolved(t, memory{FileName: "app: {command: [x], copy: [{from: a, owner: postgres}]}\n", "a": ""})
	if !fault.Is(err, fault.User) || !strings.Contains(err.Error(), `mlbuild.yaml:1:45: "postgres" is not an owner`) {
		t.Errorf("an unknown account: %v", err)
	}
}

// TestEverydayDestinations: /usr/local/bin, /etc and a working directory in /usr/src are open, and a note says so. What is there belongs to root.
func TestEverydayDestinations(t *testing.T) {
	r, err := resolved(t, memory{
		FileName: "app:\n  workdir: /usr/src/app\n  command: [x]\n  copy: [main.py, {from: run.sh, to: /usr/local/bin/}, {from: bin, to: /usr/local/bin}, {from: app.conf, to: /etc/app.conf, owner: app}, {from: x, to: /root/x}]\n" +
			"  dirs: [/usr/local/share/data]\n",
		"main.py": "", "run.sh": "", "bin/tool": "", "app.conf": "", "x": "",
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", "0:0", "0:0", "1000:1000", ""} {
		if got := r.App.Copy[i].Owner; got != want {
			t.Errorf("owner of %s is %q, want %q", r.App.Copy[i].To, got, want)
		}
	}
	notes := strings.Join(r.Notes, "\n")
	for _, want := range []string{"app.workdir lies in /usr/src of the system", "copied into directories of the system, as root's where no owner is named: /etc/app.conf, /usr/local/bin, /usr/local/bin/run.sh", "/root"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no note %q in:\n%s", want, notes)
		}
	}
	for text, want := range map[string]string{
		"copy: [{from: x, to: /etc/}]": "", "copy: [{from: etc, to: /etc}]": "belongs to the system", "copy: [{from: passwd, to: /etc/}]": "over /etc of the system", "copy: [{from: x, to: /usr/bin/}]": "lies in /usr",
		"workdir: /usr/src": "belongs to the system", "workdir: /usr/local/bin": "belongs to the system", "dirs: [/etc/x]": "belongs to the system", "workdir: /usr/lib/x": "belongs to the system",
	} {
		_, err := resolved(t, memory{FileName: "app: {command: [x], " + text + "}\n", "x": "", "passwd": "", "etc/x": ""})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// TestLargeCopies: what makes the whole project large is told, with the line that leaves it out.
func TestLargeCopies(t *testing.T) {
	big := strings.Repeat("x", 1<<20)
	project := memory{FileName: "app: {copy: [.], command: [x]}\n", "main.py": "", "requirements.txt": ""}
	files := project.fs()
	for _, name := range []string{"data/a", "data/b", "runs/c", "small/d"} {
		files[name] = &fstest.MapFile{Data: []byte(strings.Repeat(big, map[bool]int{true: 1, false: 80}[name == "small/d"])), Mode: 0o644}
	}
	p, err := Load(files, "")
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Resolve(Selection{})
	if err != nil {
		t.Fatal(err)
	}
	const want = `copying the whole project brings 252 MB into the image: data 167 MB, runs 83 MB (to leave them out: {from: ., exclude: ["data", "runs"]}, or .dockerignore)`
	if !slices.Contains(r.Notes, want) {
		t.Errorf("no note %s in %q", want, r.Notes)
	}
}

// TestHiddenFilesKeepTheirNames: of everything that is copied, a file and another one with a dot before the same name are two files.
func TestHiddenFilesKeepTheirNames(t *testing.T) {
	if _, err := resolved(t, memory{FileName: "app: {command: [x], copy: [.]}\n", ".settings": "", "settings": ""}); err != nil {
		t.Error(err)
	}
}
