package integration

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	bkclient "github.com/moby/buildkit/client"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
)

// canary is a password that must not be found anywhere after a build.
const canary = "canary-4f1d8c2a97b35e60"

// search reads everything and tells which of the strings are in it.
func search(t *testing.T, r io.Reader, strs ...string) (found []string) {
	t.Helper()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range strs {
		if bytes.Contains(data, []byte(s)) {
			found = append(found, s)
		}
	}
	return found
}

// TestSecretIsNowhere builds and pushes from an index with an account, behind a company's authority and known by a netrc file, with a command that prints another secret, and searches all that is
// left of it: the image, its cache, the daemon's whole state with its history and uv's cache, its log, and the progress.
func TestSecretIsNowhere(t *testing.T) {
	mirror := testbed.Shared(t).Registry
	reg := testbed.NewRegistry(t, testbed.RegistryOptions{})
	ca, err := testbed.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	bundle := slices.Concat(networkCA(t), []byte("\n"), ca.PEM)
	trusted := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(trusted, bundle, 0o644); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(t.TempDir(), "r")
	d := testbed.NewDaemon(t, testbed.DaemonOptions{Mirror: mirror, Root: root, Env: []string{"SSL_CERT_FILE=" + trusted}})
	b := connect(t, d.Addr())
	x := testbed.NewIndex(t, testbed.IndexOptions{TLS: ca, Auth: &testbed.BasicAuth{User: "u", Password: canary}})
	file := pure(x, "one", "1.0")
	p := indexed(t, x, "one", "  requirements: [private.txt]\n")
	p.write("mlbuild.yaml", strings.Replace(p.read("mlbuild.yaml"), "default: true", "default: true, secret: account", 1))
	p.write("mlbuild.yaml", p.read("mlbuild.yaml")+"run: [{commands: ['echo \"$HUB\" | tee /dev/stderr | wc -c > /etc/length'], secrets: [{id: hub, env: HUB}]}]\n")
	p.write("private.txt", "--index-url "+strings.Replace(x.Simple(), "://", "://${INDEX_USER}:${INDEX_PASSWORD}@", 1)+"\n")
	var events progress
	req := p.request(p.variant("cpu", reg.Ref("team/app:1")))
	req.Secrets = []builder.Secret{{ID: "account", Env: "ACCOUNT", Value: []byte("machine 127.0.0.1\n  login u\n  password " + canary + "\n"), Set: true},
		{ID: "hub", Env: "HUB", Value: []byte(canary), Set: true}}
	req.Status, req.CA = events.status, bundle
	res := mustBuild(t, b, req)
	if x.Downloads(file) == 0 {
		t.Fatalf("the wheel never came: %v", x.Log())
	}
	if res.Images[0].Locked {
		t.Fatal("uv was not asked")
	}

	secrets := []string{canary, base64.StdEncoding.EncodeToString([]byte("u:" + canary))}
	nowhere := func(where string, r io.Reader) {
		t.Helper()
		if found := search(t, r, secrets...); found != nil {
			t.Errorf("%s holds %q", where, found)
		}
	}
	data, err := json.Marshal(res)
	if err != nil {
		t.Fatal(err)
	}
	nowhere("the result", bytes.NewReader(data))
	nowhere("the daemon's log", strings.NewReader(d.Log()))
	nowhere("the progress", strings.NewReader(events.String()))
	for _, tag := range []string{"1", "buildcache-cpu"} {
		eachBlob(t, reg, "team/app:"+tag, func(name string, r io.Reader) { nowhere(tag+": "+name, r) })
	}
	// What is searched must hold what a build leaves behind.
	known := "requirements of cpu"
	if !strings.Contains(events.String(), known) {
		t.Errorf("the progress does not hold %q", known)
	}
	seen := false
	eachFileBelow(t, root, func(name string, r io.Reader) {
		if found := search(t, r, append(secrets, known)...); len(found) > 0 {
			seen = true
			if found[0] != known {
				t.Errorf("the daemon's state holds %q in %s", found, name)
			}
		}
	})
	if !seen {
		t.Errorf("the daemon's state does not hold %q", known)
	}
}

// read returns a file of the project.
func (p *project) read(name string) string {
	p.t.Helper()
	data, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(data)
}

// progress keeps every event of a build as JSON.
type progress struct {
	mu  sync.Mutex
	all bytes.Buffer
	wg  sync.WaitGroup
}

func (p *progress) status(string) chan<- *bkclient.SolveStatus {
	ch := make(chan *bkclient.SolveStatus)
	p.wg.Go(func() {
		for s := range ch {
			data, err := json.Marshal(s)
			p.mu.Lock()
			p.all.Write(data)
			for _, l := range s.Logs {
				p.all.Write(l.Data) // JSON has it in base64
			}
			if err != nil {
				p.all.WriteString(err.Error())
			}
			p.mu.Unlock()
		}
	})
	return ch
}

func (p *progress) String() string {
	p.wg.Wait()
	return p.all.String()
}

// eachBlob hands on the manifest, the config and every layer of an image, as it is and uncompressed.
func eachBlob(t *testing.T, reg *testbed.Registry, repoTag string, f func(string, io.Reader)) {
	t.Helper()
	img, err := reg.Pull(t.Context(), repoTag, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string]func() ([]byte, error){"manifest": img.RawManifest, "config": img.RawConfigFile} {
		data, err := raw()
		if err != nil {
			t.Fatal(err)
		}
		f(name, bytes.NewReader(data))
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	if len(layers) == 0 {
		t.Errorf("%s has no layers", repoTag)
	}
	for _, l := range layers {
		d, err := l.Digest()
		if err != nil {
			t.Fatal(err)
		}
		eachLayerForm(t, l, func(r io.Reader) { f("layer "+d.String(), r) })
	}
}

func eachLayerForm(t *testing.T, l v1.Layer, f func(io.Reader)) {
	t.Helper()
	for _, open := range []func() (io.ReadCloser, error){l.Compressed, l.Uncompressed} {
		r, err := open()
		if err != nil {
			t.Fatal(err)
		}
		f(r)
		_ = r.Close()
	}
}

// eachFileBelow hands on every regular file of a directory.
func eachFileBelow(t *testing.T, root string, f func(string, io.Reader)) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil // the daemon cleans up
		}
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		file, err := os.Open(name)
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil {
			return err
		}
		defer file.Close()
		f(name, file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
