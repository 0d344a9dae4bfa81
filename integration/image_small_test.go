package integration

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
)

// tiny is a project with one small package of a stand-in index: it builds in seconds and needs no network.
func tiny(t *testing.T, x *testbed.Index, more string) *project {
	t.Helper()
	x.AddWheel("simple", "tiny", "1.0", "py3-none-any", map[string]string{
		"tiny/__init__.py":          "def hello():\n    print('hello from tiny')\n",
		"{info}/entry_points.txt":   "[console_scripts]\ntiny-hello = tiny:hello\n",
		"tiny/data/words with ü.py": "x = 1\n",
	})
	return newProject(t, map[string]string{
		"requirements.txt": "tiny\n",
		"main.py":          "import tiny\ntiny.hello()\n",
		"mlbuild.yaml": fmt.Sprintf(`version: 1
name: tiny
python:
  version: "3.11"
  requirements: [requirements.txt]
  indexes: [{name: standin, url: "%s", default: true}]
pytorch_index: %s/whl
app: {copy: [main.py], command: [python, main.py]}
`, x.Simple(), x.URL) + more,
	})
}

const (
	indexUser     = "robot"
	indexPassword = "correct-horse-battery-staple"
)

// fitted is a project with what leaves traces: system packages, an index with a password, a model in the user's home, a directory.
func fitted(t *testing.T, x *testbed.Index) *project {
	t.Helper()
	p := tiny(t, x, `system: {runtime: [libgomp1]}
`)
	p.write("models/model.bin", strings.Repeat("weights ", 1000))
	p.write("mlbuild.yaml", fmt.Sprintf(`version: 1
name: fitted
python:
  version: "3.11"
  requirements: [requirements.txt]
  indexes: [{name: standin, url: "%s", default: true, secret: index}]
system: {runtime: [libgomp1]}
app:
  copy: [main.py, {from: models/model.bin, to: /home/app/models/}]
  command: [python, main.py]
  dirs: [{path: /var/cache/fitted, mode: "0700"}]
`, x.Simple()))
	return p
}

// gompWorks loads the system library, and finds model and directory where they were put.
const gompWorks = `
import ctypes, os, pathlib
print(ctypes.CDLL("libgomp.so.1").omp_get_max_threads() > 0)
print(len(pathlib.Path("~/models/model.bin").expanduser().read_bytes()))
pathlib.Path("~/models/other").expanduser().touch()
pathlib.Path("/var/cache/fitted/x").touch()
`

func TestSystemPackagesAndSecrets(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	x := testbed.NewIndex(t, testbed.IndexOptions{Auth: &testbed.BasicAuth{User: indexUser, Password: indexPassword}})
	p := fitted(t, x)
	ref := tb.Registry.Ref("fitted:1.0")
	req := p.request(p.variant("cpu", ref))
	req.Secrets = []builder.Secret{{ID: "index", Env: "INDEX", Set: true, Value: []byte(indexUser + ":" + indexPassword)}}
	system, err := b.LockBuild(t.Context(), req, builder.LockOptions{})
	if err != nil {
		t.Fatal(err)
	}
	req.BuildLock = system.Data
	locks, err := b.Lock(t.Context(), req, builder.LockOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p.write(locks[0].Path, string(locks[0].Data))
	req.Variants, req.Locked = []builder.Variant{p.variant("cpu", ref)}, true
	mustBuild(t, b, req)

	got := readBack(t, tb.Registry, "fitted:1.0")
	got.checkAll(time.Unix(0, 0))
	got.checkPackages(tb, ref, locks[0].Path, locks[0].Data)
	checkDisagreement(t, tb, ref)
	got.checkNowhere(indexPassword, string(locks[0].Data))
	checkUser(t, tb, ref)
	if out := python(t, tb, ref, gompWorks); out != "True\n8000\n" {
		t.Errorf("libgomp and model: %q", out)
	}
	if record := got.file("var/lib/dpkg/status.d/libgomp1"); !strings.HasPrefix(record, "Package: libgomp1\nStatus: install ok installed\n") {
		t.Errorf("the record of libgomp1:\n%s", record)
	}
	for dir, want := range map[string]int64{"home/app": 0o755, "home/app/models": 0o755, "var/cache/fitted": 0o700} {
		if e := got.tree[dir]; e.Mode&0o7777 != want || e.Uid != 1000 || e.Gid != 1000 {
			t.Errorf("/%s is %#o %d:%d", dir, e.Mode&0o7777, e.Uid, e.Gid)
		}
	}
	if passwd := got.file("etc/passwd"); strings.Count(passwd, "\napp:x:1000:1000:") != 1 || !strings.HasPrefix(passwd, "root:x:0:0:") {
		t.Errorf("/etc/passwd:\n%s", passwd)
	}
}

// checkNowhere looks for secrets in every byte of the image: manifest, config, file names and files.
func (p *pushed) checkNowhere(secrets ...string) {
	p.t.Helper()
	manifest, err := p.img.RawManifest()
	if err != nil {
		p.t.Fatal(err)
	}
	config, err := p.img.RawConfigFile()
	if err != nil {
		p.t.Fatal(err)
	}
	places := map[string][]byte{"manifest": manifest, "config": config}
	layers, err := p.img.Layers()
	if err != nil {
		p.t.Fatal(err)
	}
	for i, l := range layers {
		rc, err := l.Uncompressed()
		if err != nil {
			p.t.Fatal(err)
		}
		places[p.layers[i].createdBy], err = io.ReadAll(rc) // the whole tar: names, headers and contents
		_ = rc.Close()
		if err != nil {
			p.t.Fatal(err)
		}
	}
	for place, data := range places {
		for _, s := range secrets {
			if bytes.Contains(data, []byte(s)) {
				p.t.Errorf("%.20q… is in %q", s, place)
			}
		}
	}
}

// TestConsoleScripts runs what a wheel brings into the environment's bin.
func TestConsoleScripts(t *testing.T) {
	tb := testbed.Shared(t)
	p := tiny(t, testbed.NewIndex(t, testbed.IndexOptions{}), "")
	ref := tb.Registry.Ref("tiny:script")
	mustBuild(t, connect(t, tb.Daemon.Addr()), p.request(p.variant("cpu", ref)))
	for _, args := range [][]string{nil, {"tiny-hello"}, {"sh", "-c", "cd / && tiny-hello"}, {"python3.11", "/app/main.py"}} {
		if out := inImage(t, tb, ref, args...); out != "hello from tiny\n" {
			t.Errorf("%q says %q", args, out)
		}
	}
}
