package integration

import (
	"archive/tar"
	"fmt"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/deb/ldcache"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
)

// twinRule explains differences between an image of layers and one in which apt installed the same packages. Its pattern is matched with a line: "+" (the layers
// alone have it), "-" (apt's image alone) or "~" (both, but not the same), and the path.
type twinRule struct {
	why   string
	match *regexp.Regexp
}

var twinRules = []twinRule{
	{"documentation, manual pages and translations: left out, unless `system.docs` is on", regexp.MustCompile(`^- usr/share/(doc|info|lintian|locale|man)/`)},
	{"links of alternatives to such manual pages", regexp.MustCompile(`^- etc/alternatives/.*\.[1-9]\.gz$`)},
	{"dpkg's database: it does not know packages that are layers; they have a record each in `status.d`",
		regexp.MustCompile(`^(- var/lib/dpkg/(info/.*|.*-old|lock.*|triggers/.*)|~ var/lib/dpkg/(status|available|triggers/.*)|\+ var/lib/dpkg/status\.d(/.*)?)$`)},
	{"lists, archives and records of apt", regexp.MustCompile(`^[-~] var/(lib|cache)/apt/`)},
	{"questions of packages and their answers (debconf)", regexp.MustCompile(`^[-~] var/cache/debconf/`)},
	{"caches: fontconfig's, and ldconfig's own", regexp.MustCompile(`^[-~] var/cache/(fontconfig|ldconfig)/`)},
	{"the loader's cache (`ld.so.cache`): the same entries, without ldconfig's name and version", regexp.MustCompile(`^~ etc/ld\.so\.cache$`)},
	{"logs", regexp.MustCompile(`^- var/log/`)},
	{"what an init would start, and when: none runs in a container", regexp.MustCompile(`^- (etc/rc[0-9S]\.d/|etc/systemd/(system|user)/[^/]+\.wants|var/lib/systemd/deb-systemd-)`)},
	{"lock files and earlier states of the accounts", regexp.MustCompile(`^[-~+] (run/adduser|etc/(passwd|group|shadow|gshadow)-|etc/\.pwd\.lock)$`)},
	{"accounts: their order, and ids of system users and groups, which go by their names", regexp.MustCompile(`^~ etc/(passwd|group|shadow|gshadow)$`)},
}

// aptTwin starts to install packages with apt on an image, without mlbuild. The function that it gives waits for the result.
func aptTwin(t *testing.T, tb *testbed.Testbed, base string, packages ...string) func() *testbed.Twin {
	t.Helper()
	// Files are not forced to the disk one by one, which changes none of them.
	script := `export DEBIAN_FRONTEND=noninteractive
apt() { apt-get -q -o Acquire::https::CAInfo="${SSL_CERT_FILE-}" -o Dpkg::Options::=--force-unsafe-io "$@"; }
apt update
apt install -y --no-install-recommends ` + strings.Join(packages, " ")
	var twin *testbed.Twin
	var err error
	var ready sync.WaitGroup
	ca := networkCA(t)
	ready.Go(func() {
		twin, err = tb.Daemon.RunTwin(t.Context(), base, script, ca, append(slices.Clone(accountFiles), loaderCache)...)
	})
	return func() *testbed.Twin {
		t.Helper()
		if ready.Wait(); err != nil {
			t.Fatal(err)
		}
		return twin
	}
}

// loaderCache is the file in which the loader, and find_library in Python, find libraries by their names.
const loaderCache = "etc/ld.so.cache"

var accountFiles = []string{"etc/passwd", "etc/group", "etc/shadow", "etc/gshadow"}

// fileSystem is what a container sees, with the names of the owners.
type fileSystem struct {
	tree          map[string]testbed.Entry
	users, groups map[string]string // number → name
}

func newFileSystem(tree map[string]testbed.Entry, passwd, group string) fileSystem {
	byNumber := func(text string) map[string]string {
		all := map[string]string{}
		for line := range strings.Lines(text) {
			if f := strings.Split(line, ":"); len(f) > 2 {
				all[f[2]] = f[0]
			}
		}
		return all
	}
	return fileSystem{tree, byNumber(passwd), byNumber(group)}
}

// describe says all of a path but its time: type, mode, names of the owners, size and hash, target.
func (s fileSystem) describe(name string) string {
	e := s.tree[name]
	if e.Typeflag == tar.TypeLink {
		e = s.tree[strings.TrimPrefix(path.Clean("/"+e.Linkname), "/")]
	}
	what := fmt.Sprintf("%c %04o %s:%s", e.Typeflag, e.Mode&0o7777, s.users[fmt.Sprint(e.Uid)], s.groups[fmt.Sprint(e.Gid)])
	switch e.Typeflag {
	case tar.TypeReg:
		return fmt.Sprintf("%s %d %s", what, e.Size, e.SHA256)
	case tar.TypeSymlink:
		return "link to " + e.Linkname
	}
	return what
}

// checkTwin compares the image with apt's twin: path, type, mode, owner, size, hash, target. A difference that no rule explains is an error. It counts those of each rule.
func (p *pushed) checkTwin(twin *testbed.Twin) map[string]int {
	p.t.Helper()
	accounts := p.read(func(name string) bool { return slices.Contains(accountFiles, name) || name == loaderCache })
	layers := newFileSystem(p.tree, string(accounts["etc/passwd"]), string(accounts["etc/group"]))
	apt := newFileSystem(twin.Tree, string(twin.Data["etc/passwd"]), string(twin.Data["etc/group"]))
	count := map[string]int{}
	unexplained := 0
	for _, d := range differences(layers, apt) {
		if name := d[2:]; d[0] == '+' && p.ofProject(name) {
			continue
		}
		why := explained(d, apt.tree)
		if count[why]++; why != "" {
			continue
		}
		if unexplained++; unexplained <= 30 {
			p.t.Errorf("%s: by layers %q, by apt %q", d, layers.describe(d[2:]), apt.describe(d[2:]))
		}
	}
	if unexplained > 0 {
		p.t.Errorf("%d differences have no explanation", unexplained)
	}
	for _, f := range accountFiles {
		if a, b := accountsOf(string(accounts[f])), accountsOf(string(twin.Data[f])); !slices.Equal(a, b) || len(a) < 10 {
			p.t.Errorf("/%s: by layers %q, by apt %q", f, a, b)
		}
	}
	p.checkLoaderCache(accounts[loaderCache], twin.Data[loaderCache])
	return count
}

// checkLoaderCache compares the entries of the loader's caches, in their order: find_library and the loader take the first.
func (p *pushed) checkLoaderCache(layers, apt []byte) {
	p.t.Helper()
	ours, err := ldcache.Parse(layers)
	if err != nil {
		p.t.Errorf("by layers: %v", err)
	}
	theirs, err := ldcache.Parse(apt)
	if err != nil {
		p.t.Errorf("by apt: %v", err)
	}
	if d := cmp.Diff(theirs, ours); d != "" || len(ours) < 10 {
		p.t.Errorf("entries of the loader's cache (-apt +layers):\n%s", d)
	}
}

// differences lists the paths of which the two say different things, each behind "+ ", "- " or "~ ".
func differences(layers, apt fileSystem) []string {
	var all []string
	for name := range layers.tree {
		if _, both := apt.tree[name]; !both {
			all = append(all, "+ "+name)
		} else if layers.describe(name) != apt.describe(name) {
			all = append(all, "~ "+name)
		}
	}
	for name := range apt.tree {
		if _, both := layers.tree[name]; !both {
			all = append(all, "- "+name)
		}
	}
	slices.Sort(all)
	return all
}

// explained returns the reason of a difference, "" if there is none. Copyright files have to be there, and the links of one package's documentation to another's.
func explained(difference string, apt map[string]testbed.Entry) string {
	name := difference[2:]
	copyright, _ := path.Match("usr/share/doc/*/copyright", name)
	if copyright || path.Dir(name) == "usr/share/doc" && apt[name].Typeflag == tar.TypeSymlink {
		return ""
	}
	for _, r := range twinRules {
		if r.match.MatchString(difference) {
			return r.why
		}
	}
	return ""
}

// ofProject reports whether a path comes from the project's own layers: its environment, files and user.
func (p *pushed) ofProject(name string) bool {
	l := p.layers[p.tree[name].Layer]
	return l.own && !strings.HasPrefix(l.createdBy, "mlbuild system:")
}

// accountsOf are the sorted lines of passwd, group, shadow or gshadow without numbers: ids, and the day of the last change. The project's user is left out.
func accountsOf(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if fields[0] == "app" {
			continue
		}
		for i, f := range fields {
			if strings.Trim(f, "0123456789") == "" {
				fields[i] = ""
			}
		}
		all = append(all, strings.Join(fields, ":"))
	}
	slices.Sort(all)
	return all
}

// twinTable is the table of the rules, with the number of files by release.
func twinTable(suites []string, counts map[string]map[string]int) string {
	var b strings.Builder
	b.WriteString("| files that differ | " + strings.Join(suites, " | ") + " |\n|---|" + strings.Repeat("--:|", len(suites)) + "\n")
	for _, r := range twinRules {
		b.WriteString("| " + r.why + " |")
		for _, s := range suites {
			fmt.Fprintf(&b, " %d |", counts[s][r.why])
		}
		b.WriteString("\n")
	}
	return b.String()
}

// TestTwinRules: every rule stands in the document, and none explains away a program, a library or a setting.
func TestTwinRules(t *testing.T) {
	page, err := os.ReadFile("../docs/system-packages.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range twinRules {
		if !strings.Contains(string(page), "\n| "+r.why+" |") {
			t.Errorf("docs/system-packages.md does not say: %s", r.why)
		}
	}
	link := map[string]testbed.Entry{"usr/share/doc/libx": {Header: tar.Header{Typeflag: tar.TypeSymlink}}}
	for _, d := range []string{"- usr/bin/x", "+ usr/bin/x", "~ usr/bin/x", "- usr/lib/x.so", "- etc/x.conf", "- etc/ld.so.cache", "- etc/systemd/x.conf", "- usr/share/doc/x/copyright", "- usr/share/doc/libx",
		"- etc/alternatives/x", "- usr/share/icons/x", "+ usr/share/man/man1/x.1", "- var/lib/x", "- var/lib/dpkg/alternatives/x", "- etc/init.d/x"} {
		if why := explained(d, link); why != "" {
			t.Errorf("%s is explained by: %s", d, why)
		}
	}
	if why := explained("- usr/share/doc/x/README", link); why != twinRules[0].why {
		t.Errorf("documentation: %q", why)
	}
}

// TestTablesOfSystemPackages: the tables that tests write are there.
func TestTablesOfSystemPackages(t *testing.T) {
	page, err := os.ReadFile("../docs/system-packages.md")
	if err != nil {
		t.Fatal(err)
	}
	figure := regexp.MustCompile(`(?m)^\|.* [1-9][0-9.]*[^|]*\|$`)
	for mark, rows := range map[string]int{"ways": 2, "twin": 8, "base": 2} {
		_, rest, _ := strings.Cut(string(page), "<!-- "+mark+" -->\n")
		table, _, _ := strings.Cut(rest, "<!-- /"+mark+" -->")
		if n := len(figure.FindAllString(table, -1)); n < rows {
			t.Errorf("the table %s has %d rows with figures, want %d:\n%s", mark, n, rows, table)
		}
	}
}

// alone are packages that are built alone too: one without scripts, one that sets alternatives, one that makes files of all it finds. TestEverydayPackages has
// the second one on both releases.
var alone = []struct {
	name    string
	pythons string
	uses    []string
	says    string
}{
	{"libgomp1", "3.11 3.13", []string{"python3", "-c", "import ctypes, ctypes.util; print('loaded', ctypes.CDLL(ctypes.util.find_library('gomp')).omp_get_max_threads() > 0)"}, "loaded True\n"},
	{"openmpi-bin", "3.11", []string{"mpirun", "--version"}, "Open MPI"},
	{"ca-certificates", "3.11 3.13", []string{"python3", "-c", "import ssl; print(len(ssl.create_default_context().get_ca_certs()) > 100)"}, "True\n"},
}

// TestPackagesAlone builds an image with each of them on a base that has no certificates, and compares it with apt's.
func TestPackagesAlone(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	for _, python := range []string{"3.11", "3.13"} {
		base := tb.Registry.Ref("alone/python" + python + ":1")
		if err := tb.Daemon.PushRun(t.Context(), "docker.io/library/python:"+python+"-slim", "apt-get purge -y -q ca-certificates openssl\nrm -rf /var/log/* /var/lib/dpkg/*-old", base); err != nil {
			t.Fatal(err)
		}
		for _, one := range alone {
			if !strings.Contains(one.pythons, python) {
				continue
			}
			t.Run(one.name+" on Python "+python, func(t *testing.T) {
				twin := aptTwin(t, tb, base, one.name)
				p := packaged(t, python, "{runtime: ["+one.name+"]}")
				p.onPackages("{image: \"" + base + "\", interpreter: /usr/bin/python" + python + "}")
				s := p.mustLockSystem(b, builder.LockOptions{})
				if slices.ContainsFunc(s.Packages, func(p buildlock.Package) bool { return p.Handling == buildlock.Dpkg }) {
					t.Errorf("dpkg configures some of %+v", s.Packages)
				}
				repo := "alone-" + one.name + ":" + python
				mustBuild(t, b, p.systemRequest(tb.Registry.Ref(repo)))
				if out := inImage(t, tb, tb.Registry.Ref(repo), one.uses...); !strings.Contains(out, one.says) {
					t.Errorf("it says %q", out)
				}
				got := readBack(t, tb.Registry, repo)
				got.checkClean()
				got.checkTwin(twin())
			})
		}
	}
}

// unusedRules are the rules that explain nothing in any of the images.
func unusedRules(counts map[string]map[string]int) []string {
	used := map[string]bool{}
	for _, count := range counts {
		for why := range maps.Keys(count) {
			used[why] = true
		}
	}
	var unused []string
	for _, r := range twinRules {
		if !used[r.why] {
			unused = append(unused, r.why)
		}
	}
	return unused
}
