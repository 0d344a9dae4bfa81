package lookup

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/pypi"
)

// looked looks into a base with these files.
func looked(t *testing.T, yaml string, pathEnv string, files map[string]string) (Contents, int, error) {
	t.Helper()
	asked := 0
	gw := &buildertest.Gateway{OnSolve: func(def string) (map[string]string, error) {
		if strings.Contains(def, "python_version()") {
			return map[string]string{query.PythonVersionFile: "3.11.7\n"}, nil
		}
		asked++
		return files, nil
	}}
	base := ops.Base{Ref: "registry.example/ml:7@sha256:" + buildertest.Zeros}
	base.Config.Config.Env = []string{"LANG=C", "PATH=" + pathEnv, "PYTHON_VERSION=3.11.9"}
	found, err := Bases{Daemon: asking(t, gw)}.Contents(t.Context(), buildertest.Recipe(t, "cpu", "python: {packages: [x]}\n"+yaml), base)
	return found, asked, err
}

const anyBase = "base: registry.example/ml:7\n"

func TestPythonOfABase(t *testing.T) {
	for _, test := range []struct {
		name, yaml, path string
		files            map[string]string
		want             string
	}{
		{"first on PATH", anyBase, "/opt/conda/bin:/usr/bin", map[string]string{"/opt/conda/bin/python3.11": "", "/usr/bin/python3.11": ""}, "/opt/conda/bin/python3.11"},
		{"not the first, but the version", anyBase, "/opt/conda/bin:/usr/bin", map[string]string{"/opt/conda/bin/python3.12": "", "/usr/bin/python3.11": ""}, "/usr/bin/python3.11"},
		{"not on PATH", anyBase, "/bin", map[string]string{"/opt/conda/bin/python3.11": ""}, "/opt/conda/bin/python3.11"},
		{"a virtual environment", anyBase, "/venv/bin", map[string]string{"/venv/bin/python3.11": "->python", "/venv/bin/python": "->/usr/bin/python3.11", "/usr/bin/python3.11": ""}, "/usr/bin/python3.11"},
		{"a circle", anyBase, "/venv/bin", map[string]string{"/venv/bin/python3.11": "->python", "/venv/bin/python": "->python3.11"}, "/venv/bin/python3.11"},
	} {
		t.Run(test.name, func(t *testing.T) {
			found, asked, err := looked(t, test.yaml, test.path, test.files)
			if err != nil || found.Interpreter != test.want || asked != 1 || found.Packages != nil {
				t.Errorf("%+v after %d questions, %v, want %s", found, asked, err, test.want)
			}
		})
	}
	for _, yaml := range []string{"", "base: distroless\n", "base: {image: \"registry.example/ml:7\", interpreter: /opt/python}\n"} {
		if found, asked, err := looked(t, yaml, "", nil); asked != 0 || err != nil || found.Interpreter == "" {
			t.Errorf("%s: the base was read %d times for what is known, %+v, %v", yaml, asked, found, err)
		}
	}
}

func TestNoPythonInABase(t *testing.T) {
	_, _, err := looked(t, anyBase, "/usr/bin", map[string]string{"/usr/bin/perl": ""})
	buildertest.Expect(t, err, fault.Spec, false, "the base registry.example/ml:7 has no Python", `base: {image: "registry.example/ml:7", python: "python:3.11-slim-bookworm"}`, "interpreter: path")
	_, _, err = looked(t, anyBase, "/usr/bin", map[string]string{"/usr/bin/python3.12": "", "/usr/bin/python3.12-config": "", "/usr/local/bin/python3.10": ""})
	buildertest.Expect(t, err, fault.Spec, false, "has no Python 3.11, which the project wants (default); it has 3.10 at /usr/local/bin/python3.10, 3.12 at /usr/bin/python3.12", `python: {version: "3.10"}`)
}

func TestPackagesOfABase(t *testing.T) {
	const site, dist = "/opt/conda/lib/python3.11/site-packages", "/usr/local/lib/python3.11/dist-packages"
	const yaml = "base: {image: \"registry.example/ml:7\", packages: true}\n"
	found, _, err := looked(t, yaml, "/opt/conda/bin", map[string]string{
		"/opt/conda/bin/python3.11": "", site + "/numpy-1.26.4.dist-info/METADATA": "", site + "/Typing_Extensions-4.12.2.dist-info/RECORD": "",
		site + "/torch-2.9.1+cu128.dist-info/METADATA": "", site + "/PyYAML-6.0.1-py3.11.egg-info": "", site + "/numpy/__init__.py": "", dist + "/flask-3.0.dist-info/METADATA": "",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []compat.Package{{Name: "numpy", Version: "1.26.4"}, {Name: "pyyaml", Version: "6.0.1"}, {Name: "torch", Version: "2.9.1+cu128"}, {Name: "typing-extensions", Version: "4.12.2"}}
	if d := cmp.Diff(want, found.Packages); d != "" {
		t.Errorf("packages of /opt/conda (-want +got):\n%s", d)
	}
	found, _, err = looked(t, yaml, "/usr/bin", map[string]string{"/usr/bin/python3.11": "", dist + "/flask-3.0.dist-info/METADATA": "", "/usr/lib/python3/dist-packages/flask-2.2.egg-info": ""})
	if err != nil || len(found.Packages) != 1 || found.Packages[0].Version != "3.0" {
		t.Errorf("packages of Debian's Python %+v, %v, want the flask that it imports", found.Packages, err)
	}
}

func TestReleaseOfABase(t *testing.T) {
	for text, want := range map[string]string{
		"PRETTY_NAME=\"Ubuntu\"\nID=ubuntu\nVERSION_ID=\"22.04\"\n": "2.35", "ID=debian\nVERSION_ID=\"12\"\n": "2.36", "ID=\"rhel\"\nVERSION_ID=\"9.4\"\n": "2.34",
		"ID=arch\n": "", "": "",
	} {
		found, _, err := looked(t, anyBase, "/usr/bin", map[string]string{"/usr/bin/python3.11": "", "/etc/os-release": text})
		if err != nil || found.Glibc != want {
			t.Errorf("%q: glibc %q, %v, want %q", text, found.Glibc, err, want)
		}
	}
	_, _, err := looked(t, anyBase, "/usr/bin", map[string]string{"/usr/bin/python3.11": "", "/etc/os-release": "ID=alpine\nVERSION_ID=3.20.3\n"})
	buildertest.Expect(t, err, fault.ABI, false, "the base registry.example/ml:7 has musl instead of glibc")
}

// TestLockedContents: what mlbuild.lock says of a base saves looking into it, as long as it is that base.
func TestLockedContents(t *testing.T) {
	const yaml = "python: {packages: [x]}\nbase: {image: \"registry.example/ml:7\", packages: true}\n"
	r := buildertest.Recipe(t, "cpu", yaml)
	files := map[string]string{"/opt/conda/bin/python3.11": "", "/opt/conda/lib/python3.11/site-packages/numpy-1.26.4.dist-info/METADATA": "", "/etc/os-release": "ID=ubuntu\nVERSION_ID=22.04\n", "/opt/conda/conda-meta/python-3.11.8-h955ad1f_0.json": "{}"}
	asked := 0
	gw := &buildertest.Gateway{OnSolve: func(string) (map[string]string, error) { asked++; return files, nil }}
	b := Bases{Daemon: asking(t, gw)}
	base := ops.Base{Ref: "registry.example/ml:7@sha256:" + buildertest.Zeros}
	lock := &buildlock.Lock{}
	for range 2 {
		contents, err := b.ToLock(t.Context(), r, base, lock)
		if err != nil {
			t.Fatal(err)
		}
		lock.PutContents(r.Profile, r.Platform, contents)
	}
	b.Lock = lock
	found, err := b.Contents(t.Context(), r, base)
	want := Contents{
		Interpreter: "/opt/conda/bin/python3.11", Packages: []compat.Package{{Name: "numpy", Version: "1.26.4"}}, Glibc: "2.35", FullVersion: "3.11.8", Shared: true,
	}
	if d := cmp.Diff(want, found); d != "" || err != nil || asked != 1 {
		t.Errorf("after %d looks, %v (-want +got):\n%s", asked, err, d)
	}
	base.Ref = "registry.example/ml:7@sha256:" + strings.Repeat("1", 64)
	if _, err := b.Contents(t.Context(), r, base); err != nil || asked != 2 {
		t.Errorf("another base was looked into %d times, %v", asked-1, err)
	}
	base.Config.Config.Env = []string{"PYTHON_VERSION=3.11.9"}
	contents, err := b.ToLock(t.Context(), buildertest.Recipe(t, "cpu", "python: {packages: [x]}\n"), base, lock)
	if lock.PutContents("cpu", "linux/amd64", contents); err != nil || len(lock.Looks) != 0 {
		t.Errorf("without such a base the lock keeps %+v, %v", lock.Looks, err)
	}
}

func TestSubtract(t *testing.T) {
	text := buildertest.LockText("torch 2.9.1", "nvidia-cublas-cu12 12.8", "sympy 1.13", "numpy 2.4.6", "flask 3.0", "tensorflow-cpu 2.20.0", "rich 14")
	data, err := pylock.Stamp([]byte(text), pylock.Tool{Via: map[string][]string{
		"nvidia-cublas-cu12": {"torch"}, "sympy": {"torch", "flask"}, "numpy": {"torch"}, "tensorflow-cpu": {"flask"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	lock, err := pylock.Parse("pylock.gpu.toml", data)
	if err != nil {
		t.Fatal(err)
	}
	wheels, err := lock.Select(pypi.Target{Python: "3.11", Platform: "linux/amd64"})
	if err != nil {
		t.Fatal(err)
	}
	base := Contents{Packages: []compat.Package{{Name: "flask", Version: "2.0"}, {Name: "tensorflow", Version: "2.20.0"}, {Name: "torch", Version: "2.9.1+cu128"}}}
	names := func(ws []pylock.Wheel) string {
		var all []string
		for _, w := range ws {
			all = append(all, w.Name)
		}
		return strings.Join(all, " ")
	}
	kept, dropped, notes := base.subtract(lock, wheels, []string{"flask", "torch"})
	if names(kept) != "flask rich sympy" || names(dropped) != "numpy nvidia-cublas-cu12 tensorflow-cpu torch" {
		t.Errorf("kept %s, dropped %s", names(kept), names(dropped))
	}
	if len(notes) != 1 || notes[0] != "the base has flask 2.0, the image gets 3.0 of the lock, which wins" {
		t.Errorf("notes %q", notes)
	}
	if kept, _, _ := base.subtract(lock, wheels, []string{"flask", "numpy"}); names(kept) != "flask numpy rich sympy" {
		t.Errorf("kept %s, although the project names numpy", names(kept))
	}
	if kept, dropped, notes := (Contents{}).subtract(lock, wheels, nil); len(kept) != len(wheels) || dropped != nil || notes != nil {
		t.Errorf("without packages in the base: kept %s, dropped %s, %q", names(kept), names(dropped), notes)
	}
}
