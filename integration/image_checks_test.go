package integration

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/pypi"
)

const (
	zstdLayer = "application/vnd.oci.image.layer.v1.tar+zstd"
	gzipLayer = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// checkAll is what holds for every image that mlbuild pushes with its defaults.
func (p *pushed) checkAll(epoch time.Time) {
	p.t.Helper()
	p.checkConfig(epoch)
	p.checkLayers(zstdLayer)
	p.checkTimes()
	p.checkDirs()
	p.checkClean()
	p.checkRecords()
}

// checkConfig holds the part of the config that every image has.
func (p *pushed) checkConfig(epoch time.Time) {
	p.t.Helper()
	c := p.config
	if c.OS != "linux" || c.Architecture != "amd64" || !c.Created.Equal(epoch) {
		p.t.Errorf("config: %s/%s created %s, want linux/amd64 %s", c.OS, c.Architecture, c.Created, epoch)
	}
	if c.Config.User != "1000:1000" || c.Config.WorkingDir != "/app" {
		p.t.Errorf("user %q in %q", c.Config.User, c.Config.WorkingDir)
	}
	env := envOf(c.Config.Env)
	if len(env) != len(c.Config.Env) {
		p.t.Errorf("a variable is set twice: %q", c.Config.Env)
	}
	if !strings.HasPrefix(env["PATH"], "/opt/venv/bin:/usr/local/bin:") || env["VIRTUAL_ENV"] != "/opt/venv" || env["PYTHONUNBUFFERED"] != "1" {
		p.t.Errorf("environment %q", c.Config.Env)
	}
	for _, h := range c.History {
		if strings.HasPrefix(h.CreatedBy, "mlbuild ") && (h.EmptyLayer || !h.Created.Equal(epoch)) {
			p.t.Errorf("history %+v, want a layer of %s", h, epoch)
		}
	}
}

func envOf(list []string) map[string]string {
	env := map[string]string{}
	for _, kv := range list {
		k, v, _ := strings.Cut(kv, "=")
		env[k] = v
	}
	return env
}

// checkLayers wants the codec on our layers, gzip left on the base's, and no layer twice.
func (p *pushed) checkLayers(codec string) {
	p.t.Helper()
	if n := len(p.layers); n > 100 {
		p.t.Errorf("%d layers", n)
	}
	if p.manifest.MediaType != "application/vnd.oci.image.manifest.v1+json" || p.manifest.Config.MediaType != "application/vnd.oci.image.config.v1+json" {
		p.t.Errorf("manifest %s, config %s", p.manifest.MediaType, p.manifest.Config.MediaType)
	}
	seen, own := map[string]bool{}, false
	for i, d := range p.manifest.Layers {
		l := p.layers[i]
		want := gzipLayer
		if l.own {
			want = codec
		}
		if string(d.MediaType) != want {
			p.t.Errorf("layer %q is %s, want %s", l.createdBy, d.MediaType, want)
		}
		if seen[d.Digest.String()] {
			p.t.Errorf("layer %q is there twice", l.createdBy)
		}
		if own && !l.own {
			p.t.Errorf("layer %q of the base lies over ours", l.createdBy)
		}
		seen[d.Digest.String()], own = true, l.own
	}
}

// checkTimes wants one fixed time on everything of ours. System packages keep the times of their archives.
func (p *pushed) checkTimes() {
	p.t.Helper()
	for _, l := range p.layers {
		if !l.own || strings.HasPrefix(l.createdBy, "mlbuild system:") {
			continue
		}
		for _, e := range l.entries {
			if removed := strings.HasPrefix(path.Base(e.Name), ".wh."); removed && e.ModTime.Unix() == 0 {
				continue // the daemon's own fixed time for what a layer removes
			}
			if !e.ModTime.Equal(wheel.ModTime) {
				p.t.Errorf("%s in %q has the time %s", e.Name, l.createdBy, e.ModTime)
				break
			}
		}
	}
}

// checkDirs wants every entry of a directory to say the same, because the last one wins. The working directory and the home are new.
func (p *pushed) checkDirs() {
	p.t.Helper()
	type said struct{ what, by string }
	first := map[string]said{}
	for _, l := range p.layers {
		for _, e := range l.entries {
			if e.Typeflag != tar.TypeDir {
				continue
			}
			s := said{fmt.Sprintf("%#o %d:%d", e.Mode&0o7777, e.Uid, e.Gid), l.createdBy}
			if f, ok := first[e.Name]; ok && f.what != s.what {
				p.t.Errorf("directory /%s is %s in %q and %s in %q", e.Name, f.what, f.by, s.what, s.by)
			} else if !ok {
				first[e.Name] = s
			}
		}
	}
	if mode := p.tree["tmp"].Mode & 0o7777; mode != 0o1777 {
		p.t.Errorf("/tmp is %#o", mode)
	}
}

// leftovers are paths that no layer of ours may have: state of apt, logs, caches, mounts of the build.
var leftovers = []string{"var/lib/apt/lists/*", "var/lib/apt/extended_states", "var/cache/apt/*", "var/cache/ldconfig/aux-cache", "var/cache/debconf/*-old", "var/lib/dpkg/*-old",
	"var/log/*", "root/.cache*", "home/*/.cache*", "run/*", "tmp/*",
	"etc/apt/apt.conf.d/docker-clean", "etc/resolv.conf", "etc/hosts", "proc/*", "sys/*", "dev/*"}

// checkClean looks for what a build may leave behind.
func (p *pushed) checkClean() {
	p.t.Helper()
	ca := sha256.Sum256(networkCA(p.t))
	for _, l := range p.layers {
		for _, e := range l.entries {
			if !l.own || strings.HasPrefix(l.createdBy, "mlbuild skeleton:") {
				continue // the skeleton has what the project declares
			}
			for _, pattern := range leftovers {
				if strings.HasPrefix(path.Base(e.Name), ".wh.") {
					break // it takes one of the base's away
				}
				if ok, _ := path.Match(pattern, e.Name); ok && e.Name != "run/lock" { // a directory of base-files
					p.t.Errorf("%s is left in %q", e.Name, l.createdBy)
				}
			}
			if strings.Contains("/"+e.Name+"/", "/__pycache__/") || e.SHA256 == hex.EncodeToString(ca[:]) {
				p.t.Errorf("%s is left in %q", e.Name, l.createdBy)
			}
			if e.Mode&0o6000 != 0 && !strings.HasPrefix(l.createdBy, "mlbuild system:") {
				p.t.Errorf("%s in %q has the mode %#o", e.Name, l.createdBy, e.Mode)
			}
		}
	}
}

// checkRecords reads the RECORD of every distribution of the environment: each file it names is there with that hash.
func (p *pushed) checkRecords() {
	p.t.Helper()
	records := p.read(func(n string) bool {
		ok, _ := path.Match("opt/venv/lib/*/site-packages/*.dist-info/RECORD", n)
		return ok
	})
	if len(records) == 0 {
		p.t.Error("there is no distribution")
	}
	for _, name := range slices.Sorted(maps.Keys(records)) {
		rows, err := csv.NewReader(strings.NewReader(string(records[name]))).ReadAll()
		if err != nil {
			p.t.Errorf("%s: %v", name, err)
		}
		for _, row := range rows {
			file := path.Join(path.Dir(path.Dir(name)), row[0])
			if _, ok := p.tree[file]; !ok {
				p.t.Errorf("%s names %s, which is not there", name, file)
			}
			sum, err := hex.DecodeString(p.sum(file))
			if want := "sha256=" + base64.RawURLEncoding.EncodeToString(sum); err != nil || row[1] != "" && row[1] != want {
				p.t.Errorf("%s: %s has %s, RECORD says %s", name, file, want, row[1])
			}
		}
	}
}

// lockedWheels are the wheels that a lock picks for the test's base.
func lockedWheels(t *testing.T, name string, lock []byte) []pylock.Wheel {
	t.Helper()
	l, err := pylock.Parse(name, lock)
	if err != nil {
		t.Fatal(err)
	}
	wheels, err := l.Select(pypi.Target{Python: "3.11", Platform: "linux/amd64", Glibc: "2.36"})
	if err != nil {
		t.Fatal(err)
	}
	return wheels
}

// whoAmI fails unless the process is the image's user, who has a name, a home and a place for temporary files.
const whoAmI = `
import getpass, os, pathlib, tempfile
assert (os.getuid(), os.getgid()) == (1000, 1000), (os.getuid(), os.getgid())
assert getpass.getuser() == "app", getpass.getuser()
assert pathlib.Path.home() == pathlib.Path("/home/app"), pathlib.Path.home()
(pathlib.Path.home() / "written").write_text("x")
pathlib.Path("written").write_text("x")
with tempfile.NamedTemporaryFile(dir="/tmp") as f:
    f.write(b"x")
for top, dirs, files in os.walk("/app"):
    for f in files:
        open(os.path.join(top, f), "rb").close()
try:
    open("/opt/venv/lib/written", "w")
except PermissionError:
    print("ok")
`

// checkUser runs whoAmI, also with the image's whoami.
func checkUser(t *testing.T, tb *testbed.Testbed, ref string) {
	t.Helper()
	if out := python(t, tb, ref, whoAmI); out != "ok\n" {
		t.Errorf("got %q, want the environment to be read-only for the user", out)
	}
	if out := inImage(t, tb, ref, "whoami"); out != "app\n" {
		t.Errorf("whoami: %q", out)
	}
}
