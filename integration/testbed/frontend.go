package testbed

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// frontendProgram is the path of cmd/mlbuild-frontend in its image.
const frontendProgram = "mlbuild-frontend"

// FrontendImage makes the image of a frontend that is compiled for some platforms, "linux/amd64" → the path of the program: it holds the program and nothing else, and has the same
// digest each time. Its labels say that it needs no network, and what it understands of a client's build (BuildKit frontend/gateway/gateway.go).
func FrontendImage(programs map[string]string) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(v1.ImageIndex(empty.Index), types.OCIImageIndex)
	for _, platform := range slices.Sorted(maps.Keys(programs)) {
		p, err := v1.ParsePlatform(platform)
		if err != nil {
			return nil, err
		}
		data, err := os.ReadFile(programs[platform])
		if err != nil {
			return nil, err
		}
		layer, err := smallLayer(file{name: frontendProgram, data: string(data), mode: 0o755})
		if err != nil {
			return nil, err
		}
		image, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), mutate.Addendum{
			Layer: layer, History: v1.History{CreatedBy: "mlbuild-frontend", Created: v1.Time{Time: fixedTime}},
		})
		if err != nil {
			return nil, err
		}
		image, err = mutate.ConfigFile(image, frontendConfig(image, p))
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: mutate.ConfigMediaType(image, types.OCIConfigJSON), Descriptor: v1.Descriptor{Platform: p}})
	}
	return index, nil
}

func frontendConfig(image v1.Image, p *v1.Platform) *v1.ConfigFile {
	config, err := image.ConfigFile()
	if err != nil {
		config = &v1.ConfigFile{}
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = p.OS, p.Architecture
	config.Config = v1.Config{
		Entrypoint: []string{"/" + frontendProgram}, WorkingDir: "/", User: "0",
		Labels: map[string]string{
			"moby.buildkit.frontend.network.none": "true",
			"moby.buildkit.frontend.caps":         "moby.buildkit.frontend.inputs,moby.buildkit.frontend.subrequests,moby.buildkit.frontend.contexts",
		},
	}
	return config
}

// Push pushes an image under a name of the registry, "team/app:1".
func (r *Registry) Push(ctx context.Context, repoTag string, index v1.ImageIndex) error {
	ref, err := name.ParseReference(r.Ref(repoTag))
	if err != nil {
		return err
	}
	if err := remote.WriteIndex(ref, index, r.remoteOptions(ctx)...); err != nil {
		return fmt.Errorf("push %s: %w", repoTag, err)
	}
	return nil
}
