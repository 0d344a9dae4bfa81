package integration

import (
	"archive/tar"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
)

// emptyLock is a lock without Python packages.
const emptyLock = "lock-version = \"1.0\"\ncreated-by = \"test\"\npackages = []\n"

// systemRequest pushes the project with its mlbuild.lock.
func (p *project) systemRequest(tag string) builder.Request {
	p.t.Helper()
	req := p.request(p.variant("cpu", tag))
	req.BuildLock, _ = os.ReadFile(filepath.Join(p.dir, buildlock.FileName))
	req.Variants[0].Lock, req.Locked = []byte(emptyLock), true
	return req
}

// pushSystem builds the project from its locks and returns the image; the log holds only this build's requests.
func (n *bench) pushSystem(p *project, repo string) builder.Image {
	n.t.Helper()
	n.reg.Reset()
	return mustBuild(n.t, n.b, p.systemRequest(n.reg.Ref(repo+":1.0-cpu"))).Images[0]
}

// pushLocked builds the project from its two locks and returns the image; the log holds only this build's requests.
func (n *bench) pushLocked(p *project, repo string) builder.Image {
	n.t.Helper()
	n.reg.Reset()
	return mustBuild(n.t, n.b, p.bothLocks(n.reg.Ref(repo+":1.0-cpu"))).Images[0]
}

var systemLine = regexp.MustCompile(`(?m)^system: .*\n`)

// withSystem gives the project file another section system, in braces.
func (p *project) withSystem(section string) {
	p.t.Helper()
	p.write("mlbuild.yaml", systemLine.ReplaceAllString(p.read("mlbuild.yaml"), "")+"system: "+section+"\n")
}

// TestSystemLayers: system packages are layers that depend on no base. In sklearn-api libgomp1 adds little, an added package moves itself, a new base moves
// no package, and two daemons in different states give one digest.
func TestSystemLayers(t *testing.T) {
	n := newBench(t)
	p := example(t, "sklearn-api")
	p.lock(n.b, "cpu", builder.LockOptions{})
	p.mustLockBase(n.b)
	bare := n.pushLocked(p, "system").Size
	p.withSystem("{runtime: [libgomp1]}")
	p.mustLockSystem(n.b, builder.LockOptions{})
	first := n.pushLocked(p, "system")
	if added := first.Size - bare; added > 300_000 || added < 50_000 {
		t.Errorf("libgomp1 adds %d bytes", added)
	}
	readBack(t, n.reg, "system:1.0-cpu").checkClean()
	n.sameElsewhere(t, p, "system", first)
	n.packagesStay(t, p, "system", "libgomp1")
}

// sameElsewhere builds the project on an empty daemon in another state: it has the base, which the first one did not have.
func (n *bench) sameElsewhere(t *testing.T, p *project, repo string, first builder.Image) {
	t.Run("another daemon", func(t *testing.T) {
		second := testbed.NewDaemon(t, testbed.DaemonOptions{Mirror: n.reg})
		if _, err := second.RunImage(t.Context(), "docker.io/library/python:3.11-slim", "true"); err != nil {
			t.Fatal(err)
		}
		other := mustBuild(t, connect(t, second.Addr()), p.bothLocks(n.reg.Ref("elsewhere:1.0"))).Images[0]
		if other.Digest != first.Digest {
			t.Errorf("image %s on one daemon, %s on the other: %q", first.Digest, other.Digest, changedLayers(n.layersOf(repo+":1.0-cpu"), n.layersOf("elsewhere:1.0")))
		}
	})
}

// packagesStay adds a package to those that the project has, and renews the base: by the registry's log the one sends that package's layer, the other none.
func (n *bench) packagesStay(t *testing.T, p *project, repo, packages string) {
	tag := repo + ":1.0-cpu"
	before := n.layersOf(tag)
	t.Run("a package more", func(t *testing.T) {
		p.withSystem("{runtime: [" + packages + ", fonts-dejavu-core]}")
		p.mustLockSystem(n.b, builder.LockOptions{})
		n.pushLocked(p, repo)
		changed := changedLayers(before, n.layersOf(tag))
		if sent := n.uploads(repo); len(sent) != 1 || len(changed) != 1 || !strings.Contains(changed[0], "fonts-dejavu-core") {
			t.Errorf("sent %+v for %q", sent, changed)
		}
	})
	t.Run("a new base", func(t *testing.T) {
		before := n.layersOf(tag)
		if _, err := n.reg.BumpBase(t.Context(), "library/python:3.11-slim"); err != nil {
			t.Fatal(err)
		}
		p.mustLockSystem(n.b, builder.LockOptions{Base: true, Nonce: "bumped"})
		n.pushLocked(p, repo)
		changed := changedLayers(before, n.layersOf(tag))
		for _, name := range changed {
			if strings.HasPrefix(name, "mlbuild ") {
				t.Errorf("layer %q differs over a new base", name)
			}
		}
		if sent := n.uploads(repo); len(sent) > 1 || len(changed) == 0 {
			t.Errorf("sent %+v for %q, want the base's new layer alone", sent, changed)
		}
	})
}

// mustLockBase pins the base of a project without system packages.
func (p *project) mustLockBase(b *builder.Builder) {
	p.t.Helper()
	if _, err := p.systemLock(b, builder.LockOptions{}); err != nil {
		p.t.Fatal(err)
	}
}

// uses runs something of every package in an image: arguments, and what stdout or stderr must hold.
var uses = []struct {
	packages string
	says     string
	args     []string
}{
	{"libgomp1 libgl1 libglib2.0-0 libsm6 libxext6 libsndfile1 libmagic1 libopenblas0", "loaded 8", []string{"python3", "-c",
		`import ctypes, sys
names = ["libgomp.so.1", "libGL.so.1", "libglib-2.0.so.0", "libSM.so.6", "libXext.so.6", "libsndfile.so.1", "libmagic.so.1", "libopenblas.so.0"]
for n in names: ctypes.CDLL(n)
print("loaded", len(names))`}},
	{"liblapack3", "loaded", []string{"python3", "-c", `import ctypes; ctypes.CDLL("libblas.so.3"); ctypes.CDLL("liblapack.so.3"); print("loaded")`}},
	{"ffmpeg", "ffmpeg version", []string{"ffmpeg", "-version"}},
	{"tini", "tini version", []string{"tini", "--version"}},
	{"curl", "curl ", []string{"curl", "--version"}},
	{"git", "git version", []string{"git", "--version"}},
	{"espeak-ng", "English_(America)", []string{"espeak-ng", "--voices=en"}},
	{"tesseract-ocr", "eng", []string{"tesseract", "--list-langs"}},
	{"poppler-utils", "pdftotext version", []string{"pdftotext", "-v"}},
	{"openmpi-bin", "Open MPI", []string{"mpirun", "--version"}},
	{"ca-certificates", "certificates", []string{"python3", "-c", `import ssl; print(len(ssl.create_default_context().get_ca_certs()) > 100 and "certificates")`}},
	{"tzdata", "+0900", []string{"sh", "-c", "TZ=Asia/Tokyo date +%z"}},
	{"graphviz", "<svg", []string{"sh", "-c", "echo 'digraph {a -> b}' | dot -Tsvg"}},
}

// everyday are the packages that projects install most.
const everyday = "libgomp1, libgl1, libglib2.0-0, libsm6, libxext6, libsndfile1, ffmpeg, tini, curl, git, libopenblas0, espeak-ng, tesseract-ocr, " +
	"poppler-utils, openmpi-bin, ca-certificates, tzdata, libmagic1, graphviz"

// TestEverydayPackages builds one image with all of them, uses each, and compares the files with those that apt installs. At most one package
// in twenty needs dpkg. On the second release that is held of the lock alone; its image takes four minutes, with MLBUILD_TEST_LARGE=1.
func TestEverydayPackages(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	var tables, suites []string
	twins := map[string]map[string]int{}
	for _, test := range []struct{ python, suite, packages string }{
		{"3.11", "bookworm", everyday},
		{"3.13", "trixie", strings.NewReplacer("libglib2.0-0", "libglib2.0-0t64", "libmagic1", "libmagic1t64").Replace(everyday)},
	} {
		t.Run(test.suite, func(t *testing.T) {
			p := packaged(t, test.python, "{runtime: ["+test.packages+"]}")
			s := p.mustLockSystem(b, builder.LockOptions{})
			var hard []string
			for _, pkg := range s.Packages {
				if pkg.Handling == buildlock.Dpkg {
					hard = append(hard, pkg.Name+" ("+pkg.Reason+")")
				}
			}
			t.Logf("%d packages, by dpkg: %q", len(s.Packages), hard)
			if len(s.Packages) < 200 || len(hard)*20 > len(s.Packages) {
				t.Errorf("%d of %d packages need dpkg: %q", len(hard), len(s.Packages), hard)
			}
			tables = append(tables, waysTable(test.suite, s.Packages))
			if test.suite != "bookworm" && os.Getenv("MLBUILD_TEST_LARGE") != "1" && !*writeDocs {
				return
			}
			twin := aptTwin(t, tb, "docker.io/library/python:"+test.python+"-slim", strings.Split(test.packages, ", ")...)
			repo := "everyday-" + test.suite + ":1.0"
			mustBuild(t, b, p.systemRequest(tb.Registry.Ref(repo)))
			for _, use := range uses {
				out, err := tb.Daemon.RunImage(t.Context(), tb.Registry.Ref(repo), use.args...)
				if err != nil || out.Exit != 0 || !strings.Contains(out.Stdout+out.Stderr, use.says) {
					t.Errorf("%s: exit %d, %v\n%s%s", use.packages, out.Exit, err, out.Stdout, out.Stderr)
				}
			}
			got := readBack(t, tb.Registry, repo)
			got.checkClean()
			twins[test.suite], suites = got.checkTwin(twin()), append(suites, test.suite)
		})
	}
	if unused := unusedRules(twins); len(suites) == 2 && len(unused) > 0 {
		t.Errorf("these rules explain nothing: %q", unused)
	}
	if *writeDocs {
		intoDocs(t, "ways", strings.Join(tables, "\n"))
		intoDocs(t, "twin", twinTable(suites, twins))
	}
}

// writeDocs has TestEverydayPackages and TestBaseOfPackages write their tables into docs/system-packages.md.
var writeDocs = flag.Bool("write-docs", false, "write the tables of docs/system-packages.md")

// waysTable says for a release how many packages went which way, and why dpkg was needed.
func waysTable(suite string, packages []buildlock.Package) string {
	count := map[buildlock.Handling]int{}
	var hard strings.Builder
	for _, p := range packages {
		if count[p.Handling]++; p.Handling == buildlock.Dpkg {
			fmt.Fprintf(&hard, "- %s: by dpkg, for %s\n", p.Name, p.Reason)
		}
	}
	return fmt.Sprintf("| %s | packages | layer | rules | dpkg |\n|---|--:|--:|--:|--:|\n| | %d | %d | %d | %d (%.1f %%) |\n\n%s",
		suite, len(packages), count[buildlock.Layer], count[buildlock.Rules], count[buildlock.Dpkg], 100*float64(count[buildlock.Dpkg])/float64(len(packages)), hard.String())
}

// intoDocs writes a table between its marks.
func intoDocs(t *testing.T, mark, table string) {
	t.Helper()
	const file = "../docs/system-packages.md"
	begin, end := "<!-- "+mark+" -->\n", "<!-- /"+mark+" -->"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("the marks of the table are not there")
	}
	if err := os.WriteFile(file, []byte(before+begin+table+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestScannersSeePackages: a scanner lists the same packages in an image of layers as in one that dpkg made.
func TestScannersSeePackages(t *testing.T) {
	tb := testbed.Shared(t)
	scan, err := testbed.Tool("scan")
	if err != nil {
		testbed.SkipMissing(t, err)
	}
	b := connect(t, tb.Daemon.Addr())
	var lists []string
	for _, strategy := range []string{"layers", "apt"} {
		p := packaged(t, "3.11", "{runtime: [libgomp1, libgl1, tini, curl], strategy: "+strategy+"}")
		p.mustLockSystem(b, builder.LockOptions{})
		repo := "scanned-" + strategy + ":1.0"
		mustBuild(t, b, p.systemRequest(tb.Registry.Ref(repo)))
		dir := readBack(t, tb.Registry, repo).extract("etc/os-release", "usr/lib/os-release", "var/lib/dpkg/status", "var/lib/dpkg/status.d/")
		out, err := exec.Command(scan, dir).Output()
		if err != nil {
			t.Fatal(err)
		}
		lists = append(lists, string(out))
	}
	if d := cmp.Diff(lists[1], lists[0]); d != "" {
		t.Errorf("packages (-dpkg +layers):\n%s", d)
	}
	if !strings.Contains(lists[0], "\nlibgomp1 ") || strings.Count(lists[0], "\n") < 100 {
		t.Errorf("the scanner found:\n%s", lists[0])
	}
}

// extract writes files of the image, by their names or the beginning of them, into a new directory.
func (p *pushed) extract(names ...string) string {
	p.t.Helper()
	dir := p.t.TempDir()
	for name, e := range p.tree {
		if e.Typeflag != tar.TypeReg || !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(name, n) }) {
			continue
		}
		to := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, []byte(p.file(name)), 0o644)); err != nil {
			p.t.Fatal(err)
		}
	}
	return dir
}

// TestPlainAptReadsRepositories: where apt installs everything and no lock says what, it knows the project's repositories and leaves nothing behind.
func TestPlainAptReadsRepositories(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	repo := testbed.NewAptRepository(t)
	addDeb(repo, "ours", "1.0", "all", "")
	p := newProject(t, map[string]string{"main.py": "", "team.asc": string(repo.Key)})
	p.packages("3.11", "{runtime: [ours], strategy: apt, repositories: [{url: \""+repo.URL+"\", suite: ./, key: team.asc}]}")
	req := p.systemRequest(tb.Registry.Ref("plain-apt:1.0"))
	req.Locked = false
	mustBuild(t, b, req)
	got := readBack(t, tb.Registry, "plain-apt:1.0")
	got.checkClean()
	if text := got.file("usr/share/ours/version"); text != "1.0" {
		t.Errorf("the package's file holds %q", text)
	}
}
