package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/builder"
)

func someImage() builder.Image {
	return builder.Image{
		Profile: "gpu", Platforms: []string{"linux/amd64"}, Digest: "sha256:aa", Config: "sha256:bb", Tags: []string{"r.example/a:1-gpu"},
		Size: 3_210_000_000, Layers: &builder.Layers{New: 1, Reused: 41, Pushed: 17_300_000}, CUDA: "12.6", Cached: 60, Ran: 24, Sources: 20, Seconds: 8.12,
		Locked: true,
	}
}

func TestSummary(t *testing.T) {
	e, stdout, _ := testEnv()
	m := someImage()
	printImage(e.stdout, m, &outputs{push: true, writers: newWriters(e, nil)})
	const want = `gpu (linux/amd64)
  image  r.example/a:1-gpu
  digest sha256:aa
  cuda   12.6
  size   3.21 GB
  layers 1 new, 41 reused, 17.3 MB pushed
  steps  60 cached, 4 run
  time   8.1s
`
	if diff := cmp.Diff(want, stdout.String()); diff != "" {
		t.Error(diff)
	}
	if got := layers(&builder.Layers{New: 3, Reused: 2, Pushed: 302_400_000, AtMost: true}); got != "3 new, 2 reused, at most 302.4 MB pushed" {
		t.Errorf("layers of which the daemon may have mounted some are told as %q", got)
	}
	if got := layers(nil); got != "unknown: the registry did not let mlbuild look" {
		t.Errorf("unknown layers are told as %q", got)
	}
}

func TestMetadata(t *testing.T) {
	one := metadata(&builder.Result{Images: []builder.Image{someImage()}})
	if one["containerimage.digest"] != "sha256:aa" || one["containerimage.config.digest"] != "sha256:bb" || one["image.name"] != "r.example/a:1-gpu" {
		t.Errorf("one profile is not flat as docker buildx has it: %v", one)
	}
	other := someImage()
	other.Profile = "cpu"
	two := metadata(&builder.Result{Images: []builder.Image{someImage(), other}})
	for _, profile := range []string{"cpu", "gpu"} {
		if m, ok := two[profile].(map[string]any); !ok || m["containerimage.digest"] != "sha256:aa" {
			t.Errorf("several profiles are not keyed by profile: %v", two)
		}
	}
}
