package integration

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	bkclient "github.com/moby/buildkit/client"

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
