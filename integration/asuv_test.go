package integration

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/pylock"
)

// asUV is an input of testdata/asuv: a project, and how uv is told to install its packages. The lines before the files are
//
//	python 3.9         the project's Python, 3.11 if there is none
//	real               packages come from the default index; without the line they come from a stand-in
//	image              an image is built and read back; otherwise the wheels that are chosen are installed as layers have them
//	first ARGS…        uv is run in the project before both, to lock it
//	uv ARGS…           how uv installs
//	refused TEXT       uv refuses that, and what mlbuild says of it has the text
//
// and the file python.yaml is what mlbuild.yaml says below the key python.
type asUV struct {
	t      *testing.T
	x      *asUVIndex
	venv   string // where uv installs
	name   string
	python string // "3.11"
	exe    string // of that Python here
	full   string // its whole version
	image  bool
	real   bool
	uv     []string
	says   string // by what mlbuild refuses the input; "" = it is installed
	*project
}

// TestImageIsAsUVInstalls compares the files that uv installs with those of the image, for inputs of every kind.
func TestImageIsAsUVInstalls(t *testing.T) {
	all, err := filepath.Glob("testdata/asuv/*.txtar")
	if err != nil || len(all) == 0 {
		t.Fatal(err, "no inputs")
	}
	x := newAsUVIndex(t)
	for _, file := range all {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			c := readAsUV(t, x, file)
			if c.says != "" {
				c.refused()
				return
			}
			want := lines(c.installed())
			got := c.laidDown
			if c.image {
				got = c.built
			}
			if d := onlyIn(want, lines(got())); d != "" {
				t.Errorf("%s", d)
			}
		})
	}
}

// lines are files, one a line, sorted.
func lines(files map[string]string) []string {
	var all []string
	for name, says := range files {
		all = append(all, name+" "+says)
	}
	slices.Sort(all)
	return all
}

// onlyIn lists what is in one alone.
func onlyIn(uv, image []string) string {
	var b strings.Builder
	for _, line := range uv {
		if !slices.Contains(image, line) {
			b.WriteString("uv alone:    " + line + "\n")
		}
	}
	for _, line := range image {
		if !slices.Contains(uv, line) {
			b.WriteString("image alone: " + line + "\n")
		}
	}
	return b.String()
}

// readAsUV reads an input and lays out its project.
func readAsUV(t *testing.T, x *asUVIndex, file string) asUV {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c := asUV{t: t, x: x, venv: filepath.Join(t.TempDir(), "venv"), name: strings.TrimSuffix(filepath.Base(file), ".txtar"), python: "3.11"}
	var first [][]string
	for line := range strings.Lines(string(archive.Comment)) {
		switch words := strings.Fields(x.expand(line)); {
		case len(words) == 0 || words[0] == "#":
		case words[0] == "python":
			c.python = words[1]
		case words[0] == "image":
			c.image = true
		case words[0] == "real":
			c.real = true
		case words[0] == "first":
			first = append(first, words[1:])
		case words[0] == "uv":
			c.uv = words[1:]
		case words[0] == "refused":
			c.says = strings.Join(words[1:], " ")
		default:
			t.Fatalf("%s: %q is unknown", file, line)
		}
	}
	files := map[string]string{}
	for _, f := range archive.Files {
		files[f.Name] = x.expand(string(f.Data))
	}
	index := fmt.Sprintf("  indexes: [{name: stand-in, url: %q, default: true}]\n", x.Simple())
	if c.real {
		index = ""
	}
	files["mlbuild.yaml"] = fmt.Sprintf("version: 1\nname: same\napp: {copy: [], command: [python]}\npython:\n  version: %q\n", c.python) + index + indented(files["python.yaml"])
	delete(files, "python.yaml")
	c.exe, c.full = interpreter(t, c.python)
	c.project = newProject(t, files)
	x.wheelsInto(c.project)
	for _, args := range first {
		c.run(c.dir, append(args, "--python", c.exe)...)
	}
	return c
}

func indented(text string) string {
	return regexp.MustCompile(`(?m)^(.)`).ReplaceAllString(text, "  $1")
}

var wholeVersion = regexp.MustCompile(`^Python (3\.[0-9]+\.[0-9]+)`)

// interpreter finds a Python of a minor version on this machine. That of the system comes first: the stand-in base has the same.
func interpreter(t *testing.T, minor string) (exe, version string) {
	t.Helper()
	found := []string{"/usr/bin/python" + minor}
	for _, pattern := range []string{".pyenv/versions/" + minor + ".*/bin/python" + minor, ".local/share/uv/python/cpython-" + minor + ".*/bin/python" + minor} {
		more, _ := filepath.Glob(filepath.Join(os.Getenv("HOME"), pattern)) // the pattern is well formed
		found = append(found, more...)
	}
	if exe, err := exec.LookPath("python" + minor); err == nil {
		found = append(found, exe)
	}
	for _, exe := range found {
		out, err := exec.Command(exe, "--version").Output()
		if m := wholeVersion.FindStringSubmatch(string(out)); err == nil && m != nil && strings.HasPrefix(m[1], minor+".") {
			return exe, m[1]
		}
	}
	testbed.SkipMissing(t, &testbed.MissingError{What: "there is no Python " + minor, Remedy: "uv python install " + minor})
	return "", ""
}

// run runs uv in a directory.
func (c asUV) run(dir string, args ...string) {
	c.t.Helper()
	if out, err := c.tried(dir, args...); err != nil {
		c.t.Fatalf("uv %q: %v\n%s", args, err, out)
	}
}

// tried runs uv in a directory, with the stand-in as its default index.
func (c asUV) tried(dir string, args ...string) ([]byte, error) {
	cmd := exec.Command("uv", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "UV_CACHE_DIR="+c.x.cache, "UV_PYTHON_DOWNLOADS=never", "UV_LINK_MODE=copy",
		"VIRTUAL_ENV="+c.venv, "UV_PROJECT_ENVIRONMENT="+c.venv, "NO_PROXY=127.0.0.1")
	if !c.real {
		cmd.Env = append(cmd.Env, "UV_DEFAULT_INDEX="+c.x.Simple())
	}
	return cmd.CombinedOutput()
}

// refused holds that neither uv nor mlbuild installs the input.
func (c asUV) refused() {
	c.t.Helper()
	c.run(c.dir, "venv", "--quiet", "--no-project", "--python", c.exe, c.venv)
	if out, err := c.tried(c.dir, c.uv...); err == nil {
		c.t.Errorf("uv installs it:\n%s", out)
	}
	got := c.resolved()
	if got.lock != nil {
		if _, err := got.choose(); err != nil {
			got.lock, got.said = nil, err.Error()
		}
	}
	if got.lock != nil || !strings.Contains(got.said, c.says) {
		c.t.Errorf("mlbuild has the lock\n%s\nand says\n%s", got.text, got.said)
	}
}

// resolved is what uv is asked for by a build, or the project's lock.
func (c asUV) resolved() resolved {
	c.t.Helper()
	v := c.variant("cpu")
	got := resolved{recipe: v.Recipes[0], python: c.full}
	if q := got.recipe.Requires; q.From == "" || q.From != q.Lock {
		return here{t: c.t, x: c.x.Index, dir: c.dir, python: c.full, env: []string{"UV_PYTHON=" + c.exe, "UV_CACHE_DIR=" + c.x.cache}}.resolve(got.recipe)
	}
	var err error
	if got.lock, err = pylock.Parse(got.recipe.Requires.Lock, v.Lock); err != nil {
		c.t.Fatal(err)
	}
	return got
}

// installed has uv install the project's packages into an environment of its own, and reads its files.
func (c asUV) installed() map[string]string {
	c.t.Helper()
	dir := c.t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(c.dir)); err != nil {
		c.t.Fatal(err)
	}
	c.run(dir, "venv", "--quiet", "--no-project", "--python", c.exe, c.venv)
	skeleton := c.filesBelow(c.venv)
	c.run(dir, c.uv...)
	files := c.filesBelow(c.venv)
	for name := range skeleton {
		delete(files, name)
	}
	delete(files, ".lock") // of uv itself
	delete(files, "bin/pip"+c.python)
	return files
}

// laidDown chooses the wheels as a build does, and installs them as a build's helper does.
func (c asUV) laidDown() map[string]string {
	c.t.Helper()
	got := c.resolved()
	if got.lock == nil {
		c.t.Fatalf("uv says:\n%s", got.said)
	}
	wheels, err := got.choose()
	if err != nil {
		c.t.Fatal(err)
	}
	dir := c.t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		c.t.Fatal(err)
	}
	defer root.Close()
	for _, w := range wheels {
		if w.Source != nil {
			c.t.Fatalf("%s has to be built, which takes an image", w.Name)
		}
		if _, err := wheel.Install(root, c.fetched(w), wheel.Options{Python: c.python, Replace: true}); err != nil {
			c.t.Fatal(err)
		}
	}
	return c.filesBelow(filepath.Join(dir, "opt/venv"))
}

// fetched is a wheel's file on this machine.
func (c asUV) fetched(w pylock.Wheel) string {
	c.t.Helper()
	if w.Path != "" {
		return filepath.Join(c.dir, w.Path)
	}
	file := filepath.Join(c.t.TempDir(), w.Filename)
	if err := os.WriteFile(file, c.x.get(c.t, w.URL), 0o644); err != nil {
		c.t.Fatal(err)
	}
	return file
}

// built builds the image and reads the files of its environment.
func (c asUV) built() map[string]string {
	c.t.Helper()
	tb := testbed.Shared(c.t)
	repo := "asuv:" + c.name
	mustBuild(c.t, connect(c.t, tb.Daemon.Addr()), c.request(c.variant("cpu", tb.Registry.Ref(repo))))
	image := readBack(c.t, tb.Registry, repo)
	within := func(name string) bool { return strings.HasPrefix(name, "opt/venv/") }
	data := image.read(within)
	files := map[string]string{}
	for name, e := range image.tree {
		if layer := image.layers[e.Layer]; within(name) && !strings.Contains(layer.createdBy, "skeleton") && data[name] != nil {
			addFile(files, strings.TrimPrefix(name, "opt/venv/"), data[name], fs.FileMode(e.Mode), "/opt/venv")
		}
	}
	return files
}

// filesBelow reads the files of an environment.
func (c asUV) filesBelow(venv string) map[string]string {
	c.t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(venv, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(venv, file)
		addFile(files, filepath.ToSlash(name), data, info.Mode(), venv)
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return files
}

// notCompared are the files that say who installed a package and how: docs/wheels.md says why they differ.
var notCompared = []string{"INSTALLER", "REQUESTED", "uv_cache.json", "uv_build.json"}

// forWindows is what uv's programs of entry points have beside mlbuild's.
const forWindows = `    if sys.argv[0].endswith("-script.pyw"):
        sys.argv[0] = sys.argv[0][:-11]
    elif sys.argv[0].endswith(".exe"):
        sys.argv[0] = sys.argv[0][:-4]
`

// addFile notes mode and contents of a file, without the environment's path in the first line of a script.
func addFile(files map[string]string, name string, data []byte, mode fs.FileMode, venv string) {
	dir, base := path.Split(name)
	info := strings.HasSuffix(dir, ".dist-info/")
	switch {
	case strings.Contains(name, "/__pycache__/"), info && slices.Contains(notCompared, base), base == "direct_url.json" && bytes.Contains(data, []byte("file://")):
		return
	case info && base == "RECORD":
		files[name] = "is there"
		return
	case info && base == "direct_url.json":
		files[name] = sameJSON(data)
		return
	}
	text := strings.Replace(strings.Replace(string(data), "#!"+venv+"/bin/", "#!", 1), forWindows, "", 1)
	sum := sha256.Sum256([]byte(text))
	files[name] = fmt.Sprintf("%o %s", mode.Perm(), hex.EncodeToString(sum[:6]))
}

// sameJSON is an object with its keys in order, without the hash that uv leaves out.
func sameJSON(data []byte) string {
	var value map[string]any
	if err := json.Unmarshal(data, &value); err != nil {
		return err.Error()
	}
	delete(value, "archive_info")
	ordered, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(ordered)
}
