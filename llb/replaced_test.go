package llb

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/scripts"
	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestReplacedPackages: what the image has in another version is taken out of the base's environment in a layer below the wheels, by a step that cannot reach the network.
func TestReplacedPackages(t *testing.T) {
	replaced := func(_ *recipe.Recipe, in *Inputs) {
		in.Replaced = []compat.Package{{Name: "numpy", Version: "1.26.4"}, {Name: "six", Version: "1.16"}}
	}
	g := compiled(t, replaced)
	run := g.Named("take numpy 1.26.4, six 1.16 of the base away").Op.GetExec()
	args := strings.Join(run.Meta.Args[len(run.Meta.Args)-5:], " ")
	if args != "/base /opt/venv 3.11 numpy six" || run.Network != pb.NetMode_NONE || run.Meta.Args[0] != "/usr/local/bin/python3.11" {
		t.Errorf("it runs %s with %s, network %s", run.Meta.Args[0], args, run.Network)
	}
	for _, m := range run.Mounts {
		if m.Dest == "/" && !m.Readonly || m.Dest == "/base" && m.Readonly {
			t.Errorf("mount %s, read-only %t", m.Dest, m.Readonly)
		}
	}
	layers := compile(t, replaced).Plan.Layers
	at := slices.IndexFunc(layers, func(l layerplan.Layer) bool { return l.Kind == layerplan.KindReplaced })
	first := slices.IndexFunc(layers, func(l layerplan.Layer) bool { return l.Kind == layerplan.KindWheels })
	if at < 0 || at > first || layers[at].Name != "without numpy 1.26.4, six 1.16 of the base" {
		t.Errorf("layer %d of %+v, wheels from %d on", at, layers, first)
	}
	if slices.ContainsFunc(compile(t, nil).Plan.Layers, func(l layerplan.Layer) bool { return l.Kind == layerplan.KindReplaced }) {
		t.Error("an image that replaces nothing has the layer")
	}
}

// TestSharedPackages: the environment sees the packages of the base's Python where the base was found to have such as count.
func TestSharedPackages(t *testing.T) {
	g := compiled(t, func(_ *recipe.Recipe, in *Inputs) { in.Shared = true })
	if got := string(mkfile(t, g, "/opt/venv/pyvenv.cfg")); !strings.Contains(got, "include-system-site-packages = true\n") {
		t.Errorf("it is\n%s", got)
	}
}

// TestRemovePackages: the files of a package go, with their bytecode and the directories that it had alone; those of others stay, and nothing outside the environment is touched.
func TestRemovePackages(t *testing.T) {
	root := t.TempDir()
	const site = "opt/venv/lib/python3.11/site-packages/"
	files := map[string]string{
		site + "idna/__init__.py": "", site + "idna/old.py": "", site + "idna/__pycache__/old.cpython-311.pyc": "", site + "idna/data/x.bin": "",
		site + "idna-3.7.dist-info/METADATA": "", site + "idna-3.7.dist-info/RECORD": "idna/__init__.py,,\nidna/old.py,,\nidna/data/x.bin,,\nidna-3.7.dist-info/METADATA,,\nidna-3.7.dist-info/RECORD,,\n" +
			"../../../bin/idna,,\n../../../share/idna/doc,,\nshared/of_idna.py,,\n../../../../../etc/passwd,,\n/etc/passwd,,\n",
		site + "idna_ssl-1.dist-info/RECORD": "", site + "shared/of_idna.py": "", site + "shared/of_other.py": "", site + "six.py": "",
		"opt/venv/bin/idna": "", "opt/venv/bin/python": "", "opt/venv/share/idna/doc": "", "etc/passwd": "root",
	}
	for name, data := range files {
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run := func(names ...string) (string, error) {
		args := append([]string{"-I", "-S", "-B", "-c", scripts.RemovePackages, root, "/opt/venv", "3.11"}, names...)
		out, err := exec.CommandContext(t.Context(), "python3", args...).CombinedOutput()
		return string(out), err
	}
	if out, err := run("idna"); err != nil {
		t.Skipf("python3 is needed: %v\n%s", err, out)
	}
	var left []string
	err := filepath.WalkDir(root, func(p string, d os.DirEntry, err error) error {
		if rel, _ := filepath.Rel(root, p); err == nil && !d.IsDir() {
			left = append(left, rel)
		}
		return err
	})
	want := []string{"etc/passwd", "opt/venv/bin/python", site + "idna_ssl-1.dist-info/RECORD", site + "shared/of_other.py", site + "six.py"}
	if err != nil || !slices.Equal(left, want) {
		t.Errorf("left %q, %v", left, err)
	}
	for name, there := range map[string]bool{site + "idna": false, "opt/venv/share": false, site: true, site + "shared": true, "opt/venv/bin": true} {
		st, err := os.Stat(filepath.Join(root, name))
		if (err == nil) != there || there && st.ModTime().Unix() != 315532800 {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
	if err := os.Remove(filepath.Join(root, site, "idna_ssl-1.dist-info/RECORD")); err != nil {
		t.Fatal(err)
	}
	if out, err := run("idna-ssl"); err == nil || !strings.Contains(out, "mlbuild: idna_ssl-1.dist-info of the base has no RECORD") {
		t.Errorf("without RECORD: %s, %v", out, err)
	}
}
