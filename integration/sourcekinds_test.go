package integration

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// toyBackend is a PEP 517 backend that needs nothing. The module that it makes says where it was built from, and what the build saw.
const toyBackend = `import base64, hashlib, importlib.util, os, tomllib, zipfile
VERSION = %q
def build_wheel(out, config_settings=None, metadata_directory=None):
    with open("pyproject.toml", "rb") as f:
        project = tomllib.load(f)["project"]
    name = project["name"].replace("-", "_")
    with open("origin.txt") as f:
        facts = {"origin": f.read()}
    for seen in ("shared", "wants_shared"):
        spec = importlib.util.find_spec(seen)
        facts[seen] = spec and spec.origin
    facts.update(backend=VERSION, jobs=os.environ.get("MAX_JOBS"), flavour=os.environ.get("FLAVOUR"))
    if "FAIL" in facts["origin"]:
        raise SystemExit("cannot make it: " + facts["origin"])
    info = "%%s-%%s.dist-info" %% (name, project["version"])
    tag = "Root-Is-Purelib: true\nTag: py3-none-any\n"
    files = {name + ".py": "facts = %%r\n" %% {k: v for k, v in facts.items() if v},
        info + "/METADATA": "Metadata-Version: 2.1\nName: %%s\nVersion: %%s\n" %% (project["name"], project["version"]), info + "/WHEEL": "Wheel-Version: 1.0\nGenerator: toy\n" + tag}
    digest = lambda data: base64.urlsafe_b64encode(hashlib.sha256(data.encode()).digest()).decode().rstrip("=")
    files[info + "/RECORD"] = "".join("%%s,sha256=%%s,%%d\n" %% (n, digest(d), len(d)) for n, d in files.items()) + info + "/RECORD,,\n"
    with zipfile.ZipFile(os.path.join(out, "%%s-%%s-py3-none-any.whl" %% (name, project["version"])), "w") as z:
        for n, d in files.items():
            z.writestr(n, d)
`

// toyIndex serves two versions of the backend, and two packages that a build sees without isolation.
func toyIndex(t *testing.T) *testbed.Index {
	t.Helper()
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	for _, version := range []string{"1.0", "2.0"} {
		x.AddWheel("simple", "toybackend", version, pureTag, map[string]string{"toybackend.py": fmt.Sprintf(toyBackend, version)})
	}
	x.AddWheel("simple", "shared", "1.0", pureTag, map[string]string{"shared.py": ""})
	x.AddWheel("simple", "wants-shared", "1.0", pureTag, map[string]string{"wants_shared.py": ""}, wheeltest.Requires("shared", "toybackend"))
	return x
}

// toySource is the source tree of a package that the backend builds.
func toySource(name, origin string) map[string]string {
	return map[string]string{
		"pyproject.toml": fmt.Sprintf("[build-system]\nrequires = [\"toybackend\"]\nbuild-backend = \"toybackend\"\n[project]\nname = %q\nversion = \"1.0\"\n", name),
		"origin.txt":     origin,
	}
}

// toySdist packs such a tree as a source distribution with its metadata.
func toySdist(t *testing.T, name, origin string) []byte {
	t.Helper()
	files := toySource(name, origin)
	files["PKG-INFO"] = fmt.Sprintf("Metadata-Version: 2.2\nName: %s\nVersion: 1.0\n", name)
	return packSdist(t, name, "1.0", files)
}

// packSdist packs files as the source distribution of a version.
func packSdist(t *testing.T, name, version string, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	tw := tar.NewWriter(gz)
	for _, file := range slices.Sorted(maps.Keys(files)) {
		h := &tar.Header{Name: strings.ReplaceAll(name, "-", "_") + "-" + version + "/" + file, Mode: 0o644, Size: int64(len(files[file])), ModTime: time.Unix(1_700_000_000, 0)}
		if err := tw.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write([]byte(files[file])); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	if err := gz.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func toyZip(t *testing.T, name, origin string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	files := toySource(name, origin)
	for _, file := range slices.Sorted(maps.Keys(files)) {
		w, err := z.Create(name + "-1.0/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[file])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// below puts files into a directory.
func below(dir string, files map[string]string) map[string]string {
	moved := map[string]string{}
	for name, data := range files {
		moved[dir+"/"+name] = data
	}
	return moved
}

// kinds is a project that names its packages in every way there is, and the servers that they come from.
type kinds struct {
	*project
	index          *testbed.Index
	git            *testbed.GitServer
	ssh            *testbed.SSHGit
	commit, branch string
}

func everyKind(t *testing.T) *kinds {
	t.Helper()
	k := &kinds{index: toyIndex(t), git: testbed.NewGitServer(t)}
	k.ssh = testbed.NewSSHGit(t, k.git)
	files := testbed.NewFiles(t)
	x := k.index
	x.Add("simple", "sdist_only-1.0.tar.gz", toySdist(t, "sdist-only", "the index"))
	x.Add("simple", "has_wheel-1.0.tar.gz", toySdist(t, "has-wheel", "the index, asked for"))
	x.AddWheel("simple", "has-wheel", "1.0", pureTag, map[string]string{"has_wheel.py": "facts = {'origin': 'a wheel'}\n"})
	x.Add("simple", "kernels-1.0.tar.gz", toySdist(t, "kernels", "the index, without isolation"))
	k.commit = k.git.Commit("by-commit", toySource("by-commit", "git by a short commit"))
	k.branch = k.git.Commit("by-branch", toySource("by-branch", "git by a branch"))
	k.git.Commit("by-tag", below("python/pkg", toySource("by-tag", "git by a tag, below python/pkg")))
	k.git.Tag("by-tag", "v1")
	k.git.Commit("unasked", map[string]string{"origin.txt": "git, without asking", "pyproject.toml": "[build-system]\nrequires = [\"nowhere-to-be-found\"]\nbuild-backend = \"toybackend\"\n" +
		"[project]\nname = \"unasked\"\nversion = \"1.0\"\ndynamic = [\"dependencies\"]\n"})
	ssh := k.git.Commit("by-ssh", toySource("by-ssh", "git by ssh"))
	hashed := toySdist(t, "hashed", "an archive with a hash")
	k.project = newProject(t, map[string]string{
		"requirements.txt": strings.Join([]string{
			"sdist-only", "has-wheel", "--no-binary has-wheel", "kernels",
			"by-commit @ git+" + k.git.Repo("by-commit") + "@" + k.commit[:9], "by-branch @ git+" + k.git.Repo("by-branch") + "@main",
			"by-tag @ git+" + k.git.Repo("by-tag") + "@v1#subdirectory=python/pkg", "unasked @ git+" + k.git.Repo("unasked"), "by-ssh @ git+" + k.ssh.Repo("by-ssh") + "@" + ssh,
			"hashed @ " + files.Put("hashed-1.0.tar.gz", hashed) + "#sha256=" + sumOf(string(hashed)),
			"unhashed @ " + files.Put("unhashed-1.0.zip", toyZip(t, "unhashed", "an archive without a hash")),
			"./libs/tree", "./wheels/ready-1.0-py3-none-any.whl", "./sdists/packed-1.0.tar.gz", "shared",
		}, "\n") + "\n",
		"build-constraints.txt":             "toybackend<2\n",
		"pyproject.toml":                    toySource("itself", "")["pyproject.toml"],
		"origin.txt":                        "the project itself",
		"libs/tree/pyproject.toml":          toySource("tree", "")["pyproject.toml"],
		"libs/tree/origin.txt":              "a directory",
		"sdists/packed-1.0.tar.gz":          string(toySdist(t, "packed", "a local archive")),
		"wheels/ready-1.0-py3-none-any.whl": string(wheeltest.Build("ready", "1.0", pureTag, map[string]string{"ready.py": "facts = {'origin': 'a local wheel'}\n"})),
		"mlbuild.yaml": "version: 1\nname: kinds\napp: {copy: [], command: [python]}\npython:\n  requirements: [requirements.txt]\n  project: .\n  install: true\n" +
			"  build_constraints: [build-constraints.txt]\n  indexes: [{name: stand-in, url: \"" + x.Simple() + "\", default: true}]\n" +
			"  build:\n    kernels: {isolation: false, requires: [shared>=1, wants-shared, toybackend], env: {FLAVOUR: sweet}, jobs: 2}\n" +
			"    unasked: {isolation: false, requires: [toybackend], depends: [shared]}\n",
	})
	return k
}

func (k *kinds) kindsRequest(tags ...string) builder.Request {
	req := k.request(k.variant("cpu", tags...))
	req.KnownHosts, req.SSH = "other.example ssh-ed25519 AAAA\n"+k.ssh.KnownHosts, []builder.SSH{{ID: "default", Paths: []string{k.ssh.Agent}}}
	return req
}

// allFacts prints what the modules of these names say of themselves.
const allFacts = "import importlib, json, sys\nprint(json.dumps({n: importlib.import_module(n.replace('-', '_')).facts for n in sys.argv[1:]}))"

// TestSourceKinds locks and builds every kind of source; the backend is in an index, and its version follows the build constraints.
func TestSourceKinds(t *testing.T) {
	tb := testbed.Shared(t)
	b, k := connect(t, tb.Daemon.Addr()), everyKind(t)
	ref := tb.Registry.Ref("kinds:1.0")
	k.sshIsAsked(b)
	locks, err := b.Lock(t.Context(), k.kindsRequest(), builder.LockOptions{})
	if err != nil {
		t.Fatal(err)
	}
	k.write(locks[0].Path, string(locks[0].Data))
	for _, pinned := range []string{k.commit, k.branch, `requested-revision = "main"`, `requested-revision = "` + k.commit[:9] + `"`, `subdirectory = "python/pkg"`,
		`path = "libs/tree"`, `path = "wheels/ready-1.0-py3-none-any.whl"`, sumOf(string(toyZip(t, "unhashed", "an archive without a hash")))} {
		if !strings.Contains(string(locks[0].Data), pinned) {
			t.Errorf("the lock does not hold %s:\n%s", pinned, locks[0].Data)
		}
	}
	k.git.Commit("by-branch", map[string]string{"origin.txt": "a later commit"})
	k.index.Reset()
	fetches := k.ssh.Fetches()
	req := k.kindsRequest(ref)
	req.Locked = true
	k.pin(b, &req)
	mustBuild(t, b, req)
	if k.ssh.Fetches() == fetches {
		t.Error("the build did not fetch by ssh")
	}
	first := readBack(t, tb.Registry, "kinds:1.0")
	first.checkAll(req.Epoch)
	want := map[string]map[string]string{"ready": {"origin": "a local wheel"}, "kernels": {
		"origin": "the index, without isolation", "backend": "1.0", "jobs": "2", "flavour": "sweet", "shared": "/opt/venv/lib/python3.11/site-packages/shared.py",
		"wants_shared": "/mlbuild/env/lib/python3.11/site-packages/wants_shared.py",
	}}
	for name, origin := range map[string]string{"sdist-only": "the index", "has-wheel": "the index, asked for", "by-commit": "git by a short commit", "by-branch": "git by a branch",
		"by-tag": "git by a tag, below python/pkg", "by-ssh": "git by ssh", "hashed": "an archive with a hash", "unhashed": "an archive without a hash",
		"unasked": "git, without asking", "tree": "a directory", "packed": "a local archive", "itself": "the project itself"} {
		want[name] = map[string]string{"origin": origin, "backend": "1.0"}
	}
	got := map[string]map[string]string{}
	if err := json.Unmarshal([]byte(python(t, tb, ref, allFacts, slices.Sorted(maps.Keys(want))...)), &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the packages say (-want +got):\n%s", d)
	}
	if n := k.index.Downloads("shared-1.0-py3-none-any.whl"); n != 1 {
		t.Errorf("the locked package was downloaded %d times", n)
	}
	for _, l := range first.layers {
		if strings.Contains(l.createdBy, "toybackend") {
			t.Errorf("what builds is shipped: %q", l.createdBy)
		}
	}
	k.failing(b)
}

// sshIsAsked: without an agent or the server's key nothing is asked of it.
func (k *kinds) sshIsAsked(b *builder.Builder) {
	k.t.Helper()
	req := k.kindsRequest()
	req.SSH, req.KnownHosts = nil, ""
	_, err := b.Lock(k.t.Context(), req, builder.LockOptions{})
	all := fault.All(err)
	if len(all) != 2 || all[0].Code != fault.Secret || all[0].Message != "a requirement comes from git by ssh, and no SSH agent was given" ||
		!strings.HasPrefix(all[1].Message, "a requirement comes from git by ssh, and ~/.ssh/known_hosts does not say which key [127.0.0.1]:") || k.ssh.Fetches() != 0 {
		k.t.Errorf("got %v after %d fetches", all, k.ssh.Fetches())
	}
}

// failing: the message of a build that fails has its last lines, the package, and who requires it; and the other wheels stay built.
func (k *kinds) failing(b *builder.Builder) {
	k.t.Helper()
	k.write("libs/tree/origin.txt", "FAIL now")
	req := k.kindsRequest()
	req.Outputs = nil
	want{code: fault.Step, says: []string{
		"the wheel of tree, required by requirements.txt:12 cannot be built for profile cpu:\n", "\ncannot make it: FAIL now",
	}, hints: []string{"mlbuild --target builder"}}.check(k.t, k.attempt(b, req))
}
