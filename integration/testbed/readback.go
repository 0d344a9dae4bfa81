package testbed

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// remoteOptions are how go-containerregistry reaches this registry: its account and its authority.
func (r *Registry) remoteOptions(ctx context.Context) []remote.Option {
	opts := []remote.Option{remote.WithContext(ctx)}
	if a := r.opt.Auth; a != nil {
		opts = append(opts, remote.WithAuth(&authn.Basic{Username: a.User, Password: a.Password}))
	}
	if r.opt.TLS != nil {
		opts = append(opts, remote.WithTransport(r.opt.TLS.transport()))
	}
	return opts
}

// HTTPClient is a client that trusts this authority and no other.
func (ca *CA) HTTPClient() *http.Client { return &http.Client{Transport: ca.transport()} }

func (ca *CA) transport() *http.Transport {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca.PEM)
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return t
}

// Pull reads an image of the registry by repository and tag or digest ("team/app:1"). Platform is
// "linux/amd64" and so on; "" is linux/amd64. It reads with go-containerregistry, independently of mlbuild.
// The requests are in the log like any other: Reset, if they should not count.
func (r *Registry) Pull(ctx context.Context, repoTag, platform string) (v1.Image, error) {
	ref, err := name.ParseReference(r.Ref(repoTag))
	if err != nil {
		return nil, err
	}
	p := &amd64
	if platform != "" {
		if p, err = v1.ParsePlatform(platform); err != nil {
			return nil, err
		}
	}
	return remote.Image(ref, append(r.remoteOptions(ctx), remote.WithPlatform(*p))...)
}

// Digest is what a tag points at: the digest of a manifest or an index.
func (r *Registry) Digest(ctx context.Context, repoTag string) (string, error) {
	ref, err := name.ParseReference(r.Ref(repoTag))
	if err != nil {
		return "", err
	}
	desc, err := remote.Head(ref, r.remoteOptions(ctx)...)
	if err != nil {
		return "", err
	}
	return desc.Digest.String(), nil
}

// Entry is a path of an image's file system.
type Entry struct {
	tar.Header
	SHA256 string // of a regular file's contents, hex
	Layer  int    // index of the layer that it comes from
}

// Tree is the image's file system as a container would see it: the layers laid over each other, whiteouts
// applied. Keys are absolute without the first slash and without a slash at the end: "usr/bin/python3".
func Tree(img v1.Image) (map[string]Entry, error) {
	layers, err := img.Layers()
	if err != nil {
		return nil, err
	}
	all := make([][]Entry, len(layers))
	for i, l := range layers {
		if all[i], err = LayerEntries(l); err != nil {
			return nil, fmt.Errorf("layer %d: %w", i, err)
		}
	}
	return Overlay(all), nil
}

// Overlay is Tree of layers that were read before, the lowest first.
func Overlay(layers [][]Entry) map[string]Entry {
	tree := map[string]Entry{}
	for i, entries := range layers {
		for _, e := range entries {
			e.Layer = i
			lay(tree, e)
		}
	}
	return tree
}

// lay puts an entry over the tree.
func lay(tree map[string]Entry, e Entry) {
	dir, base := path.Split(e.Name)
	switch {
	case base == ".wh..wh..opq":
		for p, old := range tree {
			if strings.HasPrefix(p, dir) && old.Layer < e.Layer {
				delete(tree, p)
			}
		}
	case strings.HasPrefix(base, ".wh."):
		removeTree(tree, dir+strings.TrimPrefix(base, ".wh."))
	default:
		if old, ok := tree[e.Name]; ok && old.Typeflag == tar.TypeDir && e.Typeflag != tar.TypeDir {
			removeTree(tree, e.Name)
		}
		tree[e.Name] = e
	}
}

func removeTree(tree map[string]Entry, root string) {
	delete(tree, root)
	for p := range tree {
		if strings.HasPrefix(p, root+"/") {
			delete(tree, p)
		}
	}
}

// LayerEntries reads one layer, gzip, zstd or plain, in its own order; names as in Tree, whiteouts as they are.
func LayerEntries(l v1.Layer) ([]Entry, error) {
	rc, err := l.Uncompressed()
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	var all []Entry
	for tr := tar.NewReader(rc); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		e := Entry{Header: *h}
		e.Name = strings.TrimPrefix(path.Clean("/"+h.Name), "/")
		if h.Typeflag == tar.TypeReg {
			sum := sha256.New()
			if _, err := io.Copy(sum, tr); err != nil {
				return nil, err
			}
			e.SHA256 = hex.EncodeToString(sum.Sum(nil))
		}
		all = append(all, e)
	}
}

// ReadFile returns the contents of a regular file of the image, from the layer that wins.
func ReadFile(img v1.Image, file string) ([]byte, error) {
	tree, err := Tree(img)
	if err != nil {
		return nil, err
	}
	e, ok := tree[file]
	if !ok || e.Typeflag != tar.TypeReg {
		return nil, fmt.Errorf("the image has no file %s", file)
	}
	layers, err := img.Layers()
	if err != nil {
		return nil, err
	}
	rc, err := layers[e.Layer].Uncompressed()
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	var data []byte
	for tr := tar.NewReader(rc); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
		if strings.TrimPrefix(path.Clean("/"+h.Name), "/") == file && h.Typeflag == tar.TypeReg {
			if data, err = io.ReadAll(tr); err != nil {
				return nil, err
			}
		}
	}
}
