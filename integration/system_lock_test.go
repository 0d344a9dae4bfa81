package integration

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/deb/debtest"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// packaged is a project without Python packages on Debian 12 or, for python "3.13", 13; system is its section system, in braces.
func packaged(t *testing.T, python, system string) *project {
	t.Helper()
	p := newProject(t, map[string]string{"main.py": "print('hello')\n"})
	p.packages(python, system)
	return p
}

// packages writes the project file anew.
func (p *project) packages(python, system string) {
	p.write("mlbuild.yaml", "version: 1\nname: packaged\npython: {version: \""+python+"\", packages: []}\nsystem: "+system+"\napp: {copy: [main.py], command: [python, main.py]}\n")
}

// systemLock makes mlbuild.lock and writes it, or gives the fault.
func (p *project) systemLock(b *builder.Builder, o builder.LockOptions) (*builder.BuildLocked, error) {
	p.t.Helper()
	locked, err := b.LockBuild(p.t.Context(), p.lockRequest(), o)
	if err == nil {
		p.write(buildlock.FileName, string(locked.Data))
	}
	return locked, err
}

// lockRequest asks for mlbuild.lock.
func (p *project) lockRequest() builder.Request {
	p.t.Helper()
	req := p.request(p.variant("cpu"))
	req.BuildLock, _ = os.ReadFile(filepath.Join(p.dir, buildlock.FileName)) // absent = no lock
	return req
}

func (p *project) mustLockSystem(b *builder.Builder, o builder.LockOptions) *buildlock.System {
	p.t.Helper()
	locked, err := p.systemLock(b, o)
	if err != nil {
		p.t.Fatal(err)
	}
	if len(locked.Lock.Systems) != 1 {
		p.t.Fatalf("%d lists of packages", len(locked.Lock.Systems))
	}
	return &locked.Lock.Systems[0]
}

// planned compiles the project with its mlbuild.lock and returns the fault; nothing is built.
func (p *project) planned(b *builder.Builder, locked bool) (*builder.Planned, error) {
	p.t.Helper()
	req := p.request(p.variant("cpu"))
	req.BuildLock, _ = os.ReadFile(filepath.Join(p.dir, buildlock.FileName))
	req.Locked = locked
	req.Variants[0].Lock = []byte("lock-version = \"1.0\"\ncreated-by = \"test\"\npackages = []\n")
	plans, err := b.Plan(p.t.Context(), req, false)
	if err != nil {
		return nil, err
	}
	return &plans[0], nil
}

// addDeb puts a small package into the repository.
func addDeb(repo *testbed.AptRepository, name, version, architecture, fields string) {
	deb := debtest.Deb{Package: name, Version: version, Architecture: architecture, Fields: "Maintainer: testbed\nDescription: of the testbed\n" + fields,
		Entries: debtest.Files(map[string]string{"usr/share/" + name + "/version": version})}
	repo.Add(name, version, architecture, fields, deb.Build())
}

// TestSystemLock locks real packages on both releases, and holds every entry against the file that its URL names.
func TestSystemLock(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	for _, test := range []struct{ python, suite, tag string }{{"3.11", "bookworm", "3.11-slim"}, {"3.13", "trixie", "3.13-slim"}} {
		t.Run(test.suite, func(t *testing.T) {
			p := packaged(t, test.python, "{runtime: [libgomp1, libgl1, zlib1g]}")
			s := p.mustLockSystem(b, builder.LockOptions{})
			digest, err := tb.Registry.Digest(t.Context(), "library/python:"+test.tag)
			if err != nil {
				t.Fatal(err)
			}
			if s.Digest != digest || s.Image != "docker.io/library/python:"+test.tag || s.Distribution != "debian" || s.Suite != test.suite || s.Architecture != "amd64" {
				t.Errorf("the list is for %+v", *s)
			}
			if !slices.Contains(s.Links, buildlock.Link{Path: "/lib", Target: "usr/lib"}) || !slices.Contains(s.Links, buildlock.Link{Path: "/var/run", Target: "/run"}) {
				t.Errorf("links %v", s.Links)
			}
			if len(s.Present) != 1 || !strings.HasPrefix(s.Present[0], "zlib1g ") || len(s.Removes) != 0 || len(s.Packages) < 20 {
				t.Errorf("present %v, removes %v, %d packages", s.Present, s.Removes, len(s.Packages))
			}
			for _, want := range []string{"libgomp1", "libgl1", "libx11-6", "libx11-data"} {
				if !slices.ContainsFunc(s.Packages, func(p buildlock.Package) bool { return p.Name == want && p.Replaces == "" }) {
					t.Errorf("%s is not in the list", want)
				}
			}
			for _, pkg := range s.Packages {
				checkPackage(t, pkg)
			}
			first, err := os.ReadFile(filepath.Join(p.dir, buildlock.FileName))
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range []builder.LockOptions{{}, {System: true, Nonce: "2"}, {Base: true, Nonce: "3"}} {
				p.mustLockSystem(b, o)
				if again, _ := os.ReadFile(filepath.Join(p.dir, buildlock.FileName)); string(again) != string(first) {
					t.Errorf("%+v changes the lock:\n%s", o, again)
				}
			}
		})
	}
}

// checkPackage fetches small packages and compares size, hash and control fields; of a large one it asks the size.
func checkPackage(t *testing.T, p buildlock.Package) {
	t.Helper()
	const small = 200_000
	get := http.Get
	if p.Size > small {
		get = http.Head
	}
	resp, err := get(p.URL) //nolint:noctx // a test's own request
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.ContentLength != p.Size {
		t.Errorf("%s: %s with %d bytes, the lock says %d", p.URL, resp.Status, resp.ContentLength, p.Size)
	}
	if p.Size > small {
		return
	}
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != p.SHA256 {
		t.Errorf("%s has the sha256 %x", p.URL, sum)
	}
	file := filepath.Join(t.TempDir(), "package.deb")
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		return // not a Debian machine: size and hash are compared
	}
	out, err := exec.CommandContext(t.Context(), "dpkg-deb", "-f", file, "Package", "Version", "Architecture").CombinedOutput()
	if want := "Package: " + p.Name + "\nVersion: " + p.Version + "\nArchitecture: " + p.Architecture + "\n"; err != nil || string(out) != want {
		t.Errorf("%s is\n%s, %v; the lock says\n%s", p.URL, out, err, want)
	}
}

// TestSystemLockIsUsed: a build takes the list of the lock and no other; what the project asks beyond it makes it stale.
func TestSystemLockIsUsed(t *testing.T) {
	b := connect(t, testbed.Shared(t).Daemon.Addr())
	repo := testbed.NewAptRepository(t)
	addDeb(repo, "sample-tool", "1.0", "all", "")
	system := "{runtime: [sample-tool], repositories: [{url: \"" + repo.URL + "\", suite: ./, key: team.asc}]}"
	p := packaged(t, "3.11", system)
	p.write("team.asc", string(repo.Key))
	want{code: fault.LockStale, says: []string{"the system packages of profile cpu have no lock"}, hints: []string{"mlbuild lock --profile cpu"}}.check(t, second(p.planned(b, true)))

	s := p.mustLockSystem(b, builder.LockOptions{})
	if got := s.Packages[0]; len(s.Packages) != 1 || got.Version != "1.0" || got.URL != repo.URL+"/./sample-tool_1.0_all.deb" || got.Size < 500 {
		t.Fatalf("packages %+v", s.Packages)
	}
	addDeb(repo, "sample-tool", "2.0", "all", "")
	if _, err := p.planned(b, true); err != nil {
		t.Errorf("a fresh lock is refused: %v", err)
	}
	if s := p.mustLockSystem(b, builder.LockOptions{Nonce: "1"}); s.Packages[0].Version != "1.0" {
		t.Errorf("a lock that fits changes to %s", s.Packages[0].Version)
	}

	addDeb(repo, "more", "3.0", "all", "")
	p.packages("3.11", strings.Replace(system, "[sample-tool]", "[sample-tool, more]", 1))
	want{code: fault.LockStale, says: []string{"it lacks more"}, hints: []string{"mlbuild lock --profile cpu"}}.check(t, second(p.planned(b, true)))
	s = p.mustLockSystem(b, builder.LockOptions{Nonce: "2"})
	if got := namesOf(s); got != "more 3.0, sample-tool 1.0" {
		t.Errorf("a new package moves another: %s", got)
	}
	if s = p.mustLockSystem(b, builder.LockOptions{Nonce: "3", System: true}); namesOf(s) != "more 3.0, sample-tool 2.0" {
		t.Errorf("--upgrade system gives %s", namesOf(s))
	}
	repo.Remove("sample-tool", "2.0", "all")
	p.packages("3.11", system)
	if s = p.mustLockSystem(b, builder.LockOptions{Nonce: "4"}); namesOf(s) != "sample-tool 1.0" {
		t.Errorf("a version that is gone is kept: %s", namesOf(s))
	}
}

func second[T any](_ T, err error) error { return err }

func namesOf(s *buildlock.System) string {
	var names []string
	for _, p := range s.Packages {
		names = append(names, p.Name+" "+p.Version)
	}
	return strings.Join(names, ", ")
}

// TestSystemReplaces marks what would replace a package of the base.
func TestSystemReplaces(t *testing.T) {
	b := connect(t, testbed.Shared(t).Daemon.Addr())
	repo := testbed.NewAptRepository(t)
	addDeb(repo, "zlib1g", "1:99.0", "amd64", "")
	addDeb(repo, "needs-newer", "1", "all", "Depends: zlib1g (>= 1:99)\n")
	p := packaged(t, "3.11", "{runtime: [needs-newer], repositories: [{url: \""+repo.URL+"\", suite: ./, key: team.asc}]}")
	p.write("team.asc", string(repo.Key))
	s := p.mustLockSystem(b, builder.LockOptions{})
	if namesOf(s) != "needs-newer 1, zlib1g 1:99.0" || s.Packages[0].Replaces != "" || !strings.HasPrefix(s.Packages[1].Replaces, "1:1.2.13") {
		t.Errorf("packages %+v", s.Packages)
	}
}

// TestSystemSnapshot has all of the base's repositories served by a stand-in for a snapshot service: it hands on to the mirror. A project that names the
// service because its mirror deletes versions keeps those that it has: the next lock says where the service has them.
func TestSystemSnapshot(t *testing.T) {
	b := connect(t, testbed.Shared(t).Daemon.Addr())
	p := packaged(t, "3.11", "{runtime: [libgomp1]}")
	direct := p.mustLockSystem(b, builder.LockOptions{})
	at := direct.Packages[0].URL
	mirror, err := url.Parse(at[:strings.Index(at, "/pool/")])
	if err != nil {
		t.Fatal(err)
	}
	const date = "20260131T000000Z"
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Path = strings.TrimPrefix(r.In.URL.Path, "/archive/"+filepath.Base(mirror.Path)+"/"+date)
		r.Out.URL.RawPath = ""
		r.SetURL(mirror)
	}}
	service := testbed.NewServer(t, proxy)
	p.packages("3.11", "{runtime: [libgomp1], snapshot: {url: \""+service+"/archive/{archive}/{date}\", date: 2026-01-31}}")
	want{code: fault.LockStale, hints: []string{"mlbuild lock --profile cpu"}}.check(t, second(p.planned(b, true)))
	s := p.mustLockSystem(b, builder.LockOptions{})
	got, prefix := s.Packages[0], service+"/archive/"+filepath.Base(mirror.Path)+"/"+date+"/pool/"
	if !strings.HasPrefix(got.URL, prefix) || got.SHA256 != direct.Packages[0].SHA256 {
		t.Errorf("%s, want it below %s", got.URL, prefix)
	}
	if _, err := p.planned(b, true); err != nil || namesOf(s) != namesOf(direct) {
		t.Errorf("%s instead of %s, %v", namesOf(s), namesOf(direct), err)
	}
}

// TestBaseIsPinned: mlbuild.lock holds a build to the base that the tag named, until the base is renewed. The new one is asked for its packages anew, and
// versions stay.
func TestBaseIsPinned(t *testing.T) {
	n := newBench(t)
	repo := testbed.NewAptRepository(t)
	addDeb(repo, "sample-tool", "1.0", "all", "")
	p := packaged(t, "3.11", "{runtime: [sample-tool], repositories: [{url: \""+repo.URL+"\", suite: ./, key: team.asc}]}")
	p.write("team.asc", string(repo.Key))
	first := p.mustLockSystem(n.b, builder.LockOptions{})
	addDeb(repo, "sample-tool", "2.0", "all", "")
	moved, err := n.reg.BumpBase(t.Context(), "library/python:3.11-slim")
	if err != nil {
		t.Fatal(err)
	}
	if moved == first.Digest {
		t.Fatal("the tag names the same image as before")
	}
	if s := p.mustLockSystem(n.b, builder.LockOptions{Nonce: "1"}); s.Digest != first.Digest || namesOf(s) != "sample-tool 1.0" {
		t.Errorf("a lock that fits changes to %s, %s", s.Digest, namesOf(s))
	}
	plan, err := p.planned(n.b, true)
	if err != nil {
		t.Fatal(err)
	}
	if !definitionNames(plan, first.Digest) || definitionNames(plan, moved) {
		t.Error("the locked base is not the one of the graph")
	}
	if s := p.mustLockSystem(n.b, builder.LockOptions{Nonce: "2", Base: true}); s.Digest != moved || namesOf(s) != "sample-tool 1.0" {
		t.Errorf("--upgrade base gives %s, %s", s.Digest, namesOf(s))
	}
	if plan, err = p.planned(n.b, true); err != nil || !definitionNames(plan, moved) {
		t.Errorf("the new base is not used: %v", err)
	}
}

// definitionNames looks for an image's digest in the sources of a plan.
func definitionNames(p *builder.Planned, digest string) bool {
	return slices.ContainsFunc(p.Graph.Definition.Def, func(op []byte) bool {
		return strings.Contains(string(op), "docker-image://") && strings.Contains(string(op), digest)
	})
}
