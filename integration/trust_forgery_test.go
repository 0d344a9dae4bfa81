package integration

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
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

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
