package wheel_test

import (
	"archive/zip"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestLook: what the directory and RECORD show of the handmade wheels is what installing them finds, as far as it does not take their contents.
func TestLook(t *testing.T) {
	contents := []string{"its hash is", "METADATA\"", "WHEEL\"", "entry_points", "compression method", "two different programs", "data before", "data after", "in nothing but case"}
	inContents := func(says string) bool {
		return slices.ContainsFunc(contents, func(c string) bool { return strings.Contains(says, c) })
	}
	for _, h := range slices.Concat(withRecord(), withMetadata(), withScripts(), withFiles(t)) {
		t.Run(h.name, func(t *testing.T) {
			path := h.path(t)
			done, want := wheel.Install(newRoot(t), path, options)
			name, listed, record := listing(t, path)
			if listed == nil {
				return // archive/zip refuses it
			}
			flaws, err := wheel.Look(name, listed, record)
			if (err == nil) != (want == nil) && !inContents(want.Error()) || err != nil && !fault.Is(err, fault.WheelUnsafe) {
				t.Errorf("%v, installing it says %v", err, want)
			}
			if want != nil {
				return
			}
			for _, f := range done.Flaws {
				if !slices.Contains(flaws, f) && !inContents(f) && !strings.Contains(f, "lib/python3.11") {
					t.Errorf("nothing is said of %s; said: %q", f, flaws)
				}
			}
		})
	}
}

// listing is what the zip's directory and RECORD say.
func listing(t *testing.T, path string) (name string, listed []wheel.Listed, record []byte) {
	t.Helper()
	r, err := zip.OpenReader(path)
	if err != nil {
		return "", nil, nil
	}
	defer r.Close()
	for _, f := range r.File {
		listed = append(listed, wheel.Listed{Name: f.Name, Size: int64(f.UncompressedSize64), Mode: f.ExternalAttrs >> 16})
		if strings.HasSuffix(f.Name, ".dist-info/RECORD") {
			if in, err := f.Open(); err == nil {
				record, _ = io.ReadAll(in)
			}
		}
	}
	return path[strings.LastIndexByte(path, '/')+1:], listed, record
}

func TestRunsAtStart(t *testing.T) {
	for _, c := range []struct {
		project, file, text string
		want                bool
	}{
		{"coloredlogs", "coloredlogs.pth", coloredlogs, false},
		{"Demo_x", "demo.pth", "import os\n", true},
		{"demo", "demo.pth", "lib\n", false},
		{"demo", "demo/demo.pth", "import os\n", false},
		{"demo", "demo.py", "import os\n", false},
		{"demo", "sitecustomize.py", "", true},
	} {
		if got := wheel.RunsAtStart(c.project, c.file, []byte(c.text)); got != c.want {
			t.Errorf("%s of %s: %t", c.file, c.project, got)
		}
	}
	if !wheel.Allows("Demo.x/demo.pth", "demo-x", "demo.pth") || wheel.Allows("demo", "demo", "demo.pth") {
		t.Error("allowed otherwise")
	}
}
