package integration

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// lose removes a blob from a repository.
func (n *bench) lose(repo string, d digest.Digest) {
	n.t.Helper()
	n.do(http.MethodDelete, "http://"+n.reg.Addr+"/v2/"+repo+"/blobs/"+d.String(), "", nil)
}

// TestLostBlobs: what the registry has lost of an image or a cache is noticed, and there again after the next build, which makes the same image.
func TestLostBlobs(t *testing.T) {
	n := newBench(t)
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	p := tiny(t, x, "")
	p.lock(n.b, "cpu", builder.LockOptions{})
	warm, empty := n.b, connect(t, testbed.NewDaemon(t, testbed.DaemonOptions{Mirror: n.reg}).Addr())
	blob := map[string]func(repo string) digest.Digest{
		"a wheel":         func(repo string) digest.Digest { _, l := n.layerOf(repo, "1", "wheels"); return l.Digest },
		"the app":         func(repo string) digest.Digest { _, l := n.layerOf(repo, "1", "app"); return l.Digest },
		"the base":        func(repo string) digest.Digest { return n.forge(repo, "1").manifest.Layers[0].Digest },
		"the config":      func(repo string) digest.Digest { return n.forge(repo, "1").manifest.Config.Digest },
		"the cache's own": func(repo string) digest.Digest { return n.forge(repo, "buildcache-cpu").manifest.Config.Digest },
	}
	for name, find := range blob {
		for _, c := range []struct {
			name   string
			b      *builder.Builder
			change func(*builder.Request)
		}{{"the same client", warm, func(*builder.Request) {}}, {"nobody", warm, nobody}, {"an empty daemon", empty, func(*builder.Request) {}}} {
			repo := strings.ReplaceAll("lost/"+name+"/"+c.name, " ", "-")
			repo = strings.ReplaceAll(repo, "'", "")
			n.b = warm
			first := n.pushWith(p, func(*builder.Request) {}, repo+":1")
			gone := find(repo)
			n.lose(repo, gone)
			n.b = c.b
			n.reg.Reset()
			image := n.pushWith(p, c.change, repo+":1")
			if image.Digest != first.Digest {
				t.Errorf("%s, %s: %s after %s", name, c.name, image.Digest, first.Digest)
			}
			t.Logf("%s, %s: %s; lost %s; %s", name, c.name, image.Route, gone, tally(n.reg.Log()))
			for _, b := range n.blobsOf(repo + ":1") {
				n.do(http.MethodHead, "http://"+n.reg.Addr+"/v2/"+repo+"/blobs/"+b, "", nil)
			}
			noted := slices.ContainsFunc(image.Notes, func(s string) bool { return strings.Contains(s, "has lost 1 blob") })
			if noted == (name == "the cache's own") {
				t.Errorf("%s, %s: notes %q", name, c.name, image.Notes)
			}
		}
	}
}

// TestLostCache: a cache of which a blob is gone is a miss for a fresh daemon, and written anew; without a push as well.
func TestLostCache(t *testing.T) {
	for _, kind := range []string{"gone", "broken"} {
		t.Run(kind, func(t *testing.T) {
			n := newBench(t)
			x := testbed.NewIndex(t, testbed.IndexOptions{})
			p := tiny(t, x, "")
			p.lock(n.b, "cpu", builder.LockOptions{})
			n.pushWith(p, func(req *builder.Request) { req.Compression = "gzip" }, "cached:1")
			layers := n.forge("cached", "buildcache-cpu").manifest.Layers
			lost := map[string]bool{}
			for _, l := range layers {
				lost["/v2/cached/blobs/"+l.Digest.String()] = true
				if kind == "gone" {
					n.lose("cached", l.Digest)
				}
			}
			if kind == "broken" {
				n.reg.Fail(func(r *http.Request) (int, bool) {
					return 500, lost[r.URL.Path] && (r.Method == "GET" || r.Method == "HEAD")
				})
			}
			n.b = connect(t, testbed.NewDaemon(t, testbed.DaemonOptions{Mirror: n.reg}).Addr())
			var archive bytes.Buffer
			p.write("main.py", "import tiny # archive\n")
			req := p.request(p.variant("cpu", n.reg.Ref("cached:1")))
			req.Outputs = []builder.Output{{Type: "oci", Open: func(string) (io.WriteCloser, error) { archive.Reset(); return nopCloser{&archive}, nil }}}
			if res := mustBuild(t, n.b, req); archive.Len() == 0 || !slices.ContainsFunc(res.Images[0].Notes, func(s string) bool { return strings.Contains(s, "the cache beside the image") }) {
				t.Errorf("%d bytes, notes %q", archive.Len(), res.Images[0].Notes)
			}
			n.reg.Fail(nil)
			p.write("main.py", "import tiny # pushed\n")
			n.b = connect(t, testbed.NewDaemon(t, testbed.DaemonOptions{Mirror: n.reg}).Addr())
			n.pushWith(p, func(req *builder.Request) { req.Compression = "gzip" }, "cached:2")
			for _, b := range n.blobsOf("cached:buildcache-cpu") {
				n.do(http.MethodHead, "http://"+n.reg.Addr+"/v2/cached/blobs/"+b, "", nil)
			}
		})
	}
}

// TestMountRefused: a registry that does not let layers be taken from another repository is sent them.
func TestMountRefused(t *testing.T) {
	n := newBench(t)
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	p := tiny(t, x, "")
	p.lock(n.b, "cpu", builder.LockOptions{})
	n.pushWith(p, func(*builder.Request) {}, "teama/app:1")
	for _, status := range []int{401, 403, 404, 405, 400} {
		repo := fmt.Sprintf("teamb%d/app", status)
		n.reg.Fail(func(r *http.Request) (int, bool) {
			return status, r.Method == http.MethodPost && r.URL.Query().Get("mount") != ""
		})
		image := n.pushWith(p, func(*builder.Request) {}, repo+":1")
		t.Logf("%d: %s", status, image.Route)
		for _, b := range n.blobsOf(repo + ":1") {
			n.do(http.MethodHead, "http://"+n.reg.Addr+"/v2/"+repo+"/blobs/"+b, "", nil)
		}
	}
	n.reg.Fail(func(r *http.Request) (int, bool) {
		return 403, r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/v2/teamc/")
	})
	err := p.attempt(n.b, p.request(p.variant("cpu", n.reg.Ref("teamc/app:1"))))
	want{code: fault.Denied, hints: []string{"right to push"}}.check(t, err)
}

// TestForgetfulRegistries: what answers that all is well and keeps nothing is told from a registry.
func TestForgetfulRegistries(t *testing.T) {
	n := newBench(t)
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	p := tiny(t, x, "")
	p.lock(n.b, "cpu", builder.LockOptions{})
	n.pushWith(p, func(*builder.Request) {}, "kept/app:1")
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"forgets": func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/") {
				return false
			}
			data, _ := io.ReadAll(r.Body)
			w.Header().Set("Docker-Content-Digest", digest.FromBytes(data).String())
			w.WriteHeader(http.StatusCreated)
			return true
		},
		"login": func(w http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "/library/") {
				return false
			}
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html>please log in</html>")
			return true
		},
	} {
		for _, repo := range []string{"new" + name, "kept"} {
			p.write("main.py", "import tiny # "+name+repo+"\n")
			n.reg.Intercept(answer)
			err := p.attempt(n.b, p.request(p.variant("cpu", n.reg.Ref(repo+"/app:1"))))
			n.reg.Intercept(nil)
			if err == nil {
				t.Errorf("%s, %s: no error", name, repo)
				continue
			}
			want{code: fault.Registry, says: []string{"does not have it"}, hints: []string{"proxy"}}.check(t, err)
		}
	}
}
