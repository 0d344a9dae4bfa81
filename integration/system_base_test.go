package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
)

// runtimeWorks uses what a base of packages brings beside Python: the locale, the CA certificates, the time zones, users and services by name.
const runtimeWorks = `
import ctypes, ctypes.util, locale, pwd, socket, sqlite3, ssl, sys, zoneinfo, bz2, lzma, hashlib, uuid, datetime
locale.setlocale(locale.LC_ALL, "")
assert locale.nl_langinfo(locale.CODESET) == "UTF-8", locale.nl_langinfo(locale.CODESET)
assert len(ssl.create_default_context().get_ca_certs()) > 100
assert datetime.datetime(2026, 1, 1, tzinfo=zoneinfo.ZoneInfo("Asia/Tokyo")).strftime("%z") == "+0900"
assert pwd.getpwuid(1000).pw_name == "app" and pwd.getpwnam("www-data").pw_uid == 33
assert socket.getservbyname("https") == 443
for name in ["libstdc++.so.6", "libz.so.1", "libffi.so.8", "libssl.so.3"]: ctypes.CDLL(name)
print(sys.version_info.major, sys.version_info.minor, sys.prefix)
`

// mustLockBoth locks a project and returns the list of its system packages.
func (p *project) mustLockBoth(b *builder.Builder) *buildlock.System {
	p.t.Helper()
	p.lock(b, "cpu", builder.LockOptions{})
	return p.mustLockSystem(b, builder.LockOptions{})
}

// onPackages puts the project on a base of packages.
func (p *project) onPackages(base string) {
	p.t.Helper()
	file := filepath.Join(p.dir, "mlbuild.yaml")
	data, err := os.ReadFile(file)
	if err != nil {
		p.t.Fatal(err)
	}
	p.write("mlbuild.yaml", string(data)+"base: "+base+"\n")
}

// TestBaseOfPackages builds sklearn-api without a base image. It answers, a scanner lists the packages, and there is no shell and nothing of dpkg or apt but
// the records of the packages.
func TestBaseOfPackages(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	p := example(t, "sklearn-api")
	p.onPackages("{kind: debian, suite: bookworm}")
	s := p.mustLockBoth(b)
	if s.Image != "debian bookworm" || s.Digest != "" || s.Suite != "bookworm" || s.Architecture != "amd64" || len(s.Packages) < 30 || len(s.Packages) > 45 {
		t.Errorf("the list is for %s %s %s with %d packages", s.Image, s.Suite, s.Architecture, len(s.Packages))
	}
	ref := tb.Registry.Ref("bare:1.0")
	mustBuild(t, b, p.bothLocks(ref))
	got := readBack(t, tb.Registry, "bare:1.0")
	got.checkLayers(zstdLayer)
	got.checkTimes()
	got.checkDirs()
	got.checkClean()
	got.checkRecords()
	got.checkBare(s)
	c := got.config.Config
	order, err := json.Marshal(map[string][]string{"cmd": c.Cmd, "test": c.Healthcheck.Test[1:]})
	if err != nil {
		t.Fatal(err)
	}
	for code, want := range map[string]string{serve: `{"species":"setosa"}`, runtimeWorks: "3 11 /opt/venv", whoAmI: "ok\n"} {
		if out := python(t, tb, ref, code, string(order)); !strings.Contains(out, want) {
			t.Errorf("it says %q, want %q", out, want)
		}
	}
	if *writeDocs {
		intoDocs(t, "base", baseFigures(t, tb, b, p, s))
	}
}

// TestBaseNeedsNoImage: once it is locked, no base is asked for, and two daemons in different states give one digest.
func TestBaseNeedsNoImage(t *testing.T) {
	n := newBench(t)
	p := packaged(t, "3.11", "{}")
	p.onPackages("{kind: debian}")
	p.mustLockSystem(n.b, builder.LockOptions{})
	first := n.pushSystem(p, "bare")
	for _, a := range n.reg.Log() {
		if strings.HasPrefix(a.Path, "/v2/library/") {
			t.Errorf("the build asks for %s", a.Path)
		}
	}
	other := mustBuild(t, connect(t, testbed.Shared(t).Daemon.Addr()), p.systemRequest(n.reg.Ref("elsewhere:1.0"))).Images[0]
	if other.Digest != first.Digest {
		t.Errorf("image %s on one daemon, %s on the other: %q", first.Digest, other.Digest, changedLayers(n.layersOf("bare:1.0-cpu"), n.layersOf("elsewhere:1.0")))
	}
}

// checkBare wants a scanner to find exactly the locked packages, the release's name, and no shell, apt or dpkg.
func (p *pushed) checkBare(s *buildlock.System) {
	p.t.Helper()
	for _, name := range []string{"sh", "dash", "bash", "busybox", "dpkg", "apt", "apt-get", "perl"} {
		for _, dir := range []string{"bin", "sbin", "usr/bin", "usr/sbin"} {
			if _, ok := p.tree[path.Join(dir, name)]; ok {
				p.t.Errorf("the image has /%s/%s", dir, name)
			}
		}
	}
	for name, e := range p.tree {
		inside := strings.HasPrefix(name, "var/lib/dpkg/") && !strings.HasPrefix(name+"/", "var/lib/dpkg/status.d/")
		if inside || strings.HasPrefix(name, "var/lib/apt") || strings.HasPrefix(name, "etc/apt") || strings.HasSuffix(name, ".so.cache") && name != "etc/ld.so.cache" {
			p.t.Errorf("/%s is left, from layer %d", name, e.Layer)
		}
	}
	if release := p.file("usr/lib/os-release"); !strings.Contains(release, "VERSION_CODENAME="+s.Suite) {
		p.t.Errorf("os-release:\n%s", release)
	}
	scan, err := testbed.Tool("scan")
	if err != nil {
		testbed.SkipMissing(p.t, err)
	}
	out, err := exec.Command(scan, p.extract("usr/lib/os-release", "etc/os-release", "var/lib/dpkg/status.d/")).Output()
	if err != nil {
		p.t.Fatal(err)
	}
	var want []string
	for _, pkg := range s.Packages {
		want = append(want, pkg.Name+" "+pkg.Version)
	}
	slices.Sort(want)
	if found := strings.Split(strings.TrimSpace(string(out)), "\n"); !slices.Equal(want, prefixes(found)) {
		p.t.Errorf("the scanner found %q, want %q", found, want)
	}
}

// prefixes are the first two words of lines.
func prefixes(lines []string) []string {
	var all []string
	for _, l := range lines {
		if f := strings.Fields(l); len(f) > 1 {
			all = append(all, f[0]+" "+f[1])
		}
	}
	slices.Sort(all)
	return all
}

// TestBaseOfOtherRelease: Debian 13, with a system package of the project and a shell; and the target base by itself.
func TestBaseOfOtherRelease(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	p := packaged(t, "3.13", "{runtime: [libgomp1]}")
	p.onPackages("{kind: debian, shell: true}")
	s := p.mustLockSystem(b, builder.LockOptions{})
	if s.Image != "debian trixie" || s.Suite != "trixie" {
		t.Errorf("the list is for %s, %s", s.Image, s.Suite)
	}
	ref := tb.Registry.Ref("bare-trixie:1.0")
	mustBuild(t, b, p.systemRequest(ref))
	for want, args := range map[string][]string{
		"3 13 /opt/venv": {"python", "-c", runtimeWorks},
		"True":           {"python", "-c", "import ctypes; print(ctypes.CDLL('libgomp.so.1').omp_get_max_threads() > 0)"},
		"shell app":      {"sh", "-c", "echo shell $(whoami)"},
	} {
		if out := inImage(t, tb, ref, args...); !strings.Contains(out, want) {
			t.Errorf("%.40q says %q", args, out)
		}
	}
	req := p.systemRequest(tb.Registry.Ref("bare-trixie:base"))
	req.Target = "base"
	mustBuild(t, b, req)
	if out := inImage(t, tb, tb.Registry.Ref("bare-trixie:base"), "python3.13", "-c", "print(2 ** 10)"); out != "1024\n" {
		t.Errorf("the base says %q", out)
	}
}

// TestLockBaseForAnotherPlatform needs no emulator: the packages of arm64 are locked and laid down on this platform.
func TestLockBaseForAnotherPlatform(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	p := packaged(t, "3.11", "{}")
	p.onPackages("{kind: debian}")
	req := p.request(p.variantOn("cpu", []string{"linux/arm64"}, tb.Registry.Ref("bare-arm:1.0")))
	locked, err := b.LockBuild(t.Context(), req, builder.LockOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s := locked.Lock.Systems[0]
	if s.Architecture != "arm64" || !slices.ContainsFunc(s.Packages, func(p buildlock.Package) bool { return p.Name == "libc6" && p.Architecture == "arm64" }) {
		t.Errorf("%s, %+v", s.Architecture, s.Packages)
	}
	req.BuildLock, req.Variants[0].Lock, req.Locked = locked.Data, []byte(emptyLock), true
	mustBuild(t, b, req)
	img, err := tb.Registry.Pull(t.Context(), "bare-arm:1.0", "")
	if err != nil {
		t.Fatal(err)
	}
	if tree, err := testbed.Tree(img); err != nil || tree["usr/lib/ld-linux-aarch64.so.1"].Name == "" || tree["bin"].Linkname != "usr/bin" {
		t.Errorf("the loader: %+v, %v", tree["usr/lib/ld-linux-aarch64.so.1"], err)
	}
}

// startup times the start of Python, and of Python with modules that a server imports, in milliseconds: the best of some runs.
const startup = `
import subprocess, sys, time
def best(code):
    all = []
    for _ in range(7):
        t = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        all.append(time.perf_counter() - t)
    return round(min(all) * 1000)
print(best("pass"), best("import asyncio, json, logging, ssl, email.parser, http.client"))
`

// baseFigures is the table of docs/system-packages.md: the base alone beside the slim image.
func baseFigures(t *testing.T, tb *testbed.Testbed, b *builder.Builder, p *project, s *buildlock.System) string {
	t.Helper()
	req := p.bothLocks(tb.Registry.Ref("bare:base"))
	req.Target = "base"
	mustBuild(t, b, req)
	var text strings.Builder
	text.WriteString("| base | packages | size | `python -c pass` | with modules of a server |\n|---|--:|--:|--:|--:|\n")
	for _, base := range []struct{ name, ref, python string }{{"`kind: debian`, bookworm", "bare:base", "/usr/bin/python3.11"}, {"python:3.11-slim (stand-in)", "library/python:3.11-slim", "/usr/local/bin/python3.11"}} {
		img := readBack(t, tb.Registry, base.ref)
		var bytes int64
		for _, l := range img.manifest.Layers {
			bytes += l.Size
		}
		out, err := tb.Daemon.RunImage(t.Context(), tb.Registry.Ref(base.ref), base.python, "-c", startup)
		var plain, server int
		if _, scanned := fmt.Sscan(out.Stdout, &plain, &server); err != nil || scanned != nil {
			t.Fatalf("%v, %s%s", err, out.Stdout, out.Stderr)
		}
		packages := len(s.Packages)
		if base.ref != "bare:base" {
			packages = strings.Count("\n"+img.file("var/lib/dpkg/status"), "\nPackage: ")
		}
		fmt.Fprintf(&text, "| %s | %d | %.1f MB | %d ms | %d ms |\n", base.name, packages, float64(bytes)/1e6, plain, server)
	}
	var names []string
	for _, pkg := range s.Packages {
		names = append(names, pkg.Name)
	}
	return text.String() + "\nThe packages: " + strings.Join(names, ", ") + ".\n"
}
