package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// forAMD64 gives an image the platform linux/amd64.
func forAMD64(t *testing.T, img v1.Image) v1.Image {
	t.Helper()
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", "amd64"
	img, err = mutate.ConfigFile(img, config)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// pushFiles puts an image that holds only these files into the registry.
func pushFiles(t *testing.T, reg *testbed.Registry, repoTag string, files map[string][]byte) string {
	t.Helper()
	img, err := crane.Image(files)
	if err != nil {
		t.Fatal(err)
	}
	img = forAMD64(t, img)
	ref, err := name.ParseReference(reg.Ref(repoTag))
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
	return reg.Ref(repoTag)
}

// TestCopyFrom takes files of another image, pins that image, and keeps their layer when the app or the image's tag changes.
func TestCopyFrom(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	tools := pushFiles(t, tb.Registry, "copyfrom/tools:7", map[string][]byte{"usr/bin/tool": []byte("#!/bin/sh\necho tool 7\n"), "www/css/a.css": []byte("a"), "www/index.html": []byte("<p>")})
	p := newProject(t, map[string]string{
		"main.py": "print('hello')\n",
		"mlbuild.yaml": "version: 1\nname: taker\npython: {packages: []}\napp: {copy: [main.py], command: [python, main.py]}\ncopyFrom:\n" +
			"  - {image: \"" + tools + "\", from: /usr/bin/tool, to: /usr/local/bin/, mode: \"0755\"}\n  - {image: \"" + tools + "\", from: www, to: static}\n" +
			"  - {image: \"" + tools + "\", from: \"/www/*.html\", to: /srv/pages/}\n",
	})
	ref := tb.Registry.Ref("copyfrom/taker:1")
	build := func() (*pushed, string) {
		v := p.variant("cpu", ref)
		req := p.request(v)
		req.BuildLock, _ = os.ReadFile(filepath.Join(p.dir, buildlock.FileName)) // absent = no lock
		mustBuild(t, b, req)
		img := readBack(t, tb.Registry, "copyfrom/taker:1")
		i := slices.IndexFunc(img.layers, func(l pushedLayer) bool { return strings.HasPrefix(l.createdBy, "mlbuild copy: ") })
		if i < 0 {
			t.Fatal("no layer holds the copied files")
		}
		return img, img.layerDigests()[i]
	}
	first, digest := build()
	for file, want := range map[string]string{"usr/local/bin/tool": "#!/bin/sh\necho tool 7\n", "app/static/css/a.css": "a", "srv/pages/index.html": "<p>"} {
		if got := first.file(file); got != want {
			t.Errorf("%s holds %q, want %q", file, got, want)
		}
	}
	if e := first.tree["usr/local/bin/tool"]; e.Mode&0o777 != 0o755 || e.Uid != 0 {
		t.Errorf("the program is %#o of %d", e.Mode, e.Uid)
	}
	if e := first.tree["app/static/index.html"]; e.Uid != 1000 {
		t.Errorf("a file in the app's directory belongs to %d", e.Uid)
	}
	first.checkTimes()
	first.checkDirs()
	if out := inImage(t, tb, ref, "tool"); out != "tool 7\n" {
		t.Errorf("the program says %q", out)
	}

	locked, err := b.LockBuild(t.Context(), p.request(p.variant("cpu")), builder.LockOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p.write(buildlock.FileName, string(locked.Data))
	want7, err := tb.Registry.Digest(t.Context(), "copyfrom/tools:7")
	if err != nil || locked.Lock.Digest(tools) != want7 {
		t.Errorf("the lock pins %q, the tag names %q (%v)", locked.Lock.Digest(tools), want7, err)
	}
	pushFiles(t, tb.Registry, "copyfrom/tools:7", map[string][]byte{"usr/bin/tool": []byte("moved\n"), "www/index.html": []byte("<p>")})
	p.write("main.py", "print('bye')\n")
	if second, again := build(); again != digest || second.file("app/main.py") != "print('bye')\n" {
		t.Errorf("after an edit of the app and another image under the tag the layer is %s, it was %s", again, digest)
	}
}

func TestCopyFromFaults(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	tools := pushFiles(t, tb.Registry, "copyfrom/tools:8", map[string][]byte{"usr/bin/tool": []byte("x")})
	taking := func(image, from string) *project {
		return newProject(t, map[string]string{"main.py": "\n", "mlbuild.yaml": "version: 1\nname: taker\npython: {packages: []}\n" +
			"app: {copy: [main.py], command: [python, main.py]}\ncopyFrom: [{image: \"" + image + "\", from: \"" + from + "\", to: /srv/}]\n"})
	}
	want{code: fault.Context, says: []string{"/usr/bin/toll from " + tools, "nothing is at /usr/bin/toll"}, hints: []string{"not in the project"}}.
		check(t, taking(tools, "/usr/bin/toll").try(b))
	want{code: fault.Context, says: []string{"nothing is at /usr/*.so"}, hints: []string{"has to match"}}.check(t, taking(tools, "/usr/*.so").try(b))
	want{code: fault.Base, says: []string{"copyfrom/none:1"}, hints: []string{"check the name"}}.check(t, taking(tb.Registry.Ref("copyfrom/none:1"), "/x").try(b))

	p := taking(tools, "/usr/bin/tool")
	p.lock(b, "cpu", builder.LockOptions{})
	req := p.quiet(p.variant("cpu"))
	req.Locked = true
	want{code: fault.LockStale, says: []string{"takes files of " + tools, "no lock pins"}, hints: []string{"mlbuild lock"}}.check(t, p.attempt(b, req))
}
