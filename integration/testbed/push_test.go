package testbed_test

import (
	"net/http"
	"strings"
	"testing"

	bkclient "github.com/moby/buildkit/client"
	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

// push builds base with one small file and pushes it with BuildKit's own exporter.
func push(t *testing.T, tb *testbed.Testbed, base bkllb.State, repoTag string) {
	t.Helper()
	c, err := tb.Daemon.Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	def, err := base.File(bkllb.Mkfile("/hello", 0o644, []byte(repoTag))).Marshal(t.Context(), bkllb.LinuxAmd64)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Solve(t.Context(), def, bkclient.SolveOpt{Exports: []bkclient.ExportEntry{{
		Type: bkclient.ExporterImage, Attrs: map[string]string{"name": tb.Registry.Ref(repoTag), "push": "true", "compression": "zstd"},
	}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
}

// What BuildKit pushes is counted, each blob once, and can be read back, zstd included.
func TestBuildKitPushIsCounted(t *testing.T) {
	tb := testbed.Shared(t)
	push(t, tb, bkllb.Scratch(), "push/count:1")
	img, err := tb.Registry.Pull(t.Context(), "push/count:1", "")
	if err != nil {
		t.Fatal(err)
	}
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	var mine []testbed.Upload
	for _, u := range tb.Registry.Uploads() {
		if u.Repository == "push/count" {
			mine = append(mine, u)
		}
	}
	want := m.Layers[0].Size + m.Config.Size
	if len(mine) != 2 || tb.Registry.UploadedBytes("push/count") != want {
		t.Errorf("uploads %+v, want a layer and a config of %d bytes together", mine, want)
	}
	data, err := testbed.ReadFile(img, "hello")
	if err != nil || string(data) != "push/count:1" {
		t.Errorf("the image's file: %q, %v", data, err)
	}
}

// A push onto a stand-in base reads the base by its real name and the image runs.
func TestPushedImageRuns(t *testing.T) {
	tb := testbed.Shared(t)
	push(t, tb, bkllb.Image("docker.io/library/python:3.11-slim"), "push/run:1")
	out, err := tb.Daemon.RunImage(t.Context(), tb.Registry.Ref("push/run:1"), "/usr/bin/cat", "/hello")
	if err != nil || out.Stdout != "push/run:1" {
		t.Errorf("%+v, %v", out, err)
	}
	if n := tb.Registry.Blobs(http.MethodGet, "library/python"); len(n) < 3 {
		t.Errorf("the base's layers were not read through the mirror: %v", n)
	}
}

func TestMissingBaseIsAnError(t *testing.T) {
	tb := testbed.Shared(t)
	_, err := tb.Daemon.RunImage(t.Context(), "docker.io/library/no-such-image:1", "true")
	if err == nil || !strings.Contains(err.Error(), "no-such-image") {
		t.Errorf("got %v", err)
	}
}
