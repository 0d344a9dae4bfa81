package testbed

import (
	_ "embed"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

//go:embed bases.go
var basesSource string

// ArmLabel is the label of the stand-ins' linux/arm64 images, whose contents are those of linux/amd64: they
// can be pulled, merged and pushed, not run.
const ArmLabel = "testbed.contents"

const pathEnv = "PATH=/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

var (
	amd64     = v1.Platform{OS: "linux", Architecture: "amd64"}
	arm64     = v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}
	bothArchs = []v1.Platform{amd64, arm64}
)

// standIn is an image that the registry serves under the names of real ones.
type standIn struct {
	names     []string // repository:tag
	platforms []v1.Platform
	layers    []mutate.Addendum
	config    v1.Config
	steps     []string // history entries without a layer
}

// standIns describes every image, from the packed releases in the order of releases.
func standIns(fs []rootfs) ([]standIn, error) {
	bookworm, err := debianLayers(fs[0])
	if err != nil {
		return nil, err
	}
	trixie, err := debianLayers(fs[1])
	if err != nil {
		return nil, err
	}
	py311, err := pythonImage(fs[0], bookworm)
	if err != nil {
		return nil, err
	}
	py311.names = []string{
		"library/python:3.11-slim", "library/python:3.11", "library/python:3.11-bookworm",
	}
	py313, err := pythonImage(fs[1], trixie)
	if err != nil {
		return nil, err
	}
	py313.names = []string{
		"library/python:3.13-slim", "library/python:3.13-slim-trixie", "library/python:3.13", "library/python:3-slim",
	}
	single := py311
	single.names, single.platforms = []string{"library/amd64only:1"}, []v1.Platform{amd64}
	cuda, err := cudaImage(bookworm)
	if err != nil {
		return nil, err
	}
	alpine, err := alpineImage()
	if err != nil {
		return nil, err
	}
	kinds, err := kindsOfBases(fs[0])
	return append([]standIn{py311, py313, single, cuda, alpine}, kinds...), err
}

// debianLayers are the two layers of a release.
func debianLayers(fs rootfs) ([]mutate.Addendum, error) {
	system, err := tarball.LayerFromFile(fs.system, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	python, err := tarball.LayerFromFile(fs.runtime, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	return []mutate.Addendum{
		layer(system, fmt.Sprintf("# debian.sh --arch 'amd64' out/ '%s' '@%d'", fs.suite, fixedTime.Unix())),
		layer(python, "RUN /bin/sh -c set -eux; apt-get update; apt-get install -y --no-install-recommends ca-certificates netbase tzdata # buildkit"),
	}, nil
}

// pythonImage is the official Python image of a release: the links in /usr/local and the environment.
func pythonImage(fs rootfs, debian []mutate.Addendum) (standIn, error) {
	links, err := smallLayer(
		file{name: "usr/local/bin/pip", link: "/usr/bin/pip3"},
		file{name: "usr/local/bin/pip3", link: "/usr/bin/pip3"},
		file{name: "usr/local/bin/python", link: "python3"},
		file{name: "usr/local/bin/python3", link: "python" + fs.python},
		file{name: "usr/local/bin/python" + fs.python, link: "/usr/bin/python" + fs.python},
		// As the official Debian image: apt in a container keeps no packages.
		file{name: "etc/apt/apt.conf.d/docker-clean", mode: 0o644, data: dockerClean},
	)
	if err != nil {
		return standIn{}, err
	}
	layers := append(append([]mutate.Addendum{}, debian...),
		layer(links, "RUN /bin/sh -c set -eux; for src in idle3 pip3 pydoc3 python3 python3-config; do ln -svT \"$src\" \"/usr/local/bin/$dst\"; done # buildkit"))
	return standIn{
		platforms: bothArchs,
		layers:    layers,
		config: v1.Config{
			Env: []string{pathEnv, "LANG=C.UTF-8", "GPG_KEY=A035C8C19219BA821ECEA86B64E628F8D684696D", "PYTHON_VERSION=" + fs.patch},
			Cmd: []string{"python3"},
		},
		steps: []string{"ENV PATH=/usr/local/bin:…", "ENV LANG=C.UTF-8", "ENV PYTHON_VERSION=" + fs.patch, `CMD ["python3"]`},
	}, nil
}

const dockerClean = `DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";
`

// cudaImage has the environment and labels of nvidia/cuda:12.6.3-base-ubuntu22.04 on Debian's contents.
func cudaImage(debian []mutate.Addendum) (standIn, error) {
	cudart, err := smallLayer(
		file{name: "etc/ld.so.conf.d/nvidia.conf", mode: 0o644, data: "/usr/local/nvidia/lib\n/usr/local/nvidia/lib64\n"},
		file{name: "usr/local/cuda", link: "cuda-12.6"},
		file{name: "usr/local/cuda-12.6/version.json", mode: 0o644, data: `{"cuda":{"name":"CUDA SDK","version":"12.6.3"}}` + "\n"},
		file{name: "usr/local/cuda-12.6/lib64/libcudart.so.12", mode: 0o644, data: "stand-in\n"},
	)
	if err != nil {
		return standIn{}, err
	}
	return standIn{
		names:     []string{"nvidia/cuda:12.6.3-base-ubuntu22.04"},
		platforms: bothArchs,
		layers:    append(append([]mutate.Addendum{}, debian...), layer(cudart, "RUN |1 TARGETARCH=amd64 /bin/sh -c apt-get install -y cuda-cudart-12-6 cuda-compat-12-6 # buildkit")),
		config: v1.Config{
			Env: []string{
				"PATH=/usr/local/nvidia/bin:/usr/local/cuda/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
				"NVARCH=x86_64",
				"NVIDIA_REQUIRE_CUDA=cuda>=12.6 brand=unknown,driver>=470,driver<471 brand=tesla,driver>=535,driver<536 brand=tesla,driver>=550,driver<551",
				"NV_CUDA_CUDART_VERSION=12.6.77-1",
				"CUDA_VERSION=12.6.3",
				"LD_LIBRARY_PATH=/usr/local/nvidia/lib:/usr/local/nvidia/lib64",
				"NVIDIA_VISIBLE_DEVICES=all",
				"NVIDIA_DRIVER_CAPABILITIES=compute,utility",
			},
			Labels: map[string]string{
				"maintainer":                        "NVIDIA CORPORATION <cudatools@nvidia.com>",
				"org.opencontainers.image.ref.name": "ubuntu",
				"org.opencontainers.image.version":  "22.04",
			},
			Cmd: []string{"/bin/bash"},
		},
		steps: []string{"ENV NVARCH=x86_64", "ENV CUDA_VERSION=12.6.3", "ENV NVIDIA_VISIBLE_DEVICES=all"},
	}, nil
}

// alpineImage is what tells a musl base: its loader and its os-release. It has no programs.
func alpineImage() (standIn, error) {
	musl, err := smallLayer(
		file{name: "etc/alpine-release", mode: 0o644, data: "3.20.3\n"},
		file{name: "etc/os-release", mode: 0o644, data: "NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.20.3\n"},
		file{name: "lib/ld-musl-x86_64.so.1", mode: 0o755, data: "stand-in\n"},
	)
	if err != nil {
		return standIn{}, err
	}
	return standIn{
		names:     []string{"library/alpine:3.20", "library/python:3.11-alpine"},
		platforms: bothArchs,
		layers:    []mutate.Addendum{layer(musl, "ADD alpine-minirootfs-3.20.3-x86_64.tar.gz / # buildkit")},
		config:    v1.Config{Env: []string{pathEnv}, Cmd: []string{"/bin/sh"}},
		steps:     []string{`CMD ["/bin/sh"]`},
	}, nil
}

func layer(l v1.Layer, createdBy string) mutate.Addendum {
	return mutate.Addendum{Layer: l, MediaType: types.OCILayer, History: v1.History{
		Created: v1.Time{Time: fixedTime}, CreatedBy: createdBy, Comment: "buildkit.dockerfile.v0",
	}}
}

// index makes the stand-in's OCI image index.
func (s standIn) index() (v1.ImageIndex, error) {
	var adds []mutate.IndexAddendum
	for _, p := range s.platforms {
		img, err := s.image(p)
		if err != nil {
			return nil, err
		}
		adds = append(adds, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &p}})
	}
	return mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), adds...), nil
}

func (s standIn) image(p v1.Platform) (v1.Image, error) {
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.Append(img, s.layers...)
	if err != nil {
		return nil, err
	}
	cf, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	cf = cf.DeepCopy()
	cf.OS, cf.Architecture, cf.Variant = p.OS, p.Architecture, p.Variant
	cf.Created, cf.Config = v1.Time{Time: fixedTime}, *s.config.DeepCopy()
	if p.Architecture != amd64.Architecture {
		if cf.Config.Labels == nil {
			cf.Config.Labels = map[string]string{}
		}
		cf.Config.Labels[ArmLabel] = "amd64"
	}
	for _, step := range s.steps {
		cf.History = append(cf.History, v1.History{Created: cf.Created, CreatedBy: step, EmptyLayer: true})
	}
	return mutate.ConfigFile(img, cf)
}
