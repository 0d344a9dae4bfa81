package wheel_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/llb/wheel/wheeltest"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

func TestParseFilename(t *testing.T) {
	got, err := wheel.ParseFilename("/in/0/torch-2.0.0+cu118-1build-cp311.cp312-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl")
	want := wheel.Filename{Name: "torch", Version: "2.0.0+cu118", Build: "1build", Python: []string{"cp311", "cp312"}, ABI: []string{"abi3"},
		Platform: []string{"manylinux_2_17_x86_64", "manylinux2014_x86_64"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, name := range []string{
		"", "demo.whl", "demo-1.0-py3-none.whl", "demo-1.0-py3-none-any.zip", "demo-1.0-x1-py3-none-any.whl", "demo--py3-none-any.whl",
		"-1.0-py3-none-any.whl", "de mo-1.0-py3-none-any.whl", "demo-one-py3-none-any.whl", "demo-1.0+x y-py3-none-any.whl",
		"a-1-1-py3-none-any-x.whl", "..-1.0-py3-none-any.whl",
	} {
		if f, err := wheel.ParseFilename(name); !fault.Is(err, fault.WheelUnsafe) {
			t.Errorf("%q: %+v, %v", name, f, err)
		}
	}
}

// TestSpellings installs wheels whose file name and .dist-info spell name and version in different ways.
func TestSpellings(t *testing.T) {
	for _, c := range []struct {
		name, version, fileName, fileVersion string
		same                                 bool
	}{
		{"Demo.Pkg", "1.0", "demo_pkg", "1.0", true},
		{"demo-pkg", "1.0", "Demo_Pkg", "1.0.0", true},
		{"demo", "1.0-RC.1", "demo", "1rc1", true},
		{"demo", "1.0.alpha2", "demo", "1.0a2", true},
		{"demo", "v1.01", "demo", "1.1", true},
		{"demo", "1.0+Cu.118", "demo", "1.0+cu118", false},
		{"demo", "1.0+Cu118", "demo", "1.0+cu118", true},
		{"demo", "1.0+cu.0118", "demo", "1.0+cu.118", true},
		{"demo", "1.0+ubuntu-1", "demo", "1.0+ubuntu.1", true},
		{"demo", "1!2.0", "demo", "1!2", true},
		{"demo", "1.10.0-dev", "demo", "1.10.0.dev0", true},
		{"demo", "1.0-alpha.post", "demo", "1.0a0.post0", true},
		{"demo", "1.0rc", "demo", "1.0rc0", true},
		{"demo", "1.0.post1", "demo", "1.0_1", true},
		{"demo", "1.0.dev", "demo", "1.0", false},
		{"demo", "1.0.dev1", "demo", "1.0.dev0", false},
		{"demo", "1.0.post1", "demo", "1.0", false},
		{"demo", "1.10", "demo", "1.1", false},
		{"demo", "1.0+cpu", "demo", "1.0", false},
		{"demo2", "1.0", "demo", "1.0", false},
		{"demo", "11", "demo", "1.1", false},
	} {
		t.Run(c.name+" "+c.version, func(t *testing.T) {
			data := wheeltest.Build(c.name, c.version, tag, nil)
			path := writeAs(t, wheeltest.Filename(c.fileName, c.fileVersion, tag), data)
			if !c.same {
				refused(t, path, strictly, "does not belong to "+c.fileName)
				refused(t, path, options, " "+c.fileName+" "+c.fileVersion)
				return
			}
			_, done := install(t, path, options)
			if done.Name != c.name || done.Version != c.version {
				t.Errorf("Installed %+v", done)
			}
		})
	}
}
