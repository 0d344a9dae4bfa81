package main

import (
	"archive/tar"
	"bytes"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// someRegistry is a registry with the images app:1 and app:2, also as app:v-cpu and app:v-gpu, of which the second has a newer package and removes a file.
func someRegistry(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	base := tarLayer(t, map[string]string{"etc/motd": "welcome"})
	for _, tag := range []string{"1", "v-cpu"} {
		pushImage(t, host+"/app:"+tag, []string{"base", "mlbuild wheels: demo 1.0"}, base, demoLayer(t, "1.0"))
	}
	for _, tag := range []string{"2", "v-gpu"} {
		pushImage(t, host+"/app:"+tag, []string{"base", "mlbuild wheels: demo 2.0", "mlbuild run: rm"}, base, demoLayer(t, "2.0"), tarLayer(t, map[string]string{"etc/.wh.motd": ""}))
	}
	return host
}

func demoLayer(t *testing.T, version string) v1.Layer {
	t.Helper()
	info := "opt/venv/lib/python3.11/site-packages/demo-" + version + ".dist-info/"
	return tarLayer(t, map[string]string{info + "METADATA": "Name: demo\nVersion: " + version + "\nLicense-Expression: MIT\n", info + "RECORD": "demo.py,,\n", "opt/venv/lib/python3.11/site-packages/demo.py": version})
}

func tarLayer(t *testing.T, files map[string]string) v1.Layer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range sortedKeys(files) {
		if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(files[name])), Mode: 0o644, Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, files[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func pushImage(t *testing.T, ref string, said []string, layers ...v1.Layer) {
	t.Helper()
	image := v1.Image(empty.Image)
	var err error
	for i, l := range layers {
		if image, err = mutate.Append(image, mutate.Addendum{Layer: l, History: v1.History{CreatedBy: said[i]}}); err != nil {
			t.Fatal(err)
		}
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config.OS, config.Architecture, config.Config.Cmd = "linux", "amd64", []string{"python", "main.py"}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		t.Fatal(err)
	}
	to, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(to, image); err != nil {
		t.Fatal(err)
	}
}
