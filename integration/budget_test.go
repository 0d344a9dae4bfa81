package integration

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
)

// budget is what one build may cost. Requests and steps are exact: fewer are as wrong as more, until the row says so. Bytes are limits.
type budget struct {
	requests string // to the registry, as tally prints them
	up, down int64  // bytes of the bodies, at most
	ran      int    // steps that BuildKit ran
	cached   int    // steps that it had
}

// budgets are for a locked project of a wheel of 24 MB, one of 6 MB and two small ones, in the order of the test. The layers that the first build made are mounted into
// another repository. What the registry is asked beside: a HEAD for each blob of the image under the tag, which may have been lost since; a GET for the record that says which
// layers may be taken, and one for the manifest after a push, which the registry may not have kept. One that a bump made is sent there again: BuildKit labels no zstd layer with the repository that it was pushed to, and only a build of
// most layers looks for them in its cache.
var budgets = map[string]budget{
	"cold":                         {"GET blobs 4, GET manifests 2, GET manifests missing 3, HEAD blobs 11, HEAD blobs missing 13, HEAD manifests 2, HEAD manifests missing 2, POST uploads 13, PUT manifests 3, PUT uploads 13", 113193000, 81678000, 26, 0},
	"no-op":                        {"GET blobs 1, GET manifests 3, HEAD blobs 11, HEAD manifests 1", 0, 17000, 1, 0},
	"app edit":                     {"GET blobs 1, GET manifests 4, HEAD blobs 11, HEAD manifests 1, POST uploads 2, PUT manifests 1, PUT uploads 2", 7000, 20000, 4, 1},
	"second project":               {"GET manifests 1, GET manifests missing 3, HEAD blobs 11, HEAD blobs missing 13, HEAD manifests 1, HEAD manifests missing 2, POST uploads 3, POST uploads mounted 10, PUT manifests 3, PUT uploads 3", 24000, 3000, 15, 11},
	"bump of the large wheel":      {"GET blobs 3, GET manifests 6, HEAD blobs 12, HEAD blobs missing 3, HEAD manifests 3, HEAD manifests missing 1, POST uploads 4, PUT manifests 3, PUT uploads 4", 6315000, 46000, 16, 11},
	"second project after a bump":  {"GET manifests 1, GET manifests missing 3, HEAD blobs 11, HEAD blobs missing 13, HEAD manifests 1, HEAD manifests missing 2, POST uploads 4, POST uploads mounted 9, PUT manifests 3, PUT uploads 4", 6327000, 3000, 15, 11},
	"app edit on an empty daemon":  {"GET blobs 2, GET manifests 6, HEAD blobs 11, HEAD manifests 1, POST uploads 2, PUT manifests 1, PUT uploads 2", 7000, 23000, 5, 0},
	"bump on the empty daemon":     {"GET blobs 11, GET manifests 6, HEAD blobs 12, HEAD blobs missing 2, HEAD manifests 3, HEAD manifests missing 1, POST uploads 3, PUT manifests 3, PUT uploads 3", 6315000, 106912000, 24, 1},
	"the same on the first daemon": {"GET blobs 1, GET manifests 3, HEAD blobs 11, HEAD manifests 1", 0, 18000, 4, 1},
	"base bump":                    {"GET blobs 5, GET manifests 8, HEAD blobs 16, HEAD blobs missing 3, HEAD manifests 3, HEAD manifests missing 1, POST uploads 3, PUT manifests 3, PUT uploads 3", 17000, 50000, 17, 8},
}

func TestBudgets(t *testing.T) {
	n := newBench(t)
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	p := budgetProject(t, x)
	p.checks = builder.CheckAll // what is installed is a check of its own, and a layer
	p.lock(n.b, "cpu", builder.LockOptions{})

	n.spend(p, "budget", "cold")
	n.spend(p, "budget", "no-op")
	p.write("main.py", "print('edited')\n")
	n.spend(p, "budget", "app edit")
	p.write("main.py", "print('another application')\n")
	n.spend(p, "second", "second project")
	p.write("requirements.txt", "bulk\nheavy==1.1\nlight-a\nlight-b\n")
	p.lock(n.b, "cpu", builder.LockOptions{})
	n.spend(p, "budget", "bump of the large wheel")
	p.write("main.py", "print('a third application')\n")
	n.spend(p, "third", "second project after a bump")

	warm := n.b
	p.write("main.py", "print('edited again')\n")
	empty := testbed.NewDaemon(t, testbed.DaemonOptions{Mirror: n.reg})
	n.b = connect(t, empty.Addr())
	n.spend(p, "budget", "app edit on an empty daemon")

	p.write("requirements.txt", "bulk\nheavy==1.2\nlight-a\nlight-b\n")
	p.lock(warm, "cpu", builder.LockOptions{})
	n.spend(p, "budget", "bump on the empty daemon")

	n.b = warm
	n.spend(p, "budget", "the same on the first daemon")
	if _, err := n.reg.BumpBase(t.Context(), "library/python:3.11-slim"); err != nil {
		t.Fatal(err)
	}
	n.spend(p, "budget", "base bump")
}

// budgetProject has two wheels that get layers of their own, the smaller in three versions, and two that share one.
func budgetProject(t *testing.T, x *testbed.Index) *project {
	t.Helper()
	x.AddWheel("simple", "bulk", "1.0", "py3-none-any", map[string]string{"bulk/__init__.py": "", "bulk/data.bin": noise(9, 24_000_000)})
	for i, version := range []string{"1.0", "1.1", "1.2"} {
		x.AddWheel("simple", "heavy", version, "py3-none-any", map[string]string{"heavy/__init__.py": "", "heavy/data.bin": noise(uint64(i), 6_000_000)})
	}
	for _, name := range []string{"light-a", "light-b"} {
		x.AddWheel("simple", name, "1.0", "py3-none-any", map[string]string{strings.ReplaceAll(name, "-", "_") + "/__init__.py": ""})
	}
	p := tiny(t, x, "")
	p.write("requirements.txt", "bulk\nheavy==1.0\nlight-a\nlight-b\n")
	p.write("main.py", "print('first')\n")
	return p
}

// noise is bytes that no codec makes smaller.
func noise(seed uint64, n int) string {
	rnd := rand.New(rand.NewPCG(seed, 7))
	data := make([]byte, 0, n+8)
	for len(data) < n {
		data = binary.LittleEndian.AppendUint64(data, rnd.Uint64())
	}
	return string(data[:n])
}

// spend builds and holds what it cost against the budget of that name.
func (n *bench) spend(p *project, repo, name string) {
	n.t.Helper()
	image := n.push(p, repo, "cpu")[0]
	var up, down int64
	log := n.reg.Log()
	for _, a := range log {
		up, down = up+a.In, down+a.Out
	}
	got := budget{tally(log), up, down, image.Ran, image.Cached}
	want := budgets[name]
	exact := want
	exact.up, exact.down = got.up, got.down
	if got == exact && up <= want.up && down <= want.down {
		return
	}
	n.t.Errorf("%s costs something else (-budget +cost):\n%s\nIf that is meant, its row is:\n\t%q: {%q, %d, %d, %d, %d},",
		name, cmp.Diff(want, got, cmp.AllowUnexported(budget{})), name, got.requests, ceiling(up), ceiling(down), got.ran, got.cached)
}

// ceiling is a limit for so many bytes: a twentieth more, in whole kB.
func ceiling(n int64) int64 { return (n + n/20 + 999) / 1000 * 1000 }

var registryPath = regexp.MustCompile(`^/v2/.+/(manifests|blobs/uploads|blobs)/`)

// tally counts requests by method, kind of thing and success: "HEAD blobs 4, HEAD blobs missing 1, PUT manifests 1".
func tally(log []testbed.Access) string {
	count := map[string]int{}
	for _, a := range log {
		kind := "other"
		if m := registryPath.FindStringSubmatch(a.Path); m != nil {
			kind = strings.TrimPrefix(m[1], "blobs/")
		}
		key := a.Method + " " + kind
		switch {
		case a.Status == http.StatusNotFound:
			key += " missing"
		case a.Status >= 400:
			key += fmt.Sprintf(" %d", a.Status)
		case a.Method == http.MethodPost && a.Status == http.StatusCreated:
			key += " mounted"
		}
		count[key]++
	}
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(count)) {
		parts = append(parts, fmt.Sprintf("%s %d", key, count[key]))
	}
	return strings.Join(parts, ", ")
}

// Bytes of the program that users download, 2 % more than it had, and of the helper that it hands to every new daemon. What a new dependency links in
// shows here: raise them knowingly. The last that did was html/template, which writes reports.
const (
	maxProgram = 59_000_000
	maxHelper  = 4_500_000
)

func TestSizes(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: the program is not built")
	}
	path, err := testbed.Tool("mlbuild")
	if err != nil {
		testbed.SkipMissing(t, err)
	}
	helpers, err := filepath.Glob(filepath.Join("..", "llb", "helper", "bin", "mlbuild-unpack*"))
	if err != nil || len(helpers) == 0 {
		t.Fatalf("no helper: %v", err)
	}
	limits := map[string]int64{path: maxProgram}
	for _, h := range helpers {
		limits[h] = maxHelper
	}
	for file, limit := range limits {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > limit {
			t.Errorf("%s has %d bytes, more than %d", filepath.Base(file), info.Size(), limit)
		}
	}
}
