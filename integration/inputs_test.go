package integration

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// inputsIndex holds small stand-ins of the packages in docs/inputs.md.
func inputsIndex(t *testing.T, opt testbed.IndexOptions) *testbed.Index {
	t.Helper()
	x := testbed.NewIndex(t, opt)
	add := func(index, name, version string, requires ...string) {
		x.AddWheel(index, name, version, "py3-none-any", map[string]string{strings.ReplaceAll(name, "-", "_") + "/__init__.py": ""}, wheeltest.Requires(requires...))
	}
	for _, v := range []string{"1.26.4", "2.1.3", "2.2.6"} {
		add("simple", "numpy", v)
	}
	add("simple", "pandas", "2.1.4", "numpy<2")
	add("simple", "pandas", "2.3.3", "numpy>=1.26")
	add("simple", "flask", "3.1.0", "click")
	add("simple", "click", "8.1.8")
	add("simple", "gunicorn", "23.0.0")
	add("simple", "pytest", "8.3.4")
	for version, age := range map[string]time.Duration{"1.0": 30 * 24 * time.Hour, "1.1": time.Hour, "1.2": 40 * 24 * time.Hour} {
		for _, name := range []string{"steady", "urgent"} {
			add("simple", name, version)
			x.Publish("simple", wheeltest.Filename(name, version, "py3-none-any"), time.Now().Add(-age), version == "1.2")
		}
	}
	add("simple", "old-sdk", "1.0", "numpy<1.20", "not-there-any-more")
	add("team", "team-lib", "1.4", "numpy")
	add("team", "numpy", "1.26.4")
	add("pages", "scatter", "2.1.2+pt29", "numpy")
	add("simple", "scatter", "2.1.2", "numpy")
	return x
}

// section is an example of the document: files, and the packages that must come of them.
type section struct {
	title   string
	files   map[string]string
	results map[string][]string // profile → "name version"
	locks   bool                // uv lock is run first
}

// sections reads the examples: the info string of a block is its language and its file, or "text" and "result", with a profile behind it.
func sections(t *testing.T, doc, address string) []section {
	t.Helper()
	data, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("https://packages.example", address, "https://download.pytorch.org", address).Replace(string(data))
	var all []section
	for _, part := range strings.Split(text, "\n## ")[1:] {
		title, body, _ := strings.Cut(part, "\n")
		s := section{title: title, files: map[string]string{"main.py": ""}, results: map[string][]string{}}
		for i, block := range strings.Split(body, "```") {
			info, content, _ := strings.Cut(block, "\n")
			words := strings.Fields(info)
			switch {
			case i%2 == 0 || len(words) < 2:
			case words[1] == "result":
				profile := append(words, "cpu")[2]
				s.results[profile] = strings.Split(strings.TrimSpace(content), "\n")
			case words[1] == "run":
				s.locks = strings.TrimSpace(content) == "uv lock"
			default:
				s.files[words[1]] = content
			}
		}
		if len(s.results) > 0 {
			all = append(all, s)
		}
	}
	return all
}

// TestDocumentedInputs resolves every example of docs/inputs.md with the real uv.
func TestDocumentedInputs(t *testing.T) {
	x := inputsIndex(t, testbed.IndexOptions{})
	all := sections(t, "../docs/inputs.md", x.URL)
	gunicorn := x.Sum("simple", wheeltest.Filename("gunicorn", "23.0.0", "py3-none-any"))
	if len(all) < 8 {
		t.Errorf("only %d examples were found", len(all))
	}
	for _, s := range all {
		t.Run(strings.ReplaceAll(s.title, " ", "-"), func(t *testing.T) {
			for name, data := range s.files {
				s.files[name] = strings.NewReplacer("sha256:SUM", "sha256:"+gunicorn, "sha256 = \"SUM\"", "sha256 = \""+gunicorn+"\"").Replace(data)
			}
			s.files["mlbuild.yaml"] = "pytorch_index: " + x.URL + "/whl\n" + s.files["mlbuild.yaml"]
			p := newProject(t, s.files)
			if s.locks {
				p.uvLock("UV_DEFAULT_INDEX=" + x.Simple())
			}
			for profile, want := range s.results {
				got := here{t: t, x: x}.packages(p, profile)
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("%s (-want +got):\n%s", profile, d)
				}
			}
		})
	}
}

// uvLock runs uv lock in the project, with variables beside the environment's.
func (p *project) uvLock(env ...string) {
	p.t.Helper()
	cmd := exec.Command("uv", "lock", "--quiet")
	cmd.Dir = p.dir
	cmd.Env = append(append(os.Environ(), "UV_CACHE_DIR="+p.t.TempDir(), "UV_PYTHON_DOWNLOADS=never"), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("%v\n%s", err, out)
	}
}

// TestCooldown: a version that is too young is not taken even where nothing else would do, and an index that does not tell times is not trusted.
func TestCooldown(t *testing.T) {
	x := inputsIndex(t, testbed.IndexOptions{})
	for _, requirement := range []string{"steady==1.1", "gunicorn"} {
		p := newProject(t, map[string]string{"main.py": "", "mlbuild.yaml": "python: {version: \"3.11\", packages: [" + requirement + "], cooldown: 7d}\n"})
		if got := (here{t: t, x: x}).resolve(p.variant("cpu").Recipes[0]); got.lock != nil || !strings.Contains(got.said, "was filtered by `exclude-newer`") {
			t.Errorf("%s: %s%s", requirement, got.text, got.said)
		}
	}
	p := newProject(t, map[string]string{"main.py": "", "mlbuild.yaml": "python: {version: \"3.11\", packages: [\"steady==1.2\"]}\n"})
	if got := (here{t: t, x: x}).packages(p, "cpu"); !slices.Equal(got, []string{"steady 1.2"}) {
		t.Errorf("a yanked version by its name: %q", got)
	}
}

// TestHashesOfRequirements: a file whose hash the requirements do not name is not taken, whatever the index says.
func TestHashesOfRequirements(t *testing.T) {
	x := inputsIndex(t, testbed.IndexOptions{})
	good := x.Sum("simple", wheeltest.Filename("numpy", "2.1.3", "py3-none-any"))
	x.AddWheel("simple", "numpy", "2.1.3", "cp311-cp311-manylinux_2_28_x86_64", map[string]string{"numpy/fast.so": "x"}) // preferred, and not named
	resolve := func(sum string) resolved {
		p := newProject(t, map[string]string{"main.py": "", "requirements.txt": fmt.Sprintf("numpy==2.1.3 \\\n    --hash=sha256:%s\n", sum)})
		return here{t: t, x: x}.resolve(p.variant("cpu").Recipes[0])
	}
	wheels, err := resolve(good).choose()
	if err != nil || len(wheels) != 1 || wheels[0].SHA256 != good {
		t.Errorf("chosen %v, %v", wheels, err)
	}
	_, err = resolve(strings.Repeat("ab", 32)).choose()
	want{fault.Digest, []string{"numpy 2.1.3", "no", "hash that the project's requirements allow"}, []string{"never change"}, false}.check(t, err)
}

// TestIndexOptionsOfRequirements: what pip reads from a requirements file is an index of the recipe, and no line of uv's any more.
func TestIndexOptionsOfRequirements(t *testing.T) {
	x := inputsIndex(t, testbed.IndexOptions{})
	p := newProject(t, map[string]string{"main.py": "", "requirements.txt": fmt.Sprintf(
		"--index-url %s\n--extra-index-url=%s/team --trusted-host 127.0.0.1\n-f %s/pages/links.html\n-r more.txt\nscatter\n", x.Simple(), x.URL, x.URL),
		"more.txt": "--extra-index-url \\\n  " + x.Torch("cu126") + "\ntorch\nteam-lib\n"})
	for profile, torch := range map[string]string{"cpu": "torch 2.9.1+cpu", "gpu": "torch 2.9.1+cu126"} {
		got := here{t: t, x: x}.packages(p, profile)
		for _, want := range []string{torch, "scatter 2.1.2+pt29", "team-lib 1.4"} {
			if !slices.Contains(got, want) {
				t.Errorf("%s: no %s in %v", profile, want, got)
			}
		}
		if hasCUDA := slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "nvidia-") }); hasCUDA != (profile == "gpu") {
			t.Errorf("%s: %v", profile, got)
		}
		r := p.variant(profile).Recipes[0]
		for _, f := range r.Requires.Files {
			if strings.Contains(f.Data, "://") {
				t.Errorf("uv still reads an index in %s:\n%s", f.Path, f.Data)
			}
		}
	}
	if got := p.variant("gpu").Recipes[0].Accelerator.CUDA; got != "12.6" {
		t.Errorf("the profile gpu is for CUDA %q, the requirements name 12.6", got)
	}
}

// TestEveryPython resolves for each Python: wheels are chosen for it, and versions that dropped it are passed over. Only one of these interpreters is here.
func TestEveryPython(t *testing.T) {
	x := inputsIndex(t, testbed.IndexOptions{})
	native := func(version, requires string, pythons ...string) {
		for _, py := range pythons {
			cp := "cp3" + strings.TrimPrefix(py, "3.")
			x.AddWheel("simple", "native", version, cp+"-"+cp+"-manylinux_2_28_x86_64", map[string]string{"native.so": py}, wheeltest.Metadata("Requires-Python", requires))
		}
	}
	native("1.0", ">=3.8", "3.8", "3.9", "3.10", "3.11")
	native("2.0", ">=3.10", "3.10", "3.11", "3.12", "3.13", "3.14")
	x.AddWheel("simple", "native", "2.0", "cp313-cp313t-manylinux_2_28_x86_64", map[string]string{"native.so": "t"}, wheeltest.Metadata("Requires-Python", ">=3.10"))
	x.AddWheel("simple", "stable", "1.0", "cp38-abi3-manylinux_2_17_x86_64", map[string]string{"stable.so": ""})
	x.AddWheel("simple", "backport", "1.0", "py3-none-any", map[string]string{"backport.py": ""})
	for _, python := range []string{"3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"} {
		p := newProject(t, map[string]string{"main.py": "", "requirements.txt": "native\nstable\nbackport; python_version < '3.11'\n", "mlbuild.yaml": "python: {version: \"" + python + "\"}\n"})
		got := here{t: t, x: x}.resolve(p.variant("cpu").Recipes[0])
		wheels, err := got.choose()
		if err != nil {
			t.Errorf("%s: %v %s", python, err, got.said)
			continue
		}
		minor := strings.TrimPrefix(python, "3.")
		version := "2.0"
		if minor == "8" || minor == "9" {
			version = "1.0"
		}
		want := []string{wheeltest.Filename("native", version, "cp3"+minor+"-cp3"+minor+"-manylinux_2_28_x86_64"), wheeltest.Filename("stable", "1.0", "cp38-abi3-manylinux_2_17_x86_64")}
		if python == "3.8" || python == "3.9" || python == "3.10" {
			want = append([]string{wheeltest.Filename("backport", "1.0", "py3-none-any")}, want...)
		}
		var files []string
		for _, w := range wheels {
			files = append(files, w.Filename)
		}
		if d := cmp.Diff(want, files); d != "" {
			t.Errorf("Python %s (-want +got):\n%s", python, d)
		}
	}
}
