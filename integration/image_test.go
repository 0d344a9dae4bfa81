package integration

import (
	"archive/tar"
	"errors"
	"io"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

// pushed is an image read back by go-containerregistry, independently of mlbuild.
type pushed struct {
	t        *testing.T
	img      v1.Image
	manifest *v1.Manifest
	config   *v1.ConfigFile
	layers   []pushedLayer
	tree     map[string]testbed.Entry // what a container sees
}

// pushedLayer is one layer with its history entry.
type pushedLayer struct {
	createdBy string
	own       bool // mlbuild made it
	entries   []testbed.Entry
}

// readBack pulls repository:tag and reads every layer.
func readBack(t *testing.T, reg *testbed.Registry, repoTag string) *pushed {
	t.Helper()
	img, err := reg.Pull(t.Context(), repoTag, "")
	if err != nil {
		t.Fatal(err)
	}
	return readImage(t, img)
}

func readImage(t *testing.T, img v1.Image) *pushed {
	t.Helper()
	p := &pushed{t: t, img: img}
	var errs [3]error
	p.manifest, errs[0] = img.Manifest()
	p.config, errs[1] = img.ConfigFile()
	layers, err := img.Layers()
	errs[2] = err
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	history := layerHistory(p.config)
	if len(history) != len(layers) {
		t.Fatalf("%d history entries for %d layers", len(history), len(layers))
	}
	p.layers = make([]pushedLayer, len(layers))
	all := make([][]testbed.Entry, len(layers))
	var eg errgroup.Group
	eg.SetLimit(runtime.NumCPU())
	for i, l := range layers {
		eg.Go(func() (err error) {
			by := history[i].CreatedBy
			own := strings.HasPrefix(by, "mlbuild ")
			all[i], err = layerEntries(l, own)
			p.layers[i] = pushedLayer{by, own, all[i]}
			return err
		})
	}
	if err := eg.Wait(); err != nil {
		t.Fatal(err)
	}
	p.tree = testbed.Overlay(all)
	return p
}

// baseLayers are the layers of bases that were read before, by digest: every image has the same few.
var baseLayers sync.Map

func layerEntries(l v1.Layer, own bool) ([]testbed.Entry, error) {
	d, err := l.Digest()
	if err != nil {
		return nil, err
	}
	if known, ok := baseLayers.Load(d); ok && !own {
		return known.([]testbed.Entry), nil
	}
	entries, err := testbed.LayerEntries(l)
	if err == nil && !own {
		baseLayers.Store(d, entries)
	}
	return entries, err
}

// layerHistory is the history entries that stand for layers.
func layerHistory(c *v1.ConfigFile) []v1.History {
	return slices.DeleteFunc(slices.Clone(c.History), func(h v1.History) bool { return h.EmptyLayer })
}

// layerDigests lists the digests of the layers, the base's first.
func (p *pushed) layerDigests() []string {
	var all []string
	for _, l := range p.manifest.Layers {
		all = append(all, l.Digest.String())
	}
	return all
}

// read returns the contents of the regular files that a container sees and that want picks.
func (p *pushed) read(want func(name string) bool) map[string][]byte {
	p.t.Helper()
	layers, err := p.img.Layers()
	if err != nil {
		p.t.Fatal(err)
	}
	all := map[string][]byte{}
	for i, l := range layers {
		if !slices.ContainsFunc(p.layers[i].entries, func(e testbed.Entry) bool { return p.tree[e.Name].Layer == i && want(e.Name) }) {
			continue
		}
		rc, err := l.Uncompressed()
		if err != nil {
			p.t.Fatal(err)
		}
		err = eachFile(rc, func(name string, r io.Reader) error {
			if p.tree[name].Layer != i || !want(name) {
				return nil
			}
			data, err := io.ReadAll(r)
			all[name] = data
			return err
		})
		_ = rc.Close()
		if err != nil {
			p.t.Fatal(err)
		}
	}
	return all
}

// file is one file that a container sees.
func (p *pushed) file(name string) string {
	p.t.Helper()
	data, ok := p.read(func(n string) bool { return n == name })[name]
	if !ok {
		p.t.Errorf("the image has no file %s", name)
	}
	return string(data)
}

// eachFile calls f for every regular file of a layer's tar.
func eachFile(r io.Reader, f func(name string, r io.Reader) error) error {
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if err := f(strings.TrimPrefix(path.Clean("/"+h.Name), "/"), tr); err != nil {
			return err
		}
	}
}

// sum is the sha256 (hex) of a file that a container sees, hard links followed; "" if there is none.
func (p *pushed) sum(name string) string {
	e, ok := p.tree[name]
	if ok && e.Typeflag == tar.TypeLink {
		e = p.tree[strings.TrimPrefix(path.Clean("/"+e.Linkname), "/")]
	}
	return e.SHA256
}

// python runs code with the Python of the image, as the image's user, and fails the test unless it ends with 0.
func python(t *testing.T, tb *testbed.Testbed, ref, code string, args ...string) string {
	t.Helper()
	return inImage(t, tb, ref, append([]string{"python", "-c", code}, args...)...)
}

// inImage runs a command in the image and returns its output; no command is the image's own.
func inImage(t *testing.T, tb *testbed.Testbed, ref string, args ...string) string {
	t.Helper()
	out, err := tb.Daemon.RunImage(t.Context(), ref, args...)
	if err != nil {
		t.Fatal(err)
	}
	if out.Exit != 0 {
		t.Fatalf("%.80q ended with %d:\n%s%s", args, out.Exit, out.Stdout, out.Stderr)
	}
	return out.Stdout
}
