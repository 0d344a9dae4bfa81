package testbed

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"
)

// basesInto fills a registry's storage with the stand-in images. The cache holds such a storage ready made;
// making it takes one to three minutes, most of it debootstrap.
func basesInto(ctx context.Context, storage string) error {
	cache, err := CacheDir()
	if err != nil {
		return err
	}
	unlock, err := lock(filepath.Join(cache, "bases.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	ready := filepath.Join(cache, "bases-"+cacheKey(basesSource, kindsSource, packSource, rootfsSource))
	if _, err := os.Stat(ready); err != nil {
		if err := makeBases(ctx, cache, ready); err != nil {
			return fmt.Errorf("make the stand-in base images: %w", err)
		}
		forgetStale(cache)
	}
	_ = os.Chtimes(ready, time.Time{}, time.Now()) // used
	return linkTree(ready, storage)
}

// makeBases pushes the stand-ins into a registry of their own and keeps its storage as ready.
func makeBases(ctx context.Context, cache, ready string) error {
	roots, err := makeRootfs(ctx, cache)
	if err != nil {
		return err
	}
	images, err := standIns(roots)
	if err != nil {
		return err
	}
	reg, err := StartRegistry(ctx, RegistryOptions{})
	if err != nil {
		return err
	}
	defer reg.Stop()
	eg, ctx := errgroup.WithContext(ctx)
	for _, s := range images {
		eg.Go(func() error { return reg.pushStandIn(ctx, s) })
	}
	if err := eg.Wait(); err != nil {
		return err
	}
	tmp := ready + ".tmp"
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	if err := linkTree(filepath.Join(reg.dir, "storage"), tmp); err != nil {
		return err
	}
	return os.Rename(tmp, ready)
}

func (r *Registry) pushStandIn(ctx context.Context, s standIn) error {
	idx, err := s.index()
	if err != nil {
		return err
	}
	for _, n := range s.names {
		ref, err := name.ParseReference(r.Ref(n))
		if err != nil {
			return err
		}
		if err := remote.WriteIndex(ref, idx, remote.WithContext(ctx)); err != nil {
			return fmt.Errorf("%s: %w", n, err)
		}
	}
	return nil
}

// forgetStale removes what older versions of this package left in the cache and nobody used for a day: checkouts may share a cache.
func forgetStale(cache string) {
	current := []string{cacheKey(basesSource, kindsSource, packSource, rootfsSource), cacheKey(rootfsSource, packSource)}
	for _, pattern := range []string{"bases-*", "rootfs-*"} {
		dirs, _ := filepath.Glob(filepath.Join(cache, pattern))
		for _, d := range dirs {
			info, err := os.Stat(d)
			used := err == nil && time.Since(info.ModTime()) < 24*time.Hour
			if !used && !strings.HasSuffix(d, current[0]) && !strings.HasSuffix(d, current[1]) {
				_ = os.RemoveAll(d)
			}
		}
	}
}

// linkTree copies a registry's storage. Blobs never change once written, so they are linked where the file
// system allows it.
func linkTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		dest := filepath.Join(to, strings.TrimPrefix(path, from))
		switch {
		case d.IsDir():
			return os.MkdirAll(dest, 0o755)
		case d.Name() == "data" && os.Link(path, dest) == nil:
			return nil
		}
		return copyFile(path, dest)
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}

// BumpBase moves a stand-in's tag to an image with one small layer more on every platform, as a new build
// of the base would, and returns the index digest that it now points at. The image before stays pullable
// by digest.
func (r *Registry) BumpBase(ctx context.Context, repoTag string) (string, error) {
	ref, err := name.ParseReference(r.Ref(repoTag))
	if err != nil {
		return "", err
	}
	idx, err := remote.Index(ref, r.remoteOptions(ctx)...)
	if err != nil {
		return "", err
	}
	before, err := idx.Digest()
	if err != nil {
		return "", err
	}
	extra, err := smallLayer(file{name: "etc/testbed-bump", mode: 0o644, data: "after " + before.String() + "\n"})
	if err != nil {
		return "", err
	}
	bumped, err := mapImages(idx, func(img v1.Image) (v1.Image, error) {
		return mutate.Append(img, layer(extra, "RUN /bin/sh -c apt-get upgrade -y # buildkit"))
	})
	if err != nil {
		return "", err
	}
	if err := remote.WriteIndex(ref, bumped, r.remoteOptions(ctx)...); err != nil {
		return "", err
	}
	after, err := bumped.Digest()
	return after.String(), err
}

// mapImages replaces every image of an index, keeping order and platforms.
func mapImages(idx v1.ImageIndex, change func(v1.Image) (v1.Image, error)) (v1.ImageIndex, error) {
	m, err := idx.IndexManifest()
	if err != nil {
		return nil, err
	}
	out := idx
	for _, desc := range m.Manifests {
		img, err := idx.Image(desc.Digest)
		if err != nil {
			return nil, err
		}
		if img, err = change(img); err != nil {
			return nil, err
		}
		out = mutate.RemoveManifests(out, func(d v1.Descriptor) bool { return d.Digest == desc.Digest })
		out = mutate.AppendManifests(out, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: desc.Platform}})
	}
	return out, nil
}
