package testbed_test

import (
	"archive/tar"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

func TestMain(m *testing.M) { os.Exit(testbed.Main(m)) }

// The daemon resolves real names of docker.io through the mirror and runs what it gets.
func TestBasesRunUnderTheirRealNames(t *testing.T) {
	tb := testbed.Shared(t)
	for _, c := range []struct{ ref, want string }{
		{"python:3.11-slim", "3.11"},
		{"docker.io/library/python:3.13-slim-trixie", "3.13"},
		{"python:3-slim", "3.13"},
		{"nvidia/cuda:12.6.3-base-ubuntu22.04", "3.11"},
	} {
		out, err := tb.Daemon.RunImage(t.Context(), c.ref, "python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
		if err != nil {
			t.Fatalf("%s: %v", c.ref, err)
		}
		if strings.TrimSpace(out.Stdout) != c.want || out.Exit != 0 {
			t.Errorf("%s: %+v, want Python %s", c.ref, out, c.want)
		}
	}
}

func TestRunImageUsesTheConfig(t *testing.T) {
	tb := testbed.Shared(t)
	out, err := tb.Daemon.RunImage(t.Context(), "python:3.11-slim", "sh", "-c", "echo $PYTHON_VERSION; echo oops >&2; cat /proc/net/route | wc -l; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	version, rest, _ := strings.Cut(out.Stdout, "\n")
	if !strings.HasPrefix(version, "3.11.") {
		t.Errorf("PYTHON_VERSION is %q", version)
	}
	if strings.TrimSpace(rest) != "1" {
		t.Errorf("routes in a container without network: %q", rest)
	}
	if out.Stderr != "oops\n" || out.Exit != 3 {
		t.Errorf("got %+v, want oops on stderr and status 3", out)
	}
}

func TestBaseImagesLookReal(t *testing.T) {
	reg := testbed.Shared(t).Registry
	for _, platform := range []string{"linux/amd64", "linux/arm64"} {
		img, err := reg.Pull(t.Context(), "library/python:3.11-slim", platform)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if got := cfg.OS + "/" + cfg.Architecture; got != platform {
			t.Errorf("config is for %s, want %s", got, platform)
		}
		layers, _ := img.Layers()
		if len(layers) != 3 || len(cfg.RootFS.DiffIDs) != 3 {
			t.Errorf("%d layers, want 3", len(layers))
		}
		if first := cfg.History[0].CreatedBy; !strings.Contains(first, "debian.sh") || !strings.Contains(first, "'bookworm'") {
			t.Errorf("first history entry %q does not name the suite", first)
		}
		if marked := cfg.Config.Labels[testbed.ArmLabel] != ""; marked != (platform == "linux/arm64") {
			t.Errorf("%s: labels %v", platform, cfg.Config.Labels)
		}
	}
}

func TestBaseTree(t *testing.T) {
	img, err := testbed.Shared(t).Registry.Pull(t.Context(), "library/python:3.11-slim", "")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := testbed.Tree(img)
	if err != nil {
		t.Fatal(err)
	}
	if e := tree["usr/local/bin/python3.11"]; e.Typeflag != tar.TypeSymlink || e.Linkname != "/usr/bin/python3.11" || e.Layer != 2 {
		t.Errorf("/usr/local/bin/python3.11 is %+v", e)
	}
	if e := tree["tmp"]; e.Mode&0o7777 != 0o1777 {
		t.Errorf("/tmp has mode %o, want 1777", e.Mode)
	}
	for path := range tree {
		if strings.HasSuffix(path, "EXTERNALLY-MANAGED") || strings.HasPrefix(path, "var/lib/apt/lists/") {
			t.Errorf("the base has %s", path)
		}
	}
	data, err := testbed.ReadFile(img, "etc/debian_version")
	if err != nil || !strings.HasPrefix(string(data), "12") {
		t.Errorf("etc/debian_version: %q, %v", data, err)
	}
}

func TestMissingPlatform(t *testing.T) {
	reg := testbed.Shared(t).Registry
	if _, err := reg.Pull(t.Context(), "library/amd64only:1", "linux/amd64"); err != nil {
		t.Error(err)
	}
	if _, err := reg.Pull(t.Context(), "library/amd64only:1", "linux/arm64"); err == nil {
		t.Error("amd64only has linux/arm64")
	}
}

func TestBumpBaseAddsOneLayer(t *testing.T) {
	reg := testbed.NewRegistry(t, testbed.RegistryOptions{Bases: true})
	before, err := reg.Pull(t.Context(), "library/python:3.11-slim", "")
	if err != nil {
		t.Fatal(err)
	}
	old, err := reg.Digest(t.Context(), "library/python:3.11-slim")
	if err != nil {
		t.Fatal(err)
	}
	bumped, err := reg.BumpBase(t.Context(), "library/python:3.11-slim")
	if err != nil {
		t.Fatal(err)
	}
	now, err := reg.Digest(t.Context(), "library/python:3.11-slim")
	if err != nil || now != bumped || now == old {
		t.Fatalf("the tag is at %s, %v; it was at %s, bumped to %s", now, err, old, bumped)
	}
	after, err := reg.Pull(t.Context(), "library/python:3.11-slim", "linux/arm64")
	if err != nil {
		t.Fatal(err)
	}
	a, _ := before.Layers()
	b, _ := after.Layers()
	if len(b) != len(a)+1 {
		t.Errorf("%d layers after %d, want one more", len(b), len(a))
	}
	if _, err := reg.Pull(t.Context(), "library/python@"+old, ""); err != nil {
		t.Errorf("the image before is gone: %v", err)
	}
}

// The registry's log counts bytes and tells blobs apart.
func TestRegistryLog(t *testing.T) {
	reg := testbed.NewRegistry(t, testbed.RegistryOptions{})
	img, err := random.Image(100_000, 2)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(reg.Ref("team/app:1"))
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{m.Config.Digest.String(): m.Config.Size}
	sum := m.Config.Size
	for _, l := range m.Layers {
		want[l.Digest.String()] = l.Size
		sum += l.Size
	}
	uploads := reg.Uploads()
	if len(uploads) != len(want) {
		t.Errorf("%d uploads, want %d: %v", len(uploads), len(want), uploads)
	}
	for _, u := range uploads {
		if u.Repository != "team/app" || want[u.Digest] != u.Bytes {
			t.Errorf("%+v, want %d bytes", u, want[u.Digest])
		}
	}
	if got := reg.UploadedBytes("team/app"); got != sum {
		t.Errorf("%d bytes uploaded, want %d", got, sum)
	}
	if got := reg.UploadedBytes("team/other"); got != 0 {
		t.Errorf("%d bytes in a repository that nobody touched", got)
	}
	reg.Reset()
	if _, err := remote.Image(ref); err != nil {
		t.Fatal(err)
	}
	if n := reg.Requests(http.MethodGet, "/v2/team/app/manifests/"); n != 1 || len(reg.Uploads()) != 0 {
		t.Errorf("%d manifest reads after Reset, want 1; log %v", n, reg.Log())
	}
}

func TestRegistryFaultsAuthAndTLS(t *testing.T) {
	ca, err := testbed.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	reg := testbed.NewRegistry(t, testbed.RegistryOptions{TLS: ca, Auth: &testbed.BasicAuth{User: "u", Password: "p"}, Bases: true})
	if _, err := reg.Pull(t.Context(), "library/alpine:3.20", ""); err != nil {
		t.Fatal(err)
	}
	resp, err := ca.HTTPClient().Get("https://" + reg.Addr + "/v2/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without an account: %s, want 401", resp.Status)
	}
	if resp, err := http.Get("https://" + reg.Addr + "/v2/"); err == nil {
		resp.Body.Close()
		t.Error("a client without the authority was served")
	}
	reg.Reset()
	reg.Fail(func(req *http.Request) (int, bool) {
		return http.StatusTeapot, strings.Contains(req.URL.Path, "/manifests/")
	})
	if _, err := reg.Pull(t.Context(), "library/alpine:3.20", ""); err == nil {
		t.Error("a failing manifest was read")
	}
	if log := reg.Log(); len(log) == 0 || log[len(log)-1].Status != http.StatusTeapot {
		t.Errorf("the fault is not in the log: %v", log)
	}
}

func TestDaemonStartsQuicklyAndStops(t *testing.T) {
	started := time.Now()
	d := testbed.NewDaemon(t, testbed.DaemonOptions{})
	if took := time.Since(started); took > 3*time.Second {
		t.Errorf("the daemon took %v to start, want under 3s", took)
	}
	pid := d.Pid()
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/proc/" + strconv.Itoa(pid)); err == nil {
		t.Errorf("process %d is still there", pid)
	}
}

func TestDaemonWithTLS(t *testing.T) {
	ca, err := testbed.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	d := testbed.NewDaemon(t, testbed.DaemonOptions{TLS: ca, Entitlements: []string{"network.host"}})
	if !strings.HasPrefix(d.Addr(), "tcp://127.0.0.1:") {
		t.Errorf("address %s", d.Addr())
	}
	c, err := d.Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	info, err := c.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.BuildkitVersion.Version == "" || strings.Contains(info.BuildkitVersion.Version, "unknown") {
		t.Errorf("the daemon's version is %q: it was built without its stamp", info.BuildkitVersion.Version)
	}
}
