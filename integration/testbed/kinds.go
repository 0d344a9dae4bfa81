package testbed

import (
	"archive/tar"
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
)

//go:embed kinds.go
var kindsSource string

// kindsOfBases are the images for the kinds of base that a project names: official Python in /usr/local, CUDA without Python, frameworks
// with their packages, and one without a shell. All of them are of Debian 12's contents.
func kindsOfBases(fs rootfs) ([]standIn, error) {
	system, err := tarball.LayerFromFile(fs.system, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	debian := []mutate.Addendum{layer(system, fmt.Sprintf("# debian.sh --arch 'amd64' out/ '%s' '@%d'", fs.suite, fixedTime.Unix()))}
	var all []standIn
	for _, make := range []func(rootfs, []mutate.Addendum) (standIn, error){localPython, bareCUDA, pytorchImage, tensorflowImage, distrolessImage} {
		s, err := make(fs, debian)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// over adds layers to those of Debian.
func over(debian []mutate.Addendum, more ...mutate.Addendum) []mutate.Addendum {
	return append(append([]mutate.Addendum{}, debian...), more...)
}

// localPython has its Python in /usr/local and nowhere else, as the official images have it.
func localPython(fs rootfs, debian []mutate.Addendum) (standIn, error) {
	python, err := filtered(fs.runtime, moved(fs.python, "usr/local"))
	if err != nil {
		return standIn{}, err
	}
	return standIn{
		names: []string{"library/python:3.11-slim-bookworm"}, platforms: bothArchs,
		layers: over(debian, layer(python, "RUN /bin/sh -c set -eux; ./configure; make; make install; ldconfig # buildkit")),
		config: v1.Config{Env: []string{pathEnv, "LANG=C.UTF-8", "PYTHON_VERSION=" + fs.patch}, Cmd: []string{"python3"}},
		steps:  []string{"ENV PYTHON_VERSION=" + fs.patch, `CMD ["python3"]`},
	}, nil
}

// bareCUDA is nvidia/cuda:12.6.3-*-ubuntu24.04: CUDA's libraries, and no Python.
func bareCUDA(_ rootfs, debian []mutate.Addendum) (standIn, error) {
	cuda, err := cudaImage(debian)
	cuda.names = []string{"nvidia/cuda:12.6.3-base-ubuntu24.04", "nvidia/cuda:12.6.3-runtime-ubuntu24.04", "nvidia/cuda:12.6.3-cudnn-runtime-ubuntu24.04"}
	return cuda, err
}

// pytorchImage has Python in /opt/conda, with the torch of the stand-in indexes and what that requires.
func pytorchImage(fs rootfs, debian []mutate.Addendum) (standIn, error) {
	const site = "opt/conda/lib/python3.11/site-packages/"
	python, err := filtered(fs.runtime, moved(fs.python, "opt/conda"))
	if err != nil {
		return standIn{}, err
	}
	packages, err := smallLayer(append(installed(site, "torch", TorchVersion+"+cu128", file{
		name: "torch/__init__.py", data: "cuda = '12.8'\nversion = 'of the base'\n",
	}), append(installed(site, "nvidia-cuda-runtime-cu12", "12.8.90"), installed(site, "colorama", "0.4.5", file{name: "colorama.py", data: "origin = 'base'\n"})...)...)...)
	if err != nil {
		return standIn{}, err
	}
	return standIn{
		names: []string{"pytorch/pytorch:" + TorchVersion + "-cuda12.8-cudnn9-runtime"}, platforms: bothArchs,
		layers: over(debian, layer(python, "COPY /opt/conda /opt/conda # buildkit"), layer(packages, "RUN /bin/sh -c pip install torch # buildkit")),
		config: v1.Config{Env: []string{"PATH=/opt/conda/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "PYTORCH_VERSION=" + TorchVersion}, WorkingDir: "/workspace"},
		steps:  []string{"ENV PATH=/opt/conda/bin:…"},
	}, nil
}

// tensorflowImage has the distribution's Python, with packages where Debian's pip installs them.
func tensorflowImage(fs rootfs, debian []mutate.Addendum) (standIn, error) {
	runtime, err := tarball.LayerFromFile(fs.runtime, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return standIn{}, err
	}
	packages, err := smallLayer(installed("usr/local/lib/python3.11/dist-packages/", "tensorflow-cpu", "2.20.0", file{name: "tensorflow/__init__.py", data: "origin = 'base'\n"})...)
	if err != nil {
		return standIn{}, err
	}
	return standIn{
		names: []string{"tensorflow/tensorflow:2.20.0"}, platforms: bothArchs,
		layers: over(debian, layer(runtime, "RUN /bin/sh -c apt-get install -y python3 # buildkit"), layer(packages, "RUN /bin/sh -c python3 -m pip install tensorflow # buildkit")),
		config: v1.Config{Env: []string{pathEnv, "LANG=C.UTF-8"}, Cmd: []string{"/bin/bash"}},
	}, nil
}

// distrolessImage has libraries, accounts and Python. It has no shell, no program beside Python, and no apt.
func distrolessImage(fs rootfs, _ []mutate.Addendum) (standIn, error) {
	libraries, err := filtered(fs.system, func(name string) string {
		for _, kept := range []string{
			"lib", "lib64", "usr/lib/x86_64-linux-gnu/", "usr/lib/aarch64-linux-gnu/", "usr/lib64/", "etc/passwd", "etc/group", "etc/nsswitch.conf", "etc/ssl/", "etc/os-release",
			"usr/lib/os-release", "tmp/",
		} {
			if name == kept || strings.HasSuffix(kept, "/") && strings.HasPrefix(name, kept) && !strings.Contains(name, "perl") {
				return name
			}
		}
		return ""
	})
	if err != nil {
		return standIn{}, err
	}
	python, err := filtered(fs.runtime, func(name string) string {
		if name == "usr/bin/python"+fs.python || strings.HasPrefix(name, "usr/lib/python"+fs.python+"/") || strings.HasPrefix(name, "etc/python"+fs.python+"/") {
			return name
		}
		return ""
	})
	if err != nil {
		return standIn{}, err
	}
	return standIn{
		names: []string{"distroless/python3-debian12:latest"}, platforms: bothArchs,
		layers: []mutate.Addendum{layer(libraries, "bazel build ..."), layer(python, "bazel build ...")},
		config: v1.Config{Env: []string{pathEnv, "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"}, Entrypoint: []string{"/usr/bin/python" + fs.python}, User: "0"},
	}, nil
}

// installed are the files of a package as an installer leaves them below site: its modules and its metadata.
func installed(site, name, version string, modules ...file) []file {
	dir := site + strings.ReplaceAll(name, "-", "_") + "-" + version + ".dist-info/"
	metadata := fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\n", name, version)
	all := []file{{name: dir + "METADATA", mode: 0o644, data: metadata}, {name: dir + "INSTALLER", mode: 0o644, data: "pip\n"}}
	for _, m := range modules {
		m.name, m.mode = site+m.name, 0o644
		all = append(all, m)
	}
	return all
}

// moved puts the Python of Debian below another prefix, without its packages.
func moved(version, prefix string) func(string) string {
	return func(name string) string {
		lib := "usr/lib/python" + version + "/"
		switch {
		case name == "usr/bin/python"+version:
			return prefix + "/bin/python" + version
		case strings.HasPrefix(name, lib):
			return prefix + "/lib/python" + version + "/" + strings.TrimPrefix(name, lib)
		}
		return ""
	}
}

// filtered makes a layer of those entries of another that rename gives a name.
func filtered(packed string, rename func(string) string) (v1.Layer, error) {
	f, err := os.Open(packed)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	gz := gzip.NewWriter(&buf)
	tw := tar.NewWriter(gz)
	if err := copyEntries(tar.NewReader(in), tw, rename); err != nil {
		return nil, err
	}
	if err := errors.Join(tw.Close(), gz.Close()); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buf.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer))
}

func copyEntries(from *tar.Reader, to *tar.Writer, rename func(string) string) error {
	for {
		h, err := from.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Name = rename(h.Name); h.Name == "" {
			continue
		}
		if h.Typeflag == tar.TypeLink {
			if h.Linkname = rename(h.Linkname); h.Linkname == "" {
				return errors.New(h.Name + " is a hard link to a file that is left out")
			}
		}
		if err := to.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.Copy(to, from); err != nil {
			return err
		}
	}
}
