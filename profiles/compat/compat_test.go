package compat

import (
	"encoding/json"
	"flag"
	"os"
	"slices"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite compat.json from compat.yaml")

// TestTablesAreTheYAML: the embedded tables are those of compat.yaml, the file that people edit.
func TestTablesAreTheYAML(t *testing.T) {
	text, err := os.ReadFile("compat.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want, got := &Tables{}, &Tables{}
	if err := yaml.UnmarshalWithOptions(text, want, yaml.Strict()); err != nil {
		t.Fatalf("compat.yaml: %v", err)
	}
	if *update {
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("compat.json", append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		compatData = data
	}
	if err := json.Unmarshal(compatData, got); err != nil {
		t.Fatalf("compat.json: %v", err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("compat.json is not compat.yaml; run make generate, or go generate ./profiles/compat alone (-yaml +json):\n%s", d)
	}
}

// TestTablesAreWellFormed: the program's tables are such as it would take, and have their rows.
func TestTablesAreWellFormed(t *testing.T) {
	tables, err := Read("compat.yaml", Text)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range tables.Frameworks.Named("torch").Releases {
		if !slices.Contains(row.Builds, CUDATag(row.CUDA)) {
			t.Errorf("the row of torch %s contradicts itself: %+v", row.Version, row)
		}
	}
	for _, row := range tables.Frameworks.Named("tensorflow").Releases {
		if row.CUDA == "" || row.CuDNN == "" {
			t.Errorf("the row of TensorFlow %s is incomplete", row.Version)
		}
	}
	torch, tensorFlow := len(tables.Frameworks.Named("torch").Releases), len(tables.Frameworks.Named("tensorflow").Releases)
	if torch < 15 || tensorFlow < 18 {
		t.Errorf("rows are missing: %d of torch, %d of TensorFlow", torch, tensorFlow)
	}
}

func TestCUDATags(t *testing.T) {
	for cuda, tag := range map[string]string{"12.6": "cu126", "13.0": "cu130", "11.8": "cu118", "12.6.3": "cu126"} {
		if got := CUDATag(cuda); got != tag {
			t.Errorf("CUDATag(%s) = %s, want %s", cuda, got, tag)
		}
	}
	for _, bad := range []string{"cpu", "cu", "cu12", "126", "cux26", "rocm63"} {
		if got := CUDAOfTag(bad); got != "" {
			t.Errorf("CUDAOfTag(%s) = %s, want nothing", bad, got)
		}
	}
}

func TestMinDriver(t *testing.T) {
	for _, c := range []struct {
		cuda, driver string
		known        bool
	}{
		{"11.0", "450.36.06", true}, {"11.8", "450.80.02", true}, {"12", "525.60.13", true}, {"12.9", "525.60.13", true},
		{"13.2", "580", true}, {"13.4", "580", false}, {"10.2", "", false},
	} {
		if driver, known := MinDriver(c.cuda); driver != c.driver || known != c.known {
			t.Errorf("MinDriver(%s) = %s, %v, want %s, %v", c.cuda, driver, known, c.driver, c.known)
		}
	}
}

func TestNvidiaImage(t *testing.T) {
	for _, c := range []struct {
		cuda, flavor, ubuntu, want string
		ok                         bool
	}{
		{"11.8", "cudnn-runtime", "22.04", "docker.io/nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04", true},
		{"12.0", "base", "", "docker.io/nvidia/cuda:12.0.1-base-ubuntu22.04", true},
		{"12.3", "cudnn-devel", "", "docker.io/nvidia/cuda:12.3.2-cudnn9-devel-ubuntu22.04", true},
		{"12.6", "cudnn-runtime", "", "docker.io/nvidia/cuda:12.6.3-cudnn-runtime-ubuntu24.04", true},
		{"12.6.1", "runtime", "20.04", "docker.io/nvidia/cuda:12.6.1-runtime-ubuntu20.04", true},
		{"13.3", "devel", "26.04", "docker.io/nvidia/cuda:13.3.1-devel-ubuntu26.04", true},
		{"12.5", "base", "24.04", "docker.io/nvidia/cuda:12.5.1-base-ubuntu24.04", false},
		{"12.7", "base", "", "", false},
	} {
		if got, ok := NvidiaImage(c.cuda, c.flavor, c.ubuntu); got != c.want || ok != c.ok {
			t.Errorf("NvidiaImage(%s, %s, %s) = %s, %v, want %s, %v", c.cuda, c.flavor, c.ubuntu, got, ok, c.want, c.ok)
		}
	}
}

func TestGPUFloor(t *testing.T) {
	if torch, tag, _, ok := GPUFloor("12.0"); torch != "2.7.0" || tag != "cu128" || !ok {
		t.Errorf("GPUFloor(12.0) = %s, %s, %v", torch, tag, ok)
	}
	if _, _, _, ok := GPUFloor("42.0"); ok {
		t.Error("an unknown GPU must not be known")
	}
}

func TestGlibcOf(t *testing.T) {
	for _, c := range []struct {
		ref, history, env string
		glibc             string
		musl, known       bool
	}{
		{"python:3.11-slim-bookworm", "", "", "2.36", false, true},
		{"docker.io/library/python:3.13-trixie", "", "", "2.41", false, true},
		{"python:3.11-slim", "# debian.sh --arch 'amd64' out/ 'bookworm' '@1757289600'", "", "2.36", false, true},
		{"python:3.11-slim", "", "PATH=/bin", "", false, false},
		{"nvidia/cuda:12.6.3-base-ubuntu22.04", "", "", "2.35", false, true},
		{"ubuntu:24.04", "", "", "2.39", false, true},
		{"ubuntu:latest", "LABEL org.opencontainers.image.version=20.04", "", "2.31", false, true},
		{"debian:12-slim", "", "", "2.36", false, true},
		{"registry.access.redhat.com/ubi9:9.5", "", "", "2.34", false, true},
		{"python:3.12-alpine3.20", "", "", "", true, true},
		{"alpine:3", "", "", "", true, true},
		{"own:1", "", "ALPINE_VERSION=3.20", "", true, true},
		{"alpinelinux-docs/app:1", "", "", "", false, false},
		{"registry.example/noble/app:1", "", "", "", false, false},
	} {
		glibc, musl, known := GlibcOf(c.ref, []string{"CMD", c.history}, []string{c.env})
		if glibc != c.glibc || musl != c.musl || known != c.known {
			t.Errorf("GlibcOf(%s, %q, %q) = %q, %v, %v, want %q, %v, %v", c.ref, c.history, c.env, glibc, musl, known, c.glibc, c.musl, c.known)
		}
	}
}
