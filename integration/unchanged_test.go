package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/publish"
)

// blobs matches the path of a blob of the test's repository.
var blobs = regexp.MustCompile(`^/v2/unchanged/blobs/sha256:`)

// layerChecks counts the questions for blobs of the test's repository.
func (n *bench) layerChecks() (count int) {
	for _, r := range n.reg.Log() {
		if r.Method == "HEAD" && blobs.MatchString(r.Path) {
			count++
		}
	}
	return count
}

// TestUnchangedImageIsNotPushed: where the tag names the image already, the registry is asked once for each of its layers and for nothing more. Where only the project's files
// differ, which nobody sees before the export, the image is pushed all the same, and nothing else is asked before it is sent.
func TestUnchangedImageIsNotPushed(t *testing.T) {
	n := newBench(t)
	p := newProject(t, map[string]string{
		"requirements.txt": "rich\n",
		"src/main.py":      "import rich\n",
		"src/spare.py":     "print('spare')\n",
		"mlbuild.yaml":     "version: 1\nname: unchanged\napp: {copy: [src], command: [python, src/main.py]}\n",
	})
	p.lock(n.b, "cpu", builder.LockOptions{})
	first := n.push(p, "unchanged", "cpu")[0]

	again := n.push(p, "unchanged", "cpu")[0]
	if again.Digest != first.Digest || again.Layers == nil || again.Layers.New != 0 || again.Layers.Reused != first.Layers.New+first.Layers.Reused {
		t.Errorf("again: %+v, layers %+v after %+v", again, again.Layers, first.Layers)
	}
	wantRoute(t, first, publish.DaemonPush)
	wantRoute(t, again, publish.Nothing)
	layers := first.Layers.New + first.Layers.Reused // each is asked for once: a registry may have lost one (docs/trust.md)
	if got := n.layerChecks(); got != layers {
		t.Errorf("the registry was asked for %d blobs of an image of %d layers that it has under this tag", got, layers)
	}

	// The daemon needs no file for it, and the config is the same.
	if err := os.Remove(filepath.Join(p.dir, "src", "spare.py")); err != nil {
		t.Fatal(err)
	}
	less := n.push(p, "unchanged", "cpu")[0]
	if less.Digest == first.Digest || less.Layers.New != 1 {
		t.Fatalf("without a file: %s after %s, layers %+v", less.Digest, first.Digest, less.Layers)
	}
	if got := n.layerChecks(); got != layers {
		t.Errorf("the registry was asked for %d blobs, although the client knows which of %d are new", got, layers)
	}
	wantRoute(t, less, publish.ClientPush)
	if sent := n.uploads("unchanged"); len(sent) != 1 {
		t.Errorf("layers sent: %+v, want the project's", sent)
	}
	n.tagged(t, less.Digest)

	// More than the client sends itself the daemon pushes, and looks for what it was built for alone.
	p.write("src/large.bin", noise(1, 5<<20))
	more := n.push(p, "unchanged", "cpu")[0]
	if more.Layers.New != 1 || more.Layers.Pushed < 5<<20 || n.layerChecks() != layers+2 {
		t.Errorf("with 5 MiB more: layers %+v, %d blobs asked for", more.Layers, n.layerChecks())
	}
	wantRoute(t, more, publish.PartPush)
	n.tagged(t, more.Digest)
}

// wantRoute wants an image to have got to the registry that way, and that a reason is told.
func wantRoute(t *testing.T, image builder.Image, want publish.Kind) {
	t.Helper()
	if image.Route.Kind != want || image.Route.Why == "" {
		t.Errorf("%s, want %s", image.Route, want)
	}
}

// tagged wants the tag to name the image.
func (n *bench) tagged(t *testing.T, want string) {
	t.Helper()
	img, err := n.reg.Pull(t.Context(), "unchanged:1.0-cpu", "")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := img.Digest(); err != nil || got.String() != want {
		t.Errorf("the tag names %s, %v; built was %s", got, err, want)
	}
}
