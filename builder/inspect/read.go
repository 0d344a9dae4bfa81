package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Read returns what a registry has under a reference, for a platform ("" = linux/amd64 of an index that has it, else its first). By itself it reads manifest and config alone; with files
// each layer is read through. Errors: fault.Ref, and those of diagnose.Image.
func Read(ctx context.Context, client *registry.Client, image, platform string, files bool) (*Image, error) {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return nil, fault.New(fault.Ref, "the image %q: %w", image, err).Hint("for example registry.example.com/team/app:1.2")
	}
	ref := reference.TagNameOnly(named).String()
	explain := func(err error) error {
		if _, ok := errors.AsType[*fault.Fault](err); ok || ctx.Err() != nil {
			return err
		}
		return diagnose.Image(ref, reference.Domain(named), platform, err)
	}
	m := &Image{Ref: ref}
	if err := read(ctx, client, m, platform, files); err != nil {
		return nil, explain(err)
	}
	return m, nil
}

// source is where an image lies: a registry, which is asked by reference, or an archive, which has one image.
type source interface {
	Manifest(ctx context.Context, ref string) (ocispecs.Descriptor, []byte, error)
	Blob(ctx context.Context, ref string, desc ocispecs.Descriptor) ([]byte, error)
	Open(ctx context.Context, ref string, desc ocispecs.Descriptor) (io.ReadCloser, error)
}

// read fills in what a source has of an image.
func read(ctx context.Context, from source, m *Image, platform string, files bool) error {
	manifest, err := readManifest(ctx, from, m, platform)
	if err != nil {
		return err
	}
	if !files {
		m.Packages = namedPackages(m.Layers)
		return nil
	}
	layers, err := scanAll(ctx, from, m.Ref, manifest.Layers)
	if err != nil {
		return err
	}
	m.fill(layers)
	return nil
}

// readManifest writes to m what manifest and config say.
func readManifest(ctx context.Context, from source, m *Image, platform string) (manifest ocispecs.Manifest, err error) {
	desc, data, err := from.Manifest(ctx, m.Ref)
	if err != nil {
		return manifest, err
	}
	if images.IsIndexType(desc.MediaType) {
		var index ocispecs.Index
		if err := json.Unmarshal(data, &index); err != nil {
			return manifest, fmt.Errorf("index %s: %w", desc.Digest, err)
		}
		if desc, m.Platforms, err = choose(m.Ref, index, platform); err != nil {
			return manifest, err
		}
		if data, err = from.Blob(ctx, m.Ref, desc); err != nil {
			return manifest, err
		}
	}
	if err := json.Unmarshal(data, &manifest); err != nil {
		return manifest, fmt.Errorf("manifest %s: %w", desc.Digest, err)
	}
	text, err := from.Blob(ctx, m.Ref, manifest.Config)
	if err != nil {
		return manifest, err
	}
	var config ocispecs.Image
	if err := json.Unmarshal(text, &config); err != nil || len(config.RootFS.DiffIDs) == 0 && len(manifest.Layers) > 0 {
		return manifest, fault.New(fault.Base, "%s is no container image: its config is of type %s", m.Ref, manifest.Config.MediaType).Hint("name the image itself, not a cache or a chart")
	}
	m.Digest, m.Config = desc.Digest.String(), manifest.Config.Digest.String()
	m.describe(manifest, config)
	if p := platformName(&config.Platform); platform != "" && p != normal(platform) {
		return manifest, noPlatform(m.Ref, platform, []string{p})
	}
	return manifest, nil
}

// choose returns the manifest of a platform, and the platforms that an index has.
func choose(ref string, index ocispecs.Index, platform string) (ocispecs.Descriptor, []string, error) {
	var all []ocispecs.Descriptor
	var names []string
	for _, d := range index.Manifests {
		if images.IsManifestType(d.MediaType) && (d.Platform == nil || d.Platform.OS != "unknown") {
			all, names = append(all, d), append(names, platformName(d.Platform))
		}
	}
	at := slices.Index(names, normal(platform))
	if platform == "" {
		at = max(0, slices.Index(names, "linux/amd64"))
	}
	if at < 0 || at >= len(all) {
		return ocispecs.Descriptor{}, nil, noPlatform(ref, platform, names)
	}
	return all[at], names, nil
}

func noPlatform(ref, platform string, names []string) error {
	f := fault.New(fault.Platform, "%s has no image for %s", ref, platform)
	if len(names) == 0 {
		return fault.New(fault.Platform, "%s is an index without an image", ref).Hint("name another tag")
	}
	return f.Hint("it has: %s", strings.Join(names, ", "))
}

func platformName(p *ocispecs.Platform) string {
	if p == nil {
		return ""
	}
	return platforms.Format(platforms.Normalize(*p))
}

// normal writes a platform as platformName does.
func normal(platform string) string {
	p, err := platforms.Parse(platform)
	if err != nil {
		return platform
	}
	return platformName(&p)
}

// describe takes over what manifest and config say.
func (m *Image) describe(manifest ocispecs.Manifest, config ocispecs.Image) {
	m.Platform, m.User = platformName(&config.Platform), config.Config.User
	m.Entrypoint, m.Command, m.Labels = config.Config.Entrypoint, config.Config.Cmd, config.Config.Labels
	if config.Created != nil {
		m.Created = config.Created.UTC().Format(time.RFC3339)
	}
	said := made(config.History)
	for i, d := range manifest.Layers {
		l := Layer{Digest: d.Digest.String(), Compressed: d.Size}
		if len(config.RootFS.DiffIDs) == len(manifest.Layers) {
			l.DiffID = config.RootFS.DiffIDs[i].String()
		}
		if len(said) == len(manifest.Layers) {
			l.Kind, l.What = wording(said[i])
		}
		m.ByMlbuild = m.ByMlbuild || l.Kind != ""
		m.Compressed += l.Compressed
		m.Layers = append(m.Layers, l)
	}
}

// made returns what the history says of each layer.
func made(history []ocispecs.History) (said []string) {
	for _, h := range history {
		if !h.EmptyLayer {
			said = append(said, h.CreatedBy)
		}
	}
	return said
}

// wording takes the words apart in which mlbuild says what a layer is for, and shortens those of others.
func wording(by string) (kind, what string) {
	if rest, ok := strings.CutPrefix(by, "mlbuild "); ok {
		if kind, what, ok := strings.Cut(rest, ": "); ok && !strings.Contains(kind, " ") {
			return kind, what
		}
	}
	for _, prefix := range []string{"/bin/sh -c #(nop)", "/bin/sh -c", "|"} {
		by = strings.TrimSpace(strings.TrimPrefix(by, prefix))
	}
	return "", strings.Join(strings.Fields(strings.TrimSuffix(by, "# buildkit")), " ")
}
