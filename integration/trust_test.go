package integration

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/trust"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// get reads from the registry past mlbuild.
func (n *bench) get(path string) []byte {
	n.t.Helper()
	return n.do(http.MethodGet, "http://"+n.reg.Addr+"/v2/"+path, "", nil)
}

// do sends a request and returns what it is answered; it must succeed.
func (n *bench) do(method, url, kind string, body []byte) []byte {
	n.t.Helper()
	req, err := http.NewRequestWithContext(n.t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	req.Header.Set("Accept", ocispecs.MediaTypeImageManifest)
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 400 {
		n.t.Fatalf("%s %s: %s %s %v", method, url, resp.Status, data, err)
	}
	if method == http.MethodPost {
		return []byte(resp.Header.Get("Location"))
	}
	return data
}

// putBlob uploads a blob.
func (n *bench) putBlob(repo string, data []byte) digest.Digest {
	n.t.Helper()
	to := string(n.do(http.MethodPost, "http://"+n.reg.Addr+"/v2/"+repo+"/blobs/uploads/", "", nil))
	if strings.HasPrefix(to, "/") {
		to = "http://" + n.reg.Addr + to
	}
	d := digest.FromBytes(data)
	sep := "?"
	if strings.Contains(to, "?") {
		sep = "&"
	}
	n.do(http.MethodPut, to+sep+"digest="+d.String(), "application/octet-stream", data)
	return d
}

// lose removes a blob from a repository.
func (n *bench) lose(repo string, d digest.Digest) {
	n.t.Helper()
	n.do(http.MethodDelete, "http://"+n.reg.Addr+"/v2/"+repo+"/blobs/"+d.String(), "", nil)
}

// forgery is a manifest with its config, as somebody changes them.
type forgery struct {
	n        *bench
	repo     string
	manifest ocispecs.Manifest
	config   []byte
}

func (n *bench) forge(repo, tag string) *forgery {
	n.t.Helper()
	f := &forgery{n: n, repo: repo}
	if err := json.Unmarshal(n.get(repo+"/manifests/"+tag), &f.manifest); err != nil {
		n.t.Fatal(err)
	}
	f.config = n.get(repo + "/blobs/" + f.manifest.Config.Digest.String())
	return f
}

// replace puts another blob in the place of a layer. With other files its unpacked digest is another too; BuildKit's cache has that among its annotations.
func (f *forgery) replace(at int, blob []byte, files digest.Digest) {
	f.n.t.Helper()
	old := f.manifest.Layers[at]
	d := f.n.putBlob(f.repo, blob)
	f.manifest.Layers[at].Digest, f.manifest.Layers[at].Size = d, int64(len(blob))
	f.config = bytes.ReplaceAll(f.config, []byte(old.Digest), []byte(d))
	if files == "" {
		return
	}
	var image ocispecs.Image
	if json.Unmarshal(f.config, &image) == nil && len(image.RootFS.DiffIDs) == len(f.manifest.Layers) {
		f.config = bytes.ReplaceAll(f.config, []byte(image.RootFS.DiffIDs[at]), []byte(files))
	}
	if diff := old.Annotations["containerd.io/uncompressed"]; diff != "" {
		f.manifest.Layers[at].Annotations["containerd.io/uncompressed"] = files.String()
		f.config = bytes.ReplaceAll(f.config, []byte(diff), []byte(files))
	}
}

// put puts the changed image under a tag.
func (f *forgery) put(tag string) {
	f.n.t.Helper()
	f.manifest.Config.Digest, f.manifest.Config.Size = f.n.putBlob(f.repo, f.config), int64(len(f.config))
	data, err := json.Marshal(f.manifest)
	if err != nil {
		f.n.t.Fatal(err)
	}
	f.n.do(http.MethodPut, "http://"+f.n.reg.Addr+"/v2/"+f.repo+"/manifests/"+tag, f.manifest.MediaType, data)
}

// layerOf finds the layer of a kind of plan entry in the image under a tag.
func (n *bench) layerOf(repo, tag, kind string) (at int, l ocispecs.Descriptor) {
	n.t.Helper()
	f := n.forge(repo, tag)
	var image ocispecs.Image
	if err := json.Unmarshal(f.config, &image); err != nil {
		n.t.Fatal(err)
	}
	history := slices.DeleteFunc(image.History, func(h ocispecs.History) bool { return h.EmptyLayer })
	at = slices.IndexFunc(history, func(h ocispecs.History) bool { return strings.HasPrefix(h.CreatedBy, "mlbuild "+kind) })
	if at < 0 {
		n.t.Fatalf("no layer of %s in %s:%s", kind, repo, tag)
	}
	return at, f.manifest.Layers[at]
}

// evil is a layer with a file of somebody's, compressed with zstd.
func evil(t *testing.T) (blob []byte, files digest.Digest) {
	t.Helper()
	var plain, out bytes.Buffer
	w := tar.NewWriter(&plain)
	data := []byte("print('not what was locked')\n")
	if err := w.WriteHeader(&tar.Header{Name: "opt/evil.py", Mode: 0o644, Size: int64(len(data))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(plain.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), digest.FromBytes(plain.Bytes())
}

// pack compresses a gzip layer once more: the same files in another blob.
func pack(t *testing.T, blob []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(blob))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, r); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// nobody is a client that was never here and has no key.
func nobody(req *builder.Request) { req.TrustKeys, req.State = nil, "" }

// TestForgedLayersShipNowhere: whoever may push to a repository decides nothing of what is built there later, whatever he puts under which tag: the image is the one that a build
// without any reuse makes.
func TestForgedLayersShipNowhere(t *testing.T) {
	n := newBench(t)
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	p := tiny(t, x, "")
	p.lock(n.b, "cpu", builder.LockOptions{})
	warm, empty := n.b, connect(t, testbed.NewDaemon(t, testbed.DaemonOptions{Mirror: n.reg}).Addr())
	p.pinFile(n.b)
	locked := func(req *builder.Request) { req.Locked, req.BuildLock = true, []byte(p.read("mlbuild.lock")) }
	other, seen := trust.KeyOf([32]byte{9}), map[string]int{}
	forged := func(n *bench, repo, from, to string) {
		at, _ := n.layerOf(repo, from, "wheels")
		blob, files := evil(t)
		f := n.forge(repo, from)
		f.replace(at, blob, files)
		f.put(to)
	}
	ways := []struct {
		name  string
		forge func(n *bench, repo string)
	}{
		{"the image to start from", func(n *bench, repo string) { forged(n, repo, "1", "buildcache-cpu_image") }},
		{"the tag itself", func(n *bench, repo string) { forged(n, repo, "1", "1") }},
		{"a tag that is built too", func(n *bench, repo string) { forged(n, repo, "1", "branch") }},
		{"the base compressed again", func(n *bench, repo string) {
			f := n.forge(repo, "1")
			f.replace(0, pack(t, n.get(repo+"/blobs/"+f.manifest.Layers[0].Digest.String())), "")
			f.put("1")
			f.put("buildcache-cpu_image")
		}},
		{"annotations of layers", func(n *bench, repo string) {
			f := n.forge(repo, "1")
			for i := range f.manifest.Layers {
				f.manifest.Layers[i].Annotations = map[string]string{"org.example.forged": "yes"}
			}
			f.put("1")
			f.put("buildcache-cpu_image")
		}},
		{"the cache", func(n *bench, repo string) {
			_, l := n.layerOf(repo, "1", "wheels")
			f := n.forge(repo, "buildcache-cpu")
			at := slices.IndexFunc(f.manifest.Layers, func(c ocispecs.Descriptor) bool { return c.Digest == l.Digest })
			if at < 0 { // it is forged still
				return
			}
			seen["the cache"]++
			blob, files := evil(t)
			f.replace(at, blob, files)
			f.put("buildcache-cpu")
		}},
		{"the record", func(n *bench, repo string) {
			f := n.forge(repo, recordTag)
			_, l := n.layerOf(repo, "1", "wheels")
			blob, _ := evil(t)
			for name, value := range f.manifest.Annotations {
				f.manifest.Annotations[name] = strings.ReplaceAll(value, l.Digest.String(), n.putBlob(repo, blob).String())
			}
			f.put(recordTag)
		}},
		{"the record, signed by somebody else", func(n *bench, repo string) {
			_, l := n.layerOf(repo, "1", "wheels")
			blob, files := evil(t)
			made := trust.Layer{Digest: n.putBlob(repo, blob), Size: int64(len(blob)), Diff: files}
			f := n.forge(repo, recordTag)
			record, err := testKey.Open(f.manifest.Annotations["com.github.mlbuild.layers"], f.manifest.Annotations["com.github.mlbuild.layers.signature"])
			if err != nil { // it is forged still
				return
			}
			seen["the record"]++
			for i, r := range record.Layers {
				if r.Digest == l.Digest {
					made.Key = r.Key
					record.Layers[i] = made
				}
			}
			f.manifest.Annotations["com.github.mlbuild.layers"], f.manifest.Annotations["com.github.mlbuild.layers.signature"], err = other.Sign(record)
			if err != nil || made.Key == "" {
				t.Fatalf("%+v, %v", made, err)
			}
			f.put(recordTag)
		}},
	}
	clients := []struct {
		name   string
		b      *builder.Builder
		change func(*builder.Request)
	}{
		{"where it was made", warm, func(*builder.Request) {}},
		{"nobody's client", warm, nobody},
		{"without the own cache", warm, func(req *builder.Request) { req.NoOwnCache = true }},
		{"an empty daemon with the key", empty, func(*builder.Request) {}},
		{"an empty daemon without", empty, nobody},
	}
	for i, way := range ways {
		repo := "forged" + string(rune('a'+i))
		n.b = warm
		p.write("main.py", "import tiny\n")
		n.pushWith(p, locked, repo+":1", repo+":branch")
		way.forge(n, repo)
		for j, c := range clients {
			p.write("main.py", "import tiny # "+way.name+", "+c.name+"\n")
			n.b = warm
			whole := n.pushWith(p, func(req *builder.Request) { locked(req); nobody(req); req.NoOwnCache = true }, "truth:"+repo)
			n.b = c.b
			for _, tags := range [][]string{{fmt.Sprintf("%s:2-%d", repo, j), repo + ":branch"}, {repo + ":1"}} {
				image := n.pushWith(p, func(req *builder.Request) { locked(req); c.change(req) }, tags...)
				if image.Digest != whole.Digest {
					t.Errorf("%s, %s, as %v: %s, and %s where everything was built", way.name, c.name, tags, image.Digest, whole.Digest)
				}
			}
			way.forge(n, repo) // whatever was healed
		}
	}
	if seen["the cache"] == 0 || seen["the record"] == 0 {
		t.Errorf("forged: %v", seen)
	}
}

// TestReuseNeedsAKey: an empty daemon takes over what a key has signed, with the public half as well, and makes everything itself without one.
func TestReuseNeedsAKey(t *testing.T) {
	n := newBench(t)
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	p := tiny(t, x, "")
	p.lock(n.b, "cpu", builder.LockOptions{})
	p.pinFile(n.b)
	pinned := []byte(p.read("mlbuild.lock"))
	n.pushWith(p, func(req *builder.Request) { req.Locked, req.BuildLock = true, pinned }, "keyed:1")
	for i, test := range []struct {
		name   string
		keys   []trust.Key
		reused bool
	}{
		{"no key", nil, false},
		{"another key", []trust.Key{trust.KeyOf([32]byte{2})}, false},
		{"the public half", []trust.Key{testKey.Public()}, true},
		{"the key", []trust.Key{testKey}, true},
		{"another one and the key", []trust.Key{trust.KeyOf([32]byte{3}), testKey.Public()}, true},
	} {
		n.b = connect(t, testbed.NewDaemon(t, testbed.DaemonOptions{Mirror: n.reg}).Addr())
		p.write("main.py", "import tiny # "+test.name+"\n")
		n.reg.Reset()
		image := n.pushWith(p, func(req *builder.Request) {
			req.Locked, req.BuildLock, req.State, req.TrustKeys = true, pinned, t.TempDir(), test.keys
		}, "keyed:v"+string(rune('a'+i)))
		if got := image.Ran+image.Cached <= 6; got != test.reused {
			t.Errorf("%s: %d steps ran, %d were cached", test.name, image.Ran, image.Cached)
		}
		for _, a := range n.reg.Log() {
			if test.reused && a.Method == "GET" && strings.Contains(a.Path, "/keyed/blobs/") && a.Out > 100_000 {
				t.Errorf("%s: pulled %s, %d bytes", test.name, a.Path, a.Out)
			}
		}
		if puts := manifestPuts(n.reg, "keyed"); puts[recordTag] > 0 {
			t.Errorf("%s: the record was written: %v", test.name, puts)
		}
	}
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

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

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
