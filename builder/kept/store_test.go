package kept

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

var amd64, arm64 = ocispecs.Platform{OS: "linux", Architecture: "amd64"}, ocispecs.Platform{OS: "linux", Architecture: "arm64"}

// daemon is a content store that counts what it is asked for.
type daemon struct {
	blobs map[digest.Digest][]byte
	asked []digest.Digest
}

func (d *daemon) ReaderAt(_ context.Context, desc ocispecs.Descriptor) (content.ReaderAt, error) {
	d.asked = append(d.asked, desc.Digest)
	data, ok := d.blobs[desc.Digest]
	if !ok {
		return nil, errdefs.ErrNotFound
	}
	return blob{bytes.NewReader(data)}, nil
}

func (d *daemon) put(t *testing.T, mediaType string, v any) ocispecs.Descriptor {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	desc := ocispecs.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	d.blobs[desc.Digest] = data
	return desc
}

// image is an index of two platforms.
func (d *daemon) image(t *testing.T, name string) ocispecs.Descriptor {
	t.Helper()
	var all []ocispecs.Descriptor
	for _, p := range []ocispecs.Platform{arm64, amd64} {
		config := d.put(t, ocispecs.MediaTypeImageConfig, ocispecs.Image{Author: name, Platform: p})
		m := d.put(t, ocispecs.MediaTypeImageManifest, ocispecs.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispecs.MediaTypeImageManifest, Config: config})
		m.Platform = &p
		all = append(all, m)
	}
	return d.put(t, ocispecs.MediaTypeImageIndex, ocispecs.Index{Versioned: specs.Versioned{SchemaVersion: 2}, Manifests: all})
}

func TestImageIsAskedForOnce(t *testing.T) {
	d, dir := &daemon{blobs: map[digest.Digest][]byte{}}, filepath.Join(t.TempDir(), "images")
	index := d.image(t, "base").Digest.String()
	if _, _, err := Image(t.Context(), Store{Dir: dir}, index, amd64); !errors.Is(err, errdefs.ErrNotFound) {
		t.Errorf("nothing is kept: %v", err)
	}
	_, config, err := Image(t.Context(), Store{dir, d}, index, amd64)
	if err != nil || len(d.asked) != 3 {
		t.Fatalf("%v, asked for %d blobs, want index, manifest, config", err, len(d.asked))
	}
	_, again, err := Image(t.Context(), Store{Dir: dir}, index, amd64)
	if err != nil || !bytes.Equal(config, again) {
		t.Errorf("kept: %v, %s, want %s", err, again, config)
	}
	if _, _, err := Image(t.Context(), Store{Dir: dir}, index, arm64); !errors.Is(err, errdefs.ErrNotFound) {
		t.Errorf("another platform: %v", err)
	}
	d.asked = nil
	if _, _, err := Image(t.Context(), Store{Daemon: d}, index, amd64); err != nil || len(d.asked) < 3 {
		t.Errorf("without a directory: %v, asked for %d blobs", err, len(d.asked))
	}
}

// What is kept and has other bytes than its digest says is asked for again, and mended.
func TestDamagedBlobsAreNotTaken(t *testing.T) {
	damage := map[string]func(path string, data []byte) error{
		"other bytes": func(path string, data []byte) error {
			return os.WriteFile(path, bytes.ReplaceAll(data, []byte("amd64"), []byte("evil4")), 0o600)
		},
		"cut":   func(path string, data []byte) error { return os.WriteFile(path, data[:len(data)-1], 0o600) },
		"empty": func(path string, _ []byte) error { return os.WriteFile(path, nil, 0o600) },
		"another one": func(path string, _ []byte) error {
			return os.WriteFile(path, []byte(`{"author":"somebody else","os":"linux","architecture":"amd64"}`), 0o600)
		},
		"a link": func(path string, data []byte) error {
			if err := os.WriteFile(path+".real", data, 0o600); err != nil {
				return err
			}
			return errors.Join(os.Remove(path), os.Symlink(path+".real", path))
		},
		"too large": func(path string, data []byte) error {
			return os.WriteFile(path, append(data, bytes.Repeat([]byte(" "), maxBlob)...), 0o600)
		},
	}
	for name, change := range damage {
		t.Run(name, func(t *testing.T) {
			d, dir := &daemon{blobs: map[digest.Digest][]byte{}}, t.TempDir()
			index := d.image(t, "base").Digest.String()
			m, config, err := Image(t.Context(), Store{dir, d}, index, amd64)
			if err != nil {
				t.Fatal(err)
			}
			if err := change(Store{Dir: dir}.path(m.Config.Digest), slices.Clone(config)); err != nil {
				t.Fatal(err)
			}
			if _, got, err := Image(t.Context(), Store{Dir: dir}, index, amd64); err == nil {
				t.Errorf("taken: %s", got)
			}
			d.asked = nil
			_, got, err := Image(t.Context(), Store{dir, d}, index, amd64)
			if err != nil || !bytes.Equal(got, config) || len(d.asked) != 1 {
				t.Errorf("%v, %s, asked for %v", err, got, d.asked)
			}
		})
	}
}

// A daemon that sends other bytes than it was asked for has nothing of it kept.
func TestLyingDaemon(t *testing.T) {
	d, dir := &daemon{blobs: map[digest.Digest][]byte{}}, t.TempDir()
	index := d.image(t, "base").Digest
	d.blobs[index] = append(d.blobs[index], ' ')
	if _, _, err := Image(t.Context(), Store{dir, d}, index.String(), amd64); err == nil {
		t.Error("another index was taken")
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("kept: %v", entries)
	}
}

func TestOldestBlobsMakeRoom(t *testing.T) {
	d, dir := &daemon{blobs: map[digest.Digest][]byte{}}, t.TempDir()
	var last string
	for i := range maxBlobs/3 + 10 {
		last = d.image(t, fmt.Sprint(i)).Digest.String()
		if _, _, err := Image(t.Context(), Store{dir, d}, last, amd64); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != maxBlobs {
		t.Errorf("%d blobs are kept, want %d (%v)", len(entries), maxBlobs, err)
	}
	if _, _, err := Image(t.Context(), Store{Dir: dir}, last, amd64); err != nil {
		t.Errorf("the last one: %v", err)
	}
}
