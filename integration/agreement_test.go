package integration

import (
	"bytes"
	"debug/elf"
	_ "embed"
	"encoding/json"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
)

// agreement is the program that looks into an image's environment; its first lines say what it takes and prints.
//
//go:embed testdata/agreement.py
var agreement string

// agreed is what the program prints.
type agreed struct {
	Faults                 []string
	Imported, Requirements int
}

// checkPackages runs the image's Python: it finds exactly the distributions of the lock, each once, their requirements are met (pip says so too), every module
// that they bring can be imported, and find_library knows the libraries of system packages.
func (p *pushed) checkPackages(tb *testbed.Testbed, ref, lockFile string, lock []byte) {
	p.t.Helper()
	packages := map[string]string{}
	for _, w := range lockedWheels(p.t, lockFile, lock) {
		if _, ok := packages[w.Name]; ok {
			p.t.Errorf("%s: two wheels of %s", lockFile, w.Name)
		}
		packages[w.Name] = w.Version
	}
	p.checkAgreement(tb, ref, packages)
}

// checkPlanned is checkPackages for an image whose packages a plan of the same request says: without a lock of its own, or of another stage than the runtime.
func (p *pushed) checkPlanned(tb *testbed.Testbed, b *builder.Builder, ref string, req builder.Request) {
	p.t.Helper()
	req.Status = nil
	plans, err := b.Plan(p.t.Context(), req, false)
	if err != nil || len(plans) != 1 {
		p.t.Fatalf("%d plans, %v", len(plans), err)
	}
	packages := map[string]string{}
	for _, w := range plans[0].Wheels {
		packages[w.Name] = w.Version
	}
	p.checkAgreement(tb, ref, packages)
}

// checkAgreement is checkPackages for the distributions that are to be there, name → version.
func (p *pushed) checkAgreement(tb *testbed.Testbed, ref string, packages map[string]string) {
	p.t.Helper()
	got := agree(p.t, tb, ref, packages, p.systemLibraries())
	for _, f := range got.Faults {
		p.t.Error(f)
	}
	if len(packages) == 0 || got.Imported == 0 {
		p.t.Errorf("%d packages, of which %d modules were imported", len(packages), got.Imported)
	}
}

// agree runs the program in the image, by a command before it if there is one.
func agree(t *testing.T, tb *testbed.Testbed, ref string, packages map[string]string, libraries []string, before ...string) agreed {
	t.Helper()
	asked, err := json.Marshal(map[string]any{"packages": packages, "libraries": append([]string{}, libraries...)})
	if err != nil {
		t.Fatal(err)
	}
	var got agreed
	began := time.Now()
	out := inImage(t, tb, ref, append(before, "python", "-c", agreement, string(asked))...)
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("%d packages, %d requirements, %d modules imported, %d libraries of the system, in %.1f s",
		len(packages), got.Requirements, got.Imported, len(libraries), time.Since(began).Seconds())
	return got
}

// loaderDirs are where the loader looks without being told.
var loaderDirs = []string{"lib", "usr/lib", "lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"}

// systemLibraries lists the names (DT_SONAME, else the file's) of the shared libraries in layers with system packages that a container sees in the loader's
// directories.
func (p *pushed) systemLibraries() []string {
	p.t.Helper()
	var all []string
	for file, data := range p.read(p.isSystemLibrary) {
		names := []string{path.Base(file)}
		if e, err := elf.NewFile(bytes.NewReader(data)); err != nil {
			continue // a linker's script
		} else if soname, err := e.DynString(elf.DT_SONAME); err != nil {
			p.t.Errorf("%s: %v", file, err)
		} else if len(soname) > 0 {
			names = soname
		}
		if strings.HasPrefix(names[0], "lib") {
			all = append(all, names...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (p *pushed) isSystemLibrary(file string) bool {
	by := p.layers[p.tree[file].Layer].createdBy
	system := strings.HasPrefix(by, "mlbuild system:") || strings.HasPrefix(by, "mlbuild dev:")
	return system && slices.Contains(loaderDirs, path.Dir(file)) && strings.Contains(path.Base(file), ".so")
}

// brokenEnvironment puts a package before those of the environment that is wrong in every way the program looks for, and runs its arguments.
const brokenEnvironment = `
mkdir -p /tmp/broken/ghost-1.0.dist-info && cd /tmp/broken
echo 'import nowhere' > ghost.py
printf 'Metadata-Version: 2.1\nName: Ghost\nVersion: 1.0\nRequires-Dist: absent>=2\nRequires-Dist: tiny>=99\nRequires-Dist: other; python_version < "3"\n' > ghost-1.0.dist-info/METADATA
printf 'ghost.py,,\ngone.py,,\nghost-1.0.dist-info/METADATA,,\nghost-1.0.dist-info/RECORD,,\n' > ghost-1.0.dist-info/RECORD
cd / && PYTHONPATH=/tmp/broken exec "$@"
`

// checkDisagreement wants the program to find each thing that is wrong with the environment of an image that has one package, tiny.
func checkDisagreement(t *testing.T, tb *testbed.Testbed, ref string) {
	t.Helper()
	got := agree(t, tb, ref, map[string]string{"tiny": "9.9", "ghost": "1.0", "lost": "1.0"}, []string{"libnowhere.so.1"}, "sh", "-c", brokenEnvironment, "sh").Faults
	want := []string{
		"Ghost: gone.py is not there", "tiny: the lock has 9.9, importlib.metadata finds", "lost: the lock has 1.0, importlib.metadata finds []",
		"ghost requires absent>=2, there is None", "ghost requires tiny>=99, there is 1.0", "pip check ended with 1: ghost 1.0 requires absent",
		"find_library('nowhere') finds nothing", "Ghost: import ghost: Traceback", "Ghost: import gone: Traceback",
	}
	for _, start := range want {
		if !slices.ContainsFunc(got, func(f string) bool { return strings.HasPrefix(f, start) }) {
			t.Errorf("nothing starts with %q", start)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d faults, want %d: %q", len(got), len(want), got)
	}
}
