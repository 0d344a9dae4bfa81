package main

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/builder/inspect"
	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// imageReader reads what images hold, wherever they are.
type imageReader struct {
	client   *registry.Client
	platform string // "" = linux/amd64, or the first that there is
	files    bool   // the layers are read through
}

// newImageReader reads credentials and certificates, as a build does.
func newImageReader(ctx context.Context, e *env, daemon *daemonFlags, platform string, files bool) (*imageReader, error) {
	if platform != "" && !slices.Contains(recipe.Platforms, platform) {
		platform = platformsOf([]string{platform})[0]
	}
	ca, err := daemon.caBundle(ctx, e)
	if err != nil {
		return nil, err
	}
	auth, err := registryAuth(ctx, e)
	if err != nil {
		return nil, err
	}
	return &imageReader{client: registry.New(auth, ca), platform: platform, files: files}, nil
}

// read reads an image by its reference, or by the path of an archive.
func (r *imageReader) read(ctx context.Context, image string) (*inspect.Image, error) {
	if isArchivePath(image) {
		return inspect.ReadArchive(ctx, image, r.platform, r.files)
	}
	return inspect.Read(ctx, r.client, image, r.platform, r.files)
}

// readAll reads several. What can be read is there after an error too.
func (r *imageReader) readAll(ctx context.Context, images []string) (all []*inspect.Image, err error) {
	var faults fault.List
	for _, image := range images {
		m, err := r.read(ctx, image)
		if err != nil {
			faults = append(faults, fault.All(err)...)
			continue
		}
		all = append(all, m)
	}
	return all, faults.Err()
}

// isArchivePath reports whether an argument that may be a reference is a path: an archive is there, or no reference is written like that.
func isArchivePath(image string) bool {
	switch {
	case inspect.IsArchive(image), filepath.IsAbs(image), filepath.Ext(image) == ".tar" && !strings.Contains(image, "@"):
		return true
	}
	first, _, _ := strings.Cut(filepath.ToSlash(image), "/")
	return first == "." || first == ".."
}
