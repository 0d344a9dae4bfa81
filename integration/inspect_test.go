package integration

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
	"github.com/mlbuild/mlbuild/profiles/fault"
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
	x.AddWheel("simple", "flawed", "1.0", "py3-none-any", map[string]string{"flawed.py": "", "flawed/A.py": "1", "flawed/a.py": "2", "flawed.pth": "flawed\n"},
		wheeltest.Record(func(s string) string { return strings.Replace(s, "flawed.py,", "gone.py,", 1) }))
	b, p := connect(t, tb.Daemon.Addr()), fromStandIn(t, x, "one", "other", "flawed")
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
	for _, want := range []string{`flawed 1.0: "flawed.py": RECORD does not list it; "flawed/a.py": it differs from "flawed/A.py" in nothing but case; "gone.py": RECORD lists it`, "other's stays; for the other's: python: {last: [one]}"} {
		if !slices.ContainsFunc(locks[0].Notes, func(n string) bool { return strings.Contains(n, want) }) {
			t.Errorf("notes: %q, want %s", locks[0].Notes, want)
		}
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

// TestLockRefusesWheels: a wheel that could not be installed, or only with leave, is refused by the lock already, with the line that allows it.
func TestLockRefusesWheels(t *testing.T) {
	tb, x := testbed.Shared(t), testbed.NewIndex(t, testbed.IndexOptions{})
	x.AddWheel("simple", "starter", "1.0", "py3-none-any", map[string]string{"starter.pth": "import os\n", "plain.pth": "starter\n"})
	x.AddWheel("simple", "slip", "1.0", "py3-none-any", map[string]string{"../../etc/cron.d/slip": "x"})
	b := connect(t, tb.Daemon.Addr())
	for _, c := range []struct{ name, says, hint string }{
		{"starter", `starter-1.0-py3-none-any.whl: "starter.pth" runs code at every start of Python`, "python: {allow: [starter/starter.pth]}"},
		{"slip", `slip-1.0-py3-none-any.whl: "../../etc/cron.d/slip": its name has`, "choose another version"},
	} {
		p := fromStandIn(t, x, c.name)
		_, err := b.Lock(t.Context(), p.request(p.variant("cpu")), builder.LockOptions{})
		want{code: fault.WheelUnsafe, says: []string{c.says}, hints: []string{c.hint}}.check(t, err)
	}
	p := fromStandIn(t, x, "starter")
	v := p.variant("cpu")
	v.Recipes[0].Requires.Allow = []string{"starter/starter.pth"}
	if _, err := b.Lock(t.Context(), p.request(v), builder.LockOptions{}); err != nil {
		t.Error(err)
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
