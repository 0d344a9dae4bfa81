package integration

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// environmentProject brings files into the environment in each of the ways, beside what the wheel tiny has there.
func environmentProject(t *testing.T, x *testbed.Index, more string) *project {
	t.Helper()
	x.AddWheel("simple", "other", "1.0", "py3-none-any", map[string]string{"other.py": "x = 1\n"})
	p := tiny(t, x, `build:
  - {name: kernel, source: native, commands: [cp kernel.py fast.py], outputs: [{from: fast.py, to: $SITE_PACKAGES/tiny/}]}
bake:
  - name: dictionary
    user: root
    needs: [tiny]
    inputs: []
    secrets: [{id: hub, env: HUB, required: false}]
    commands:
      - test -z "$HUB" && python -c 'import tiny.fast' && ! python -c 'import other'
      - mkdir $SITE_PACKAGES/tiny/dic && echo words > $SITE_PACKAGES/tiny/dic/words && echo cache > $SITE_PACKAGES/tiny/x.nbi && date +%N > /app/when
    outputs: ["${SITE_PACKAGES}/tiny/dic", when]
  - {name: never, when: "${EXTRA}", commands: [exit 1], outputs: [x]}
args: {EXTRA: "false"}
`+more)
	p.write("native/kernel.py", "def fast(): print('fast')\n")
	p.write("web/index.html", "<p>")
	p.write("requirements.txt", "tiny\nother\n")
	p.write("main.py", "import tiny, tiny.fast, pathlib\nd = pathlib.Path(tiny.__file__).parent\ntiny.fast.fast()\nprint((d / 'dic/words').read_text().strip(), (d / 'web/index.html').read_text())\n")
	p.write("mlbuild.yaml", strings.Replace(p.read("mlbuild.yaml"), "copy: [main.py]", "copy: [main.py, {from: web, to: /opt/venv/lib/python3.11/site-packages/tiny/web}]", 1))
	return p
}

// TestFilesInEnvironment: outputs and files of the project come to lie over the packages, in layers of their own; a step that names its packages runs for these alone, and what it
// writes elsewhere is told.
func TestFilesInEnvironment(t *testing.T) {
	tb := testbed.Shared(t)
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	p := environmentProject(t, x, "")
	b := connect(t, tb.Daemon.Addr())
	ref := tb.Registry.Ref("environment:1")
	var notes []string
	build := func() map[string]string {
		t.Helper()
		res := mustBuild(t, b, p.request(p.variant("cpu", ref)))
		notes = res.Images[0].Notes
		img := readBack(t, tb.Registry, "environment:1")
		img.checkTimes()
		img.checkDirs()
		layers := map[string]string{}
		for i, l := range img.layers {
			if l.own {
				layers[strings.TrimPrefix(l.createdBy, "mlbuild ")] = img.layerDigests()[i]
			}
		}
		for name, e := range img.tree {
			if strings.HasPrefix(name, "opt/venv/") && (e.Uid != 0 || e.Gid != 0) {
				t.Errorf("%s belongs to %d:%d", name, e.Uid, e.Gid)
			}
		}
		return layers
	}
	first := build()
	if out := inImage(t, tb, ref); out != "fast\nwords <p>\n" {
		t.Errorf("the image says %q", out)
	}
	lost := "the commands also wrote 1 file below /opt/venv/lib/python3.11/site-packages/tiny, which the image does not keep"
	if !slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, lost) }) {
		t.Errorf("no note of the file that is lost: %q", notes)
	}
	for _, name := range []string{"build: kernel in the environment", "bake: dictionary in the environment", "bake: dictionary", "app: the project's files in the environment"} {
		if first[name] == "" {
			t.Errorf("no layer %q among %q", name, slices.Sorted(maps.Keys(first)))
		}
	}
	x.AddWheel("simple", "other", "1.1", "py3-none-any", map[string]string{"other.py": "x = 2\n"})
	p.write("requirements.txt", "tiny\nother==1.1\n")
	p.write("main.py", p.read("main.py")+"# edited\n")
	second := build()
	for name, digest := range first { // the baked time of day says whether it ran again
		if strings.HasPrefix(name, "bake:") && second[name] != digest {
			t.Errorf("another version of a package that the step does not need changes %q", name)
		}
	}
}

// TestFilesOverPackages: a file that a package has is an error that names both, unless the rule says that it comes in its place.
func TestFilesOverPackages(t *testing.T) {
	tb := testbed.Shared(t)
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	b := connect(t, tb.Daemon.Addr())
	over := func(rule string) error {
		p := tiny(t, x, "")
		p.write("patched.py", "def hello(): print('patched')\n")
		p.write("mlbuild.yaml", strings.Replace(p.read("mlbuild.yaml"), "copy: [main.py]", "copy: [main.py, {from: patched.py, to: $SITE_PACKAGES/tiny/__init__.py"+rule+"}]", 1))
		_, err := b.Build(t.Context(), p.request(p.variant("cpu", tb.Registry.Ref("patched:1"))))
		return err
	}
	all := fault.All(over(""))
	if len(all) != 1 || all[0].Code != fault.Spec || !strings.Contains(all[0].Message, "in place of the one that tiny 1.0 has") || !strings.Contains(strings.Join(all[0].Hints, ""), "replace: true") {
		t.Errorf("a file over a package's: %v", all)
	}
	if err := over(", replace: true"); err != nil {
		t.Fatal(err)
	}
	if out := inImage(t, tb, tb.Registry.Ref("patched:1")); out != "patched\n" {
		t.Errorf("the image says %q", out)
	}
}
