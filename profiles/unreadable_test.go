package profiles

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/projectdir"
)

// inDirectory resolves a project that lies in a directory.
func inDirectory(t *testing.T, dir string) error {
	t.Helper()
	files, err := projectdir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Load(files, "")
	if err != nil {
		return err
	}
	_, err = p.Resolve(Selection{Profile: "cpu"})
	return err
}

// small is a project with a secret outside of it.
func small(t *testing.T) (dir, secret string) {
	t.Helper()
	top := t.TempDir()
	dir, secret = filepath.Join(top, "project"), filepath.Join(top, "netrc")
	for name, text := range map[string]string{
		secret: "machine a login b password hunter2hunter2\n", filepath.Join(dir, "main.py"): "", filepath.Join(dir, "requirements.txt"): "idna==3.10\n",
		filepath.Join(dir, FileName): "app: {copy: [.], command: [python, main.py]}\n",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir, secret
}

// TestLinksPrintNothing: whichever file of a project is a link to one outside, what that holds is in no fault.
func TestLinksPrintNothing(t *testing.T) {
	for _, name := range []string{FileName, "requirements.txt", ".python-version", ".dockerignore", "pyproject.toml", "uv.lock", "poetry.lock", "pylock.cpu.toml", "Pipfile.lock", "constraints.txt"} {
		dir, secret := small(t)
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(secret, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		err := inDirectory(t, dir)
		for _, f := range fault.All(err) {
			if strings.Contains(f.Message+f.Snippet+strings.Join(f.Hints, ""), "hunter2") {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if err == nil && name != "Pipfile.lock" && name != "constraints.txt" && name != "pylock.cpu.toml" { // which nobody names
			t.Errorf("%s leads out of the project: no fault", name)
		}
	}
}

// TestPipesDoNotHang: a pipe in the place of a project's file is refused at once.
func TestPipesDoNotHang(t *testing.T) {
	for _, name := range []string{FileName, "requirements.txt", ".python-version", ".dockerignore", "pyproject.toml", "uv.lock", "main.py"} {
		dir, _ := small(t)
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := inDirectory(t, dir); err == nil || fault.Is(err, fault.Internal) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOddDockerignore: what cannot be read as patterns is a fault with file and line, because what it leaves out would be in the image.
func TestOddDockerignore(t *testing.T) {
	for text, says := range map[string]string{
		"\xff\xfes\x00r\x00c\x00":     ".dockerignore:1: .dockerignore is not text in UTF-8; it looks like UTF-16",
		"\xfe\xff\x00s\x00r\x00c":     ".dockerignore:1: .dockerignore is not text in UTF-8; it looks like UTF-16",
		"s\x00r\x00c\x00":             ".dockerignore:1: .dockerignore is not text in UTF-8; it looks like UTF-16",
		"a\nsrc/secret.txt\t# no\n":   `.dockerignore:2: a pattern holds the control character "\t"`,
		"a\rb\r":                      `.dockerignore:1: a pattern holds the control character "\r"`,
		"a\n\nb\n\x1a":                `.dockerignore:4: a pattern holds the control character "\x1a"`,
		"a\u0085b":                    `.dockerignore:1: a pattern holds the control character "\u`,
		"# a\tcomment\n\t indented\t": "", "\ufeffbom\r\n": "", "naïve\n": "", "latin\xe9\n": "",
	} {
		dir, _ := small(t)
		if err := os.WriteFile(filepath.Join(dir, ".dockerignore"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		err := inDirectory(t, dir)
		if says == "" && err != nil || says != "" && (!fault.Is(err, fault.Context) || !strings.Contains(err.Error(), says)) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for name, make := range map[string]func(path string) error{
		"a directory": func(path string) error { return os.Mkdir(path, 0o755) },
		"unreadable":  func(path string) error { return os.WriteFile(path, nil, 0) },
	} {
		if name == "unreadable" && os.Getuid() == 0 {
			continue // root reads it
		}
		dir, _ := small(t)
		if err := make(filepath.Join(dir, ".dockerignore")); err != nil {
			t.Fatal(err)
		}
		if err := inDirectory(t, dir); !fault.Is(err, fault.Context) || !strings.Contains(err.Error(), ".dockerignore cannot be read, and what it leaves out would be in the image") {
			t.Errorf("%s: %v", name, err)
		}
	}
	denied := denying{}
	if got := func() error {
		p, err := Load(denied, "")
		if err != nil {
			return err
		}
		_, err = p.Resolve(Selection{Profile: "cpu"})
		return err
	}(); !fault.Is(got, fault.Context) || !strings.Contains(got.Error(), "permission denied") {
		t.Errorf("without permission: %v", got)
	}
}

// denying is a project whose .dockerignore this user may not read.
type denying struct{}

// Open implements fs.FS.
func (denying) Open(name string) (fs.File, error) {
	if name == ".dockerignore" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return memory{FileName: "app: {copy: [main.py], command: [python, main.py]}\n", "main.py": "", "requirements.txt": "idna==3.10\n"}.fs().Open(name)
}
