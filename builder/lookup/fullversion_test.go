package lookup

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestFullVersionOfABase: the whole version of a base's Python is read off the image's config, off the Python's files, or the Python is asked.
func TestFullVersionOfABase(t *testing.T) {
	const dpkg = "Package: python3.11\nVersion: 3.11.4-1\n\nPackage: python3.11-minimal\nStatus: install ok installed\nVersion: %\n\nPackage: zlib1g\nVersion: 3.11.5\n"
	const headers = "#define PY_MICRO_VERSION 6\n#define PY_VERSION              \"3.11.6+\"\n"
	for _, test := range []struct {
		name, yaml, env string
		files           map[string]string
		says            string // the Python itself; "" = it cannot run
		want            string
	}{
		{"the config", "", "3.11.9", nil, "3.11.1", "3.11.9"},
		{"a config with a minor version alone", anyBase, "3.11", map[string]string{"/usr/local/bin/python3.11": ""}, "3.11.7", "3.11.7"},
		{"a config of another Python than the one that is used", anyBase, "3.11.9", map[string]string{"/opt/conda/bin/python3.11": "", "/opt/conda/conda-meta/python-3.11.8-h955ad1f_0_cpython.json": ""}, "", "3.11.8"},
		{"headers", anyBase, "", map[string]string{"/opt/bin/python3.11": "", "/opt/include/python3.11/patchlevel.h": headers}, "", "3.11.6"},
		{"dpkg", anyBase, "", map[string]string{"/usr/bin/python3.11": "", "/var/lib/dpkg/status": strings.ReplaceAll(dpkg, "%", "3.11.2-6+deb12u6")}, "", "3.11.2"},
		{"a pre-release of dpkg", anyBase, "", map[string]string{"/usr/bin/python3.11": "", "/var/lib/dpkg/status": strings.ReplaceAll(dpkg, "%", "1:3.11.0~rc1-1~22.04")}, "", "3.11.0rc1"},
		{"dpkg's list is of /usr alone", anyBase, "", map[string]string{"/opt/bin/python3.11": "", "/var/lib/dpkg/status": strings.ReplaceAll(dpkg, "%", "3.11.2-6")}, "", ""},
		{"a virtual environment", "base: {image: \"registry.example/ml:7\", interpreter: /venv/bin/python}\n", "3.11.9", map[string]string{"/venv/pyvenv.cfg": "home = /usr/bin\nversion_info = 3.11.5.final.0\n"}, "", "3.11.5"},
		{"the Python says it", anyBase, "", map[string]string{"/usr/bin/python3.11": ""}, "3.11.7\n", "3.11.7"},
		{"another Python says it", anyBase, "", map[string]string{"/usr/bin/python3.11": ""}, "3.12.1", ""},
		{"nothing", anyBase, "", map[string]string{"/usr/bin/python3.11": ""}, "", ""},
		{"packages of Debian", "base: debian\n", "", nil, "", "3.11.2"},
		{"packages of Debian 13", "base: {kind: debian, suite: trixie}\n", "", nil, "", "3.13.5"},
		{"Debian's Python without Debian", "base: distroless\n", "3.11.9", nil, "", "3.11.2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			gw := &buildertest.Gateway{OnSolve: func(def string) (map[string]string, error) {
				if !strings.Contains(def, "python_version()") {
					return test.files, nil
				}
				if test.says == "" {
					return nil, errors.New("exec format error")
				}
				return map[string]string{query.PythonVersionFile: test.says}, nil
			}}
			base := ops.Base{Ref: "registry.example/ml:7@sha256:" + buildertest.Zeros}
			base.Config.Config.Env = []string{"PATH=/opt/conda/bin:/opt/bin:/usr/bin", "PYTHON_VERSION=" + test.env}
			found, err := Bases{Daemon: asking(t, gw), toLock: true}.Contents(t.Context(), buildertest.Recipe(t, "cpu", "python: {packages: [x]}\n"+test.yaml), base)
			if err != nil || found.FullVersion != test.want {
				t.Errorf("%q, %v, want %q", found.FullVersion, err, test.want)
			}
		})
	}
}

// TestFullVersionOfALaidPython: the image whose Python is laid over the base tells its version.
func TestFullVersionOfALaidPython(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", "python: {packages: [x]}\nbase: {image: \"registry.example/ml:7\", python: \"python:3.11-slim-bookworm\"}\n")
	gw := &buildertest.Gateway{OnLookup: buildertest.AnImage, OnSolve: func(string) (map[string]string, error) {
		return nil, errors.New("no file of the base is asked for")
	}}
	base := ops.Base{Ref: "registry.example/ml:7@sha256:" + buildertest.Zeros}
	base.Config.Config.Env = []string{"PYTHON_VERSION=3.11.2"}
	if found, err := (Bases{Daemon: asking(t, gw), toLock: true}).Contents(t.Context(), r, base); err != nil || found.FullVersion != "3.11.9" {
		t.Errorf("%q, %v, want that of the image that is laid over", found.FullVersion, err)
	}
}

// TestLockAsksForFullVersions: what a lock of before does not know is asked once more when a lock is made, and a build does without.
func TestLockAsksForFullVersions(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", "python: {packages: [x]}\n"+anyBase)
	asked := 0
	gw := &buildertest.Gateway{OnLookup: buildertest.AnImage, OnSolve: func(string) (map[string]string, error) {
		asked++
		return map[string]string{"/usr/bin/python3.11": "", "/var/lib/dpkg/status": "Package: python3.11-minimal\nVersion: 3.11.2-6\n"}, nil
	}}
	lock := &buildlock.Lock{Looks: []buildlock.Contents{{Image: r.Base.Ref, Digest: digest.FromString("image").String(), Platform: r.Platform, Python: "3.11", Interpreter: "/usr/bin/python3.11"}}}
	b := Bases{Daemon: asking(t, gw), Lock: lock}
	base, err := b.Find(t.Context(), r, false, true)
	if err != nil || asked != 0 || base.Contents.FullVersion != "" {
		t.Errorf("a build asked %d times, and found %q, %v", asked, base.Contents.FullVersion, err)
	}
	seen, err := b.ToLock(t.Context(), r, base.Image, lock)
	if err != nil || asked != 1 || seen.FullVersion != "3.11.2" {
		t.Errorf("a lock asked %d times, and found %+v, %v", asked, seen, err)
	}
	if first, err := b.FindAll(t.Context(), []*recipe.Recipe{r}); err != nil || first.Contents.FullVersion != "3.11.2" {
		t.Errorf("a lock of packages is for %+v, %v", first, err)
	}
}

// TestFullVersionDecides: uv is asked for the whole version of the image's Python, and markers of a lock are held against it.
func TestFullVersionDecides(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", "python: {packages: [x]}\n")
	var asked []string
	text := strings.Replace(buildertest.LockText("new 1", "old 1", "any 1"), "name = \"new\"\n", "name = \"new\"\nmarker = \"python_full_version >= '3.11.4'\"\nrequires-python = \">=3.11.4\"\n", 1)
	text = strings.Replace(text, "name = \"old\"\n", "name = \"old\"\nmarker = \"implementation_version < '3.11.4'\"\n", 1)
	gw := &buildertest.Gateway{OnLookup: buildertest.AnImage, OnSolve: func(def string) (map[string]string, error) {
		if !isInspection(def) {
			asked = append(asked, def)
		}
		return map[string]string{query.ResolvedLock: text, query.ResolvedVia: "", query.InspectionReport: "{}"}, nil
	}}
	for full, want := range map[string]string{"3.11.9": "any new", "3.11.2": "any old", "": "any old"} {
		asked = nil
		_, lock, err := (UV{Daemon: asking(t, gw)}).Lock(t.Context(), UVQuery{Recipe: r, Platforms: []string{"linux/amd64"}, Python: full})
		if err != nil {
			t.Fatal(err)
		}
		version := "--python-version\n" + cmp.Or(full, "3.11")
		if len(asked) != 1 || !strings.Contains(asked[0], version) || full == "" && strings.Contains(asked[0], version+".") {
			t.Errorf("uv is not asked for %q", version)
		}
		c, err := Choose(r, lock, "2.36", Contents{FullVersion: full})
		if err != nil {
			t.Fatal(err)
		}
		if got := namesOf(c.Wheels); got != want {
			t.Errorf("Python %q takes %s, want %s", full, got, want)
		}
	}
}

func namesOf(wheels []pylock.Wheel) string {
	var names []string
	for _, w := range wheels {
		names = append(names, w.Name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// TestNamedInterpreter: a base whose Python is named is looked into for the lock alone, and a build takes the version of the lock.
func TestNamedInterpreter(t *testing.T) {
	r := buildertest.Recipe(t, "cpu", "python: {packages: [x]}\nbase: {image: \"registry.example/ml:7\", interpreter: /usr/bin/python3.11}\n")
	asked := 0
	gw := &buildertest.Gateway{OnLookup: buildertest.AnImage, OnSolve: func(string) (map[string]string, error) {
		asked++
		return map[string]string{"/var/lib/dpkg/status": "Package: python3.11-minimal\nVersion: 3.11.2-6\n", "/etc/os-release": "ID=debian\nVERSION_ID=12\n"}, nil
	}}
	b := Bases{Daemon: asking(t, gw)}
	base, err := b.Find(t.Context(), r, false, true)
	if err != nil || asked != 0 || base.Contents.FullVersion != "" {
		t.Errorf("a build asked %d times, and found %+v, %v", asked, base.Contents, err)
	}
	seen, err := b.ToLock(t.Context(), r, base.Image, nil)
	if err != nil || asked != 1 {
		t.Fatalf("a lock asked %d times, %v", asked, err)
	}
	b.Lock = &buildlock.Lock{}
	b.Lock.PutContents(r.Profile, r.Platform, seen)
	again, err := b.Find(t.Context(), r, false, true)
	if err != nil || asked != 1 || again.Contents.FullVersion != "3.11.2" || again.Glibc != base.Glibc {
		t.Errorf("with the lock %d questions, %+v, %v", asked, again, err)
	}
}

// TestLowestOfPlatforms: one lock for several platforms is for the lowest of their Pythons.
func TestLowestOfPlatforms(t *testing.T) {
	amd, arm := buildertest.Recipe(t, "cpu", "python: {packages: [x]}\n"), buildertest.Recipe(t, "cpu", "python: {packages: [x]}\n")
	arm.Platform = "linux/arm64"
	versions := []string{"3.11.10", "3.11.9"}
	gw := &buildertest.Gateway{OnLookup: func(op *pb.SourceOp) (*sourceresolver.MetaResponse, error) {
		m, err := buildertest.AnImage(op)
		m.Image.Config = []byte(strings.NewReplacer("3.11.9", versions[0], `"architecture": "amd64", `, "").Replace(string(m.Image.Config)))
		versions = versions[1:]
		return m, err
	}}
	first, err := Bases{Daemon: asking(t, gw)}.FindAll(t.Context(), []*recipe.Recipe{amd, arm})
	if err != nil || first.Contents.FullVersion != "3.11.9" {
		t.Errorf("%q, %v, want the lowest", first.Contents.FullVersion, err)
	}
}
