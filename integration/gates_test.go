package integration

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// twoProfiles is a project whose profile good works, and whose profile bad does not while its service lacks a variable.
func twoProfiles(t *testing.T) *project {
	t.Helper()
	p, _ := served(t)
	p.write("mlbuild.yaml", p.read("mlbuild.yaml")+"profiles:\n  good: {extends: cpu}\n  bad: {extends: cpu, smoke: {env: {MODEL_NAME: small}, command: [sh, -c, \"unset MODEL_NAME; exec python main.py\"]}}\n")
	return p
}

// TestAtomic: where one profile fails its checks nothing of the other is sent, and where both pass no tag is put before everything is there.
func TestAtomic(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	p := twoProfiles(t)
	request := func(repo string) builder.Request {
		req := p.request(p.variant("good", tb.Registry.Ref(repo+":good")), p.variant("bad", tb.Registry.Ref(repo+":bad")))
		req.Checks, req.Gates.Atomic, req.Index = builder.CheckAll, true, tb.Registry.Ref(repo+":all")
		return req
	}
	res, err := b.Build(t.Context(), request("atomic-bad"))
	if err == nil || !fault.Is(err, check.Code) || len(fault.All(err)) != 1 || len(res.Images) != 0 {
		t.Errorf("images %v, %v", res, err)
	}
	if n := uploads(tb.Registry, "atomic-bad"); n != 0 {
		t.Errorf("%d requests changed the repository", n)
	}
	p.replace("mlbuild.yaml", "unset MODEL_NAME; ", "")
	tb.Registry.Reset()
	built := mustBuild(t, b, request("atomic-good"))
	var lastBlob, firstTag int
	for i, a := range tb.Registry.Log() {
		switch {
		case a.Method != http.MethodPut || !strings.HasPrefix(a.Path, "/v2/atomic-good/"):
		case strings.HasSuffix(a.Path, "/manifests/good"), strings.HasSuffix(a.Path, "/manifests/bad"):
			if firstTag == 0 {
				firstTag = i
			}
		case strings.Contains(a.Path, "/blobs/uploads/") && firstTag == 0:
			lastBlob = i
		}
	}
	for _, tag := range []string{"good", "bad"} {
		if _, err := tb.Registry.Digest(t.Context(), "atomic-good:"+tag); err != nil {
			t.Error(err)
		}
	}
	checkIndexOfProfiles(t, tb.Registry, built)
	if firstTag == 0 || lastBlob == 0 || firstTag < lastBlob {
		t.Errorf("the first tag was request %d, the last blob of the images %d", firstTag, lastBlob)
	}
}

// checkIndexOfProfiles: the index names both images with their profiles and the platform, and a runtime gets the first.
func checkIndexOfProfiles(t *testing.T, reg *testbed.Registry, built *builder.Result) {
	t.Helper()
	if built.Index == nil {
		t.Fatal("there is no index")
	}
	at, err := reg.Digest(t.Context(), "atomic-good:all")
	if err != nil || at != built.Index.Digest {
		t.Errorf("the tag names %s, the result %+v (%v)", at, built.Index, err)
	}
	ref, err := name.ParseReference(reg.Ref("atomic-good:all"))
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(ref)
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range m.Manifests {
		got = append(got, d.Annotations[builder.ProfileAnnotation]+" "+d.Platform.String()+" "+d.Digest.String())
	}
	want := []string{"good linux/amd64 " + built.Images[0].Digest, "bad linux/amd64 " + built.Images[1].Digest}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	img, err := remote.Image(ref)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := img.Digest(); err != nil || d.String() != built.Images[0].Digest {
		t.Errorf("a runtime gets %s (%v)", d, err)
	}
}

// TestIfTagUnchanged: a tag that somebody else moves while the image is built is left to him, and the next run takes it from there.
func TestIfTagUnchanged(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	reg := testbed.NewRegistry(t, testbed.RegistryOptions{})
	other := tinyBase(t, reg.Ref("team/app:other"), nil)
	p, _ := served(t)
	request := func() builder.Request {
		req := p.request(p.variant("cpu", reg.Ref("team/app:1")))
		req.Gates.IfTagUnchanged = true
		return req
	}
	mustBuild(t, b, request())
	p.write("main.py", service+"# edited\n")
	img, err := reg.Pull(t.Context(), "team/app:other", "")
	if err != nil {
		t.Fatal(err)
	}
	move := sync.OnceFunc(func() {
		to, err := name.NewTag(reg.Ref("team/app:1"))
		if err == nil {
			err = remote.Tag(to, img)
		}
		if err != nil {
			t.Error(err)
		}
	})
	reg.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			move()
		}
		return false
	})
	_, err = b.Build(t.Context(), request())
	reg.Intercept(nil)
	want{code: fault.Registry, says: []string{"was moved since this build began", other}, retry: true}.check(t, err)
	if now, err := reg.Digest(t.Context(), "team/app:1"); err != nil || now != other {
		t.Errorf("the tag names %s, want %s (%v)", now, other, err)
	}
	mustBuild(t, b, request())
}

// TestKeepFailed: an image that fails its checks is pushed without a tag where that is wanted.
func TestKeepFailed(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	p := twoProfiles(t)
	req := p.request(p.variant("bad", tb.Registry.Ref("kept-failed:1")))
	req.Checks, req.Gates.KeepFailed = builder.CheckAll, true
	_, err := b.Build(t.Context(), req)
	if !fault.Is(err, check.Code) {
		t.Fatal(err)
	}
	hints := strings.Join(fault.All(err)[0].Hints, "\n")
	at := regexp.MustCompile(`the image is kept without a tag: \S+/kept-failed@(sha256:[0-9a-f]{64})`).FindStringSubmatch(hints)
	if at == nil {
		t.Fatalf("no hint says where it is: %s", hints)
	}
	if img := readBack(t, tb.Registry, "kept-failed@"+at[1]); img.file("app/main.py") != service {
		t.Error("the image that is kept is another one")
	}
	if d, err := tb.Registry.Digest(t.Context(), "kept-failed:1"); err == nil {
		t.Errorf("the tag names %s", d)
	}
}
