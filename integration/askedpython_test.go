package integration

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
)

// TestPythonOfTheImageDecides: the image has Python 3.11.2, the tool image another minor version. A marker and a Requires-Python with a patch release, and a setup.py that
// asks for its Python and for an older setuptools, are decided as in the image.
func TestPythonOfTheImageDecides(t *testing.T) {
	tb := testbed.Shared(t)
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	for _, name := range []string{"alpha", "beta", "marked"} {
		x.AddWheel("simple", name, "1.0", "py3-none-any", map[string]string{name + ".py": ""})
	}
	x.AddWheel("simple", "patched", "1.0", "py3-none-any", map[string]string{"patched.py": ""}, wheeltest.Metadata("Requires-Python", ">=3.11.1"))
	x.AddWheel("simple", "patched", "2.0", "py3-none-any", map[string]string{"patched.py": ""}, wheeltest.Metadata("Requires-Python", ">=3.11.3"))
	p := newProject(t, map[string]string{
		"main.py":               "print()\n",
		"limits.txt":            "setuptools<81\n",
		"requirements.txt":      "./libs/verloc\npatched\nmarked ; python_full_version >= \"3.11.1\" and python_full_version < \"3.11.3\"\nalpha ; python_full_version >= \"3.11.3\"\n",
		"libs/verloc/verloc.py": "",
		"libs/verloc/setup.py": "import sys\nimport pkg_resources\nfrom setuptools import setup\n" +
			"setup(name='verloc', version='1.0', py_modules=['verloc'], install_requires=['alpha' if sys.version_info < (3, 12) else 'beta'])\n",
		"mlbuild.yaml": "version: 1\nname: asked\napp: {copy: [main.py], command: [python, main.py]}\npython:\n  version: \"3.11\"\n  requirements: [requirements.txt]\n" +
			"  build_constraints: [limits.txt]\n  indexes: [{name: stand-in, url: \"" + x.Simple() + "\"}]\n",
	})
	locks, err := connect(t, tb.Daemon.Addr()).Lock(t.Context(), p.request(p.variant("cpu", tb.Registry.Ref("asked:1-cpu"))), builder.LockOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range locks[0].Lock.Packages {
		got = append(got, strings.TrimSpace(p.Name+" "+p.Version))
	}
	slices.Sort(got)
	if d := cmp.Diff([]string{"alpha 1.0", "marked 1.0", "patched 1.0", "verloc"}, got); d != "" {
		t.Errorf("locked (-want +got):\n%s\n%s", d, locks[0].Data)
	}
}
