package integration

import (
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
)

// asUVIndex serves what the inputs of testdata/asuv ask for.
type asUVIndex struct {
	*testbed.Index
	git     *testbed.GitServer
	cache   string            // of uv
	commits map[string]string // repository → commit
}

// asUVPackages are wheels: index, name, version, tag, Requires-Python and requirements, parted by "|"; what is empty is simple, py3-none-any and none.
const asUVPackages = `
| alpha | 1.0
| alpha | 1.1
| alpha | 2.0 | | | beta>=1
| alpha | 3.0rc1
| beta | 1.0
| beta | 1.5.post1
| beta | 2.0 | | | gamma[fast]; python_version >= '3.9' & gamma; python_version < '3.9'
| gamma | 1.0 | | | delta; extra == 'fast' & epsilon; extra == 'slow' & gamma[fast,slow]; extra == 'all'
| delta | 1.0
| delta | 1!0.5
| epsilon | 1.0+local.1
| epsilon | 1.0
| only-pre | 1.0a1
| only-pre | 1.0b2
| dev-only | 1.0.dev3
| mixed.Name_pkg | 1.0
| needs-pre | 1.0 | | | alpha>=3.0rc1
| cycle-a | 1.0 | | | cycle-b
| cycle-b | 1.0 | | | cycle-a[more]
| cycle-a | 0.9 | | | cycle-b
| build-tag | 1.0
| legacy | 1.0 | py2.py3-none-any
| oldpython | 1.0 | | >=3.7
| oldpython | 2.0 | | >=3.9
| oldpython | 3.0 | | >=3.11
| oldpython | 4.0 | | >=3.13
| patched | 1.0 | | >=3.8
| patched | 2.0 | | >=3.8,!=3.11.2,!=3.9.18
| patched | 3.0 | | >=3.11.3
| tagged | 1.0 | cp38-cp38-manylinux_2_17_x86_64.manylinux2014_x86_64
| tagged | 1.0 | cp39-cp39-manylinux2014_x86_64
| tagged | 1.0 | cp310-cp310-manylinux1_x86_64
| tagged | 1.0 | cp311-cp311-manylinux_2_17_x86_64
| tagged | 1.0 | cp311-cp311-manylinux_2_28_x86_64
| tagged | 1.0 | cp311-cp311-manylinux_2_39_x86_64
| tagged | 1.0 | cp311-cp311-musllinux_1_2_x86_64
| tagged | 1.0 | cp311-cp311-macosx_11_0_arm64
| tagged | 1.0 | cp37-abi3-manylinux_2_17_x86_64
| tagged | 1.0 | py3-none-any
| tagged | 2.0 | cp313-cp313-manylinux_2_28_x86_64
| tagged | 2.0 | cp313-cp313t-manylinux_2_28_x86_64
| tagged | 2.0 | cp312-abi3-manylinux_2_28_x86_64
| generic | 1.0 | py38-none-any
| generic | 1.0 | py3-none-manylinux_2_17_x86_64
| generic | 1.0 | cp3-none-any
| generic | 1.0 | py312-none-any
| plainlinux | 1.0 | cp311-cp311-linux_x86_64
| plainlinux | 0.9
| musl | 2.0 | cp311-cp311-musllinux_1_2_x86_64
| musl | 1.0
| markers | 1.0 | | | m-linux; sys_platform == 'linux' & m-win; sys_platform == 'win32' & m-posix; os_name == 'posix' & m-cpython; implementation_name == 'cpython' & m-pypy; platform_python_implementation == 'PyPy' & m-x86; platform_machine == 'x86_64' & m-arm; platform_machine in 'arm64 aarch64' & m-old; python_version < '3.10' & m-new; python_version >= '3.10' & m-in; python_version in '3.9, 3.11' & m-not-in; python_version not in '3.8 3.13' & m-full; python_full_version >= '3.11.1' & m-sys; platform_system != 'Linux' & m-both; (sys_platform == 'win32' or python_version > '3.8') and platform_system == 'Linux' & m-impl; implementation_version >= '3.10'
| team-lib | 1.0
team | team-lib | 2.0 | | | alpha<2
team | alpha | 1.0.1
flat | flat-lib | 1.0 | | | beta
other | other-lib | 1.0 | | | team-lib
| fork | 1.0 | | | alpha==1.0
| fork | 2.0 | | >=3.10 | alpha==1.1
| rival | 1.0 | | | alpha==1.0
| rival | 2.0 | | | alpha==2.0
| sourced | 1.0
| old-style | 1.0
| has-both | 1.0 | | | alpha<2
| elsewhere | 1.0 | cp311-cp311-macosx_11_0_arm64
| typed | 1.0 | | | plugin>=1
| plugin | 1.0
| plugin | 2.0
| upper-Case | 1.0 | | | Alpha<2 & BETA
| plainbackend | 1.0
`

// asUVMarked are the packages behind the markers above.
const asUVMarked = "m-linux m-win m-posix m-cpython m-pypy m-x86 m-arm m-old m-new m-in m-not-in m-full m-sys m-both m-impl"

// plainBackend is a PEP 517 backend that needs nothing: it packs the modules of the tree with the metadata of [project].
const plainBackend = `import base64, hashlib, os, tomllib, zipfile
def metadata():
    with open("pyproject.toml", "rb") as f:
        return tomllib.load(f)["project"]
def text(p):
    lines = ["Metadata-Version: 2.1", "Name: " + p["name"], "Version: " + p["version"]]
    lines += ["Requires-Dist: " + d for d in p.get("dependencies", [])]
    for extra, wanted in p.get("optional-dependencies", {}).items():
        lines += ["Provides-Extra: " + extra] + ["Requires-Dist: %s ; extra == '%s'" % (d, extra) for d in wanted]
    return "\n".join(lines) + "\n"
def info(p):
    return "%s-%s.dist-info" % (p["name"].replace("-", "_"), p["version"])
def prepare_metadata_for_build_wheel(out, config_settings=None):
    p = metadata()
    os.makedirs(os.path.join(out, info(p)))
    with open(os.path.join(out, info(p), "METADATA"), "w") as f:
        f.write(text(p))
    return info(p)
prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel
def modules():
    found = {}
    for dir, _, names in os.walk("."):
        for name in names:
            if name.endswith(".py"):
                with open(os.path.join(dir, name)) as f:
                    found[os.path.relpath(os.path.join(dir, name))] = f.read()
    return found
def build_wheel(out, config_settings=None, metadata_directory=None, editable=False):
    p = metadata()
    files = {p["name"].replace("-", "_") + "_editable.pth": os.getcwd() + "\n"} if editable else modules()
    files[info(p) + "/METADATA"] = text(p)
    files[info(p) + "/WHEEL"] = "Wheel-Version: 1.0\nGenerator: plain\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    if "scripts" in p:
        files[info(p) + "/entry_points.txt"] = "[console_scripts]\n" + "".join("%s = %s\n" % s for s in p["scripts"].items())
    digest = lambda data: base64.urlsafe_b64encode(hashlib.sha256(data.encode()).digest()).decode().rstrip("=")
    files[info(p) + "/RECORD"] = "".join("%s,sha256=%s,%d\n" % (n, digest(d), len(d)) for n, d in sorted(files.items())) + info(p) + "/RECORD,,\n"
    name = "%s-%s-py3-none-any.whl" % (p["name"].replace("-", "_"), p["version"])
    with zipfile.ZipFile(os.path.join(out, name), "w") as z:
        for n, d in sorted(files.items()):
            z.writestr(n, d)
    return name
def build_editable(out, config_settings=None, metadata_directory=None):
    return build_wheel(out, editable=True)
`

const plainBuild = "[build-system]\nrequires = ['plainbackend']\nbuild-backend = 'plainbackend'\n"

// newAsUVIndex makes all of it.
func newAsUVIndex(t *testing.T) *asUVIndex {
	t.Helper()
	x := &asUVIndex{Index: testbed.NewIndex(t, testbed.IndexOptions{}), cache: t.TempDir(), commits: map[string]string{}}
	for line := range strings.Lines(strings.TrimSpace(asUVPackages)) {
		part := append(strings.Split(strings.TrimSpace(line), "|"), "", "", "", "")
		for i := range part {
			part[i] = strings.TrimSpace(part[i])
		}
		x.addLine(part)
	}
	for name := range strings.FieldsSeq(asUVMarked) {
		x.addLine([]string{"", name, "1.0", "", "", ""})
	}
	x.AddWheel("simple", "kitchen", "1.0", "py3-none-any", kitchen, wheeltest.Executable("kitchen/run.sh"))
	x.Add("simple", "build_tag-1.0-1-py3-none-any.whl", wheeltest.Build("build-tag", "1.0", "py3-none-any", map[string]string{"build_tag.py": "first"}))
	x.Add("simple", "build_tag-1.0-12_local-py3-none-any.whl", wheeltest.Build("build-tag", "1.0", "py3-none-any", map[string]string{"build_tag.py": "twelfth"}))
	x.AddWheel("simple", "plainbackend", "1.1", "py3-none-any", map[string]string{"plainbackend.py": plainBackend})
	x.Remove("simple", "plainbackend-1.0-py3-none-any.whl")
	x.Add("simple", "sourced-2.0.tar.gz", plainSdist(t, "sourced", "2.0", "2.2"))
	x.Add("simple", "old_style-2.0.tar.gz", plainSdist(t, "old-style", "2.0", "2.1")) // what it requires says its build alone
	x.Add("simple", "has_both-1.0.tar.gz", plainSdist(t, "has-both", "1.0", "2.2"))
	x.Add("simple", "elsewhere-1.0.tar.gz", plainSdist(t, "elsewhere", "1.0", "2.2"))
	x.Add("simple", "source_only-1.0.tar.gz", plainSdist(t, "source-only", "1.0", "2.2"))
	for version, day := range map[string]time.Time{"1.0": time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), "2.0": time.Date(2026, 1, 31, 23, 59, 59, 0, time.UTC), "3.0": time.Date(2026, 2, 1, 0, 0, 1, 0, time.UTC)} {
		for _, name := range []string{"dated", "undone"} {
			x.addLine([]string{"", name, version, "", "", ""})
			x.Publish("simple", wheeltest.Filename(name, version, "py3-none-any"), day, name == "undone" && version == "2.0")
		}
	}
	x.sourceRepositories(t)
	return x
}

// kitchen has files of every scheme.
var kitchen = map[string]string{
	"kitchen/__init__.py":                 "",
	"kitchen/run.sh":                      "#!/bin/sh\n",
	"kitchen/data with blank/ü.txt":       "x",
	"kitchen_space/part/mod.py":           "",
	"{data}/purelib/kitchen_pure.py":      "",
	"{data}/platlib/kitchen_plat.py":      "",
	"{data}/scripts/kitchen-script":       "#!python\nprint('x')\n",
	"{data}/scripts/kitchen-shell":        "#!/bin/sh\necho x\n",
	"{data}/data/share/kitchen/table.txt": "x",
	"{data}/data/etc/kitchen.conf":        "x",
	"{data}/headers/kitchen.h":            "x",
	"{info}/entry_points.txt":             "[console_scripts]\nkitchen = kitchen:main\nkitchen-sub = kitchen.part:Main.run [fast]\n[gui_scripts]\nkitchen-gui = kitchen:gui\n[kitchen.plugins]\na = kitchen:a\n",
	"{info}/licenses/LICENSE":             "x",
	"{info}/top_level.txt":                "kitchen\n",
	"{info}/sboms/kitchen.cdx.json":       "{}",
}

// addLine adds a wheel: index, name, version, tag, Requires-Python, requirements.
func (x *asUVIndex) addLine(part []string) {
	index, name, version, tag := part[0], part[1], part[2], part[3]
	if index == "" {
		index = "simple"
	}
	if tag == "" {
		tag = "py3-none-any"
	}
	var more []wheeltest.Option
	if part[4] != "" {
		more = append(more, wheeltest.Metadata("Requires-Python", part[4]))
	}
	for r := range strings.SplitSeq(part[5], "&") {
		if _, extra, found := strings.Cut(r, "extra == '"); found {
			more = append(more, wheeltest.Metadata("Provides-Extra", strings.TrimRight(strings.TrimSpace(extra), "'")))
		}
		if r != "" {
			more = append(more, wheeltest.Requires(strings.TrimSpace(r)))
		}
	}
	module := strings.ToLower(strings.NewReplacer("-", "_", ".", "_").Replace(name)) + ".py"
	x.AddWheel(index, name, version, tag, map[string]string{module: name + " " + version + " " + tag + " " + index}, more...)
}

// plainTree is a source tree of a package that the backend builds.
func plainTree(name, version, more string) map[string]string {
	return map[string]string{
		"pyproject.toml": plainBuild + "[project]\nname = '" + name + "'\nversion = '" + version + "'\n" + more,
		strings.ReplaceAll(name, "-", "_") + ".py": "built = True\n",
	}
}

// plainSdist packs such a tree, with metadata of a version: only from 2.2 on they may be relied on.
func plainSdist(t *testing.T, name, version, metadata string) []byte {
	t.Helper()
	files := plainTree(name, version, "dependencies = ['alpha<2']\n")
	files["PKG-INFO"] = "Metadata-Version: " + metadata + "\nName: " + name + "\nVersion: " + version + "\nRequires-Dist: alpha<2\n"
	return packSdist(t, name, version, files)
}

// sourceRepositories are git repositories: one package, and one below a directory under a tag.
func (x *asUVIndex) sourceRepositories(t *testing.T) {
	t.Helper()
	x.git = testbed.NewGitServer(t)
	x.commits["whole"] = x.git.Commit("whole", plainTree("whole", "1.0", "dependencies = ['beta<2']\n[project.optional-dependencies]\nmore = ['epsilon']\n"))
	x.commits["deep"] = x.git.Commit("deep", below("python/pkg", plainTree("deep", "2.0", "")))
	x.git.Tag("deep", "v2")
}

var expanded = regexp.MustCompile(`\$(INDEX|GIT|SUM|COMMIT)(?:\(([^)]*)\))?`)

// expand fills in $INDEX, $GIT(repository), $COMMIT(repository) and $SUM(file).
func (x *asUVIndex) expand(text string) string {
	return expanded.ReplaceAllStringFunc(text, func(s string) string {
		m := expanded.FindStringSubmatch(s)
		switch m[1] {
		case "INDEX":
			return x.URL + strings.TrimPrefix(s, "$INDEX")
		case "GIT":
			return x.git.Repo(m[2])
		case "COMMIT":
			return x.commits[m[2]]
		}
		return x.Sum("simple", m[2])
	})
}

// wheelsInto fills the project's files of packages with those of the index that have their names.
func (x *asUVIndex) wheelsInto(p *project) {
	p.t.Helper()
	for _, ending := range []string{"whl", "tar.gz"} {
		for _, pattern := range []string{"*." + ending, "*/*." + ending} {
			found, _ := filepath.Glob(filepath.Join(p.dir, pattern)) // the pattern is well formed
			for _, file := range found {
				if err := os.WriteFile(file, x.get(p.t, x.URL+"/simple/"+path.Base(filepath.ToSlash(file))), 0o644); err != nil {
					p.t.Fatal(err)
				}
			}
		}
	}
}

// get fetches a file.
func (x *asUVIndex) get(t *testing.T, url string) []byte {
	t.Helper()
	res, err := http.Get(url) //nolint:noctx // of a server in this process
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, res.Status, err)
	}
	return data
}
