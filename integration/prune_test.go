package integration

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/ops"
)

// heavy is a project with two packages, each in a layer of its own, that bring tests, a static library and stubs.
func heavy(t *testing.T, x *testbed.Index, more string) *project {
	t.Helper()
	addHeavy(x, "1.0")
	p := tiny(t, x, "layers: {own: 1kB}\n"+more)
	p.write("requirements.txt", "tiny\nheavy\n")
	p.write("main.py", "import heavy, tiny\ntiny.hello()\nprint(heavy.answer())\n")
	p.write("mlbuild.yaml", strings.Replace(p.read("mlbuild.yaml"), "copy: [main.py]", "copy: [main.py, pkg]", 1))
	p.write("pkg/__init__.py", "")
	return p
}

func addHeavy(x *testbed.Index, version string) {
	x.AddWheel("simple", "heavy", version, "py3-none-any", map[string]string{
		"heavy/__init__.py":         "VERSION = '" + version + "'\n\ndef answer():\n    return 42\n",
		"heavy/sets.py":             "def known(x):\n    return x in {'a', 'b', 'c', 1, 2.5, None, (1, 'x')}\n",
		"heavy/py2.py":              "print 'not for us'\n",
		"heavy/tests/test_heavy.py": "assert True\n",
		"heavy/tests/data.bin":      strings.Repeat("data", 25_000),
		"heavy/libheavy.a":          strings.Repeat("!<arch>\n", 1000),
		"heavy/__init__.pyi":        "def answer() -> int: ...\n",
	})
}

// TestPrunedAndCompiled builds an image that leaves files out of its packages and compiles the rest, and follows a bump of one package.
func TestPrunedAndCompiled(t *testing.T) {
	n := newBench(t)
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	p := heavy(t, x, "prune: {remove: [tests, static-libraries, \"heavy/*.pyi\"], keep: [\"heavy/tests/test_heavy.py\"]}\nbytecode: true\n")
	p.lock(n.b, "cpu", builder.LockOptions{})
	first := n.push(p, "pruned", "cpu")[0]
	want := []builder.Pruned{{Rule: "tests", Bytes: 100_000}, {Rule: "static-libraries", Bytes: 8000}, {Rule: "heavy/*.pyi", Bytes: 25}}
	if !slices.Equal(first.Pruned, want) {
		t.Errorf("the result says %+v, want %+v", first.Pruned, want)
	}
	got := readBack(t, n.reg, "pruned:1.0-cpu")
	got.checkRecords()
	got.checkDirs()
	got.checkTimes()
	checkHeavyFiles(t, got)
	ref := n.reg.Ref("pruned:1.0-cpu")
	if out := inImage(t, &testbed.Testbed{Daemon: n.d}, ref); out != "hello from tiny\n42\n" {
		t.Errorf("the image says %q", out)
	}
	// -v tells what each import reads.
	const loaded = "import subprocess, sys\nerr = subprocess.run([sys.executable, '-v', 'main.py'], stderr=subprocess.PIPE).stderr.decode()\n" +
		"print([m for m in ('heavy/__pycache__/__init__', 'tiny/__pycache__/__init__') if \"code object from '/opt/venv/lib/python3.11/site-packages/\" + m not in err])"
	if out := inImage(t, &testbed.Testbed{Daemon: n.d}, ref, "python", "-c", loaded); !strings.HasSuffix(out, "[]\n") {
		t.Errorf("modules that were compiled again: %s", out)
	}
	t.Run("again from nothing", func(t *testing.T) { sameBytecode(t, n, p, first) })
	t.Run("a bump", func(t *testing.T) { bumpHeavy(t, n, p, x) })
}

// checkHeavyFiles wants what the rules leave, and bytecode of each Python file that compiles.
func checkHeavyFiles(t *testing.T, got *pushed) {
	t.Helper()
	const site = "opt/venv/lib/python3.11/site-packages/heavy"
	var have []string
	for name, e := range got.tree {
		if rel, ok := strings.CutPrefix(name, site+"/"); ok && e.Typeflag == '0' {
			have = append(have, rel)
		}
	}
	slices.Sort(have)
	want := []string{"__init__.py", "__pycache__/__init__.cpython-311.pyc", "__pycache__/sets.cpython-311.pyc", "py2.py", "sets.py",
		"tests/__pycache__/test_heavy.cpython-311.pyc", "tests/test_heavy.py"}
	if !slices.Equal(have, want) {
		t.Errorf("files of heavy: %q, want %q", have, want)
	}
	for _, name := range []string{site + "/__pycache__/sets.cpython-311.pyc", "app/pkg/__pycache__/__init__.cpython-311.pyc"} {
		source := got.tree[path.Join(path.Dir(path.Dir(name)), strings.TrimSuffix(path.Base(name), ".cpython-311.pyc")+".py")]
		e := got.tree[name]
		if e.Uid != source.Uid || e.Mode&0o777 != 0o644 {
			t.Errorf("%s: mode %#o, owner %d; its source has owner %d", name, e.Mode, e.Uid, source.Uid)
		}
		if header := got.file(name)[:8]; header[4:] != "\x01\x00\x00\x00" { // PEP 552: by hash, never checked
			t.Errorf("%s starts with %q", name, header)
		}
	}
}

// sameBytecode runs every step again, on another build of the base: nothing of ours changes.
func sameBytecode(t *testing.T, n *bench, p *project, first builder.Image) {
	before := n.layersOf("pruned:1.0-cpu")
	req := p.request(p.variant("cpu", n.reg.Ref("pruned:again")))
	req.NoCache = ops.NoCacheAll
	if image := mustBuild(t, n.b, req).Images[0]; image.Digest != first.Digest {
		t.Errorf("digest %s, was %s", image.Digest, first.Digest)
	}
	if _, err := n.reg.BumpBase(t.Context(), "library/python:3.11-slim"); err != nil {
		t.Fatal(err)
	}
	n.push(p, "rebased", "cpu")
	after := n.layersOf("rebased:1.0-cpu")
	for by, digest := range before {
		if strings.HasPrefix(by, "mlbuild ") && after[by] != digest {
			t.Errorf("%s is %s on the new base, was %s", by, after[by], digest)
		}
	}
}

// bumpHeavy wants one package to change its layer and the bytecode beside it.
func bumpHeavy(t *testing.T, n *bench, p *project, x *testbed.Index) {
	before := slices.Collect(maps.Values(n.layersOf("rebased:1.0-cpu")))
	addHeavy(x, "2.0")
	p.lock(n.b, "cpu", builder.LockOptions{All: true, Nonce: "bump"})
	n.push(p, "rebased", "cpu")
	var changed []string
	for by, digest := range n.layersOf("rebased:1.0-cpu") {
		if !slices.Contains(before, digest) {
			changed = append(changed, by)
		}
	}
	slices.Sort(changed)
	if want := []string{"mlbuild bytecode: bytecode of heavy 2.0", "mlbuild wheels: heavy 2.0"}; !slices.Equal(changed, want) {
		t.Errorf("changed layers %q, want %q", changed, want)
	}
}
