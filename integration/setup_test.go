package integration

import (
	"testing"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

// TestSetupProject: a project with a setup.py alone is installed with an extra of it, and a package by its path, whose setup.py imports what it runs with, comes without being asked.
func TestSetupProject(t *testing.T) {
	tb := testbed.Shared(t)
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	for _, name := range []string{"alpha", "beta"} {
		x.AddWheel("simple", name, "1.0", "py3-none-any", map[string]string{name + ".py": ""})
	}
	p := newProject(t, map[string]string{
		"own.py": "import alpha, beta, sys\ndef main(): print('own')\n", "kit/kit.py": "import own\ndef main(): own.main()\n",
		"setup.py":     "from setuptools import setup\nsetup(name='own', version='1.0', py_modules=['own'], install_requires=['alpha'], extras_require={'fast': ['beta']})\n",
		"kit/setup.py": "import alpha\nfrom setuptools import setup\nsetup(name='kit', version='1.0', py_modules=['kit'])\n",
		"mlbuild.yaml": "version: 1\nname: own\napp: {command: [python, -c, \"import kit; kit.main()\"]}\npython:\n  version: \"3.11\"\n  packages: [\".[fast]\", ./kit]\n" +
			"  build: {kit: {isolation: false, requires: [alpha, setuptools], depends: \"*\"}}\n  indexes: [{name: stand-in, url: \"" + x.Simple() + "\"}]\n",
	})
	b := connect(t, tb.Daemon.Addr())
	mustBuild(t, b, p.request(p.variant("cpu", tb.Registry.Ref("setup:1"))))
	if out := inImage(t, tb, tb.Registry.Ref("setup:1")); out != "own\n" {
		t.Errorf("the image says %q", out)
	}
	p.write("mlbuild.yaml", "version: 1\nname: other\napp: {command: [python, -c, \"import own; own.main()\"]}\npython:\n  version: \"3.11\"\n  install: true\n  extras: [fast]\n"+
		"  indexes: [{name: stand-in, url: \""+x.Simple()+"\"}]\n")
	mustBuild(t, b, p.request(p.variant("cpu", tb.Registry.Ref("setup:2"))))
	if out := inImage(t, tb, tb.Registry.Ref("setup:2")); out != "own\n" {
		t.Errorf("with install the image says %q", out)
	}
}
