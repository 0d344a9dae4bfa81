package integration

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/profiles/pypi"
)

// fromStandIn is a project whose packages come from the stand-in index, a plain HTML one that tells no sizes.
func fromStandIn(t *testing.T, x *testbed.Index, requirements ...string) *project {
	t.Helper()
	return newProject(t, map[string]string{
		"requirements.txt": strings.Join(requirements, "\n") + "\n",
		"main.py":          "print('ok')\n",
		"mlbuild.yaml": "version: 1\nname: indexed\npython:\n  version: \"3.11\"\n  requirements: [requirements.txt]\n" +
			"  indexes: [{name: local, url: " + x.Simple() + "}]\napp: {copy: [main.py], command: [python, main.py]}\n",
	})
}

// TestLockLooksIntoWheels finds sizes that the index does not tell, and paths that two wheels write with different bytes.
func TestLockLooksIntoWheels(t *testing.T) {
	tb, x := testbed.Shared(t), testbed.NewIndex(t, testbed.IndexOptions{})
	for name, marker := range map[string]string{"one": "1", "other": "2"} {
		x.AddWheel("simple", name, "1.0", "py3-none-any", map[string]string{
			name + "/__init__.py": "", "shared/same.py": "same", "shared/differs.py": marker,
		})
	}
	b, p := connect(t, tb.Daemon.Addr()), fromStandIn(t, x, "one", "other")
	locks, err := b.Lock(t.Context(), p.request(p.variant("cpu")), builder.LockOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"one other": {"shared/differs.py"}}
	if got := locks[0].Lock.Tool.Overlaps; len(got) != 1 || !slices.Equal(got["one other"], want["one other"]) {
		t.Errorf("overlaps: %v, want %v", got, want)
	}
	if !slices.ContainsFunc(locks[0].Notes, func(n string) bool { return strings.Contains(n, "one and other both bring shared/differs.py") }) {
		t.Errorf("notes: %q", locks[0].Notes)
	}
	wheels, err := locks[0].Lock.Select(pypi.Target{Python: "3.11", Platform: "linux/amd64"})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range wheels {
		if w.Size < 200 || w.Size > 10_000 {
			t.Errorf("%s: %d bytes", w.Filename, w.Size)
		}
	}
}

// TestDirectURL requires a wheel by its URL: the installed package says so (PEP 610), and one from an index does not.
func TestDirectURL(t *testing.T) {
	tb, x := testbed.Shared(t), testbed.NewIndex(t, testbed.IndexOptions{})
	url := x.AddWheel("simple", "direct", "1.0", "py3-none-any", map[string]string{"direct.py": ""})
	x.AddWheel("simple", "usual", "1.0", "py3-none-any", map[string]string{"usual.py": ""})
	b, p := connect(t, tb.Daemon.Addr()), fromStandIn(t, x, "direct @ "+url, "usual")
	ref := "directurl:1"
	mustBuild(t, b, p.request(p.variant("cpu", tb.Registry.Ref(ref))))
	img, err := tb.Registry.Pull(t.Context(), ref, "")
	if err != nil {
		t.Fatal(err)
	}
	const site = "opt/venv/lib/python3.11/site-packages/"
	data, err := testbed.ReadFile(img, site+"direct-1.0.dist-info/direct_url.json")
	if err != nil {
		t.Fatal(err)
	}
	var origin struct {
		URL     string `json:"url"`
		Archive struct {
			Hashes map[string]string `json:"hashes"`
		} `json:"archive_info"`
	}
	if err := json.Unmarshal(data, &origin); err != nil {
		t.Fatal(err)
	}
	if origin.URL != strings.Split(url, "#")[0] || len(origin.Archive.Hashes["sha256"]) != 64 {
		t.Errorf("direct_url.json: %s", data)
	}
	if data, err := testbed.ReadFile(img, site+"usual-1.0.dist-info/direct_url.json"); err == nil {
		t.Errorf("a package from the index says %s", data)
	}
}
