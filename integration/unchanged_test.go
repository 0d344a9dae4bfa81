package integration

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	controlapi "github.com/moby/buildkit/api/services/control"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/publish"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
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

// TestUnchangedImageIsNotBuilt: a locked project whose image is under its tag is no build to the daemon, and what the client keeps of the base is not believed where it
// was changed.
func TestUnchangedImageIsNotBuilt(t *testing.T) {
	n := newBench(t)
	p := tiny(t, testbed.NewIndex(t, testbed.IndexOptions{}), "")
	p.lock(n.b, "cpu", builder.LockOptions{})
	p.pinFile(n.b)
	req := p.request(p.variant("cpu", n.reg.Ref("unbuilt:1")))
	req.BuildLock, req.Locked = []byte(p.read("mlbuild.lock")), true
	build := func(what string, builds bool) builder.Image {
		t.Helper()
		before := n.builds()
		image := mustBuild(t, n.b, req).Images[0]
		if got := n.builds() - before; (got > 0) != builds {
			t.Errorf("%s: the daemon's history has %d builds more, want some: %t", what, got, builds)
		}
		return image
	}
	first := build("the first", true)
	again := build("unchanged", false)
	if again.Digest != first.Digest || again.Config != first.Config || again.Ran+again.Cached != 0 || again.Layers.New != 0 || again.Size != first.Size {
		t.Errorf("unchanged: %+v after %+v", again, first)
	}
	wantRoute(t, again, publish.Nothing)

	p.write("main.py", "print('edited')\n")
	edited := build("edited", true)
	if edited.Digest == first.Digest || edited.Layers.New != 1 {
		t.Errorf("edited: %+v", edited)
	}
	kept, err := filepath.Glob(filepath.Join(p.state, "images", "*"))
	if err != nil || len(kept) != 3 {
		t.Fatalf("%d blobs of the base are kept, want its index, manifest and config (%v)", len(kept), err)
	}
	for _, name := range kept {
		if err := os.WriteFile(name, []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if image := build("with a damaged state", true); image.Digest != edited.Digest {
		t.Errorf("with a damaged state: %s after %s", image.Digest, edited.Digest)
	}
	if image := build("after it was mended", false); image.Digest != edited.Digest {
		t.Errorf("after it was mended: %s after %s", image.Digest, edited.Digest)
	}
}

// TestKeptBaseThatIsGone: a client that keeps what a base is says what it said without, once the base is nowhere any more.
func TestKeptBaseThatIsGone(t *testing.T) {
	n := &bench{t: t, reg: testbed.NewRegistry(t, testbed.RegistryOptions{}), d: testbed.NewDaemon(t, testbed.DaemonOptions{})}
	n.b = connect(t, n.d.Addr())
	base := tinyBase(t, n.reg.Ref("team/base:1"), nil)
	p := based(t, n.reg.Ref("team/base:1")+"@"+base)
	n.push(p, "app", "cpu")
	if kept, _ := filepath.Glob(filepath.Join(p.state, "images", "*")); len(kept) != 2 {
		t.Fatalf("kept: %v, want the base's manifest and config", kept)
	}
	n.do(http.MethodDelete, "http://"+n.reg.Addr+"/v2/team/base/manifests/"+base, "", nil)
	prune(t, clientOf(t, n.d))
	for tag, noCache := range map[string]ops.NoCache{"app:1.0-cpu": ops.NoCacheAll, "other:1": nil} {
		req := p.request(p.variant("cpu", n.reg.Ref(tag)))
		req.NoCache = noCache
		want{code: fault.BaseGone, says: []string{"the pinned image", base}, hints: []string{"name a tag"}}.check(t, p.attempt(n.b, req))
	}
}

// builds counts the builds in the daemon's history.
func (n *bench) builds() (count int) {
	n.t.Helper()
	stream, err := clientOf(n.t, n.d).ControlClient().ListenBuildHistory(n.t.Context(), &controlapi.BuildHistoryRequest{EarlyExit: true})
	if err != nil {
		n.t.Fatal(err)
	}
	for {
		_, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return count
		}
		if err != nil {
			n.t.Fatal(err)
		}
		count++
	}
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
