package publish

import (
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

func TestExports(t *testing.T) {
	epoch := time.Unix(1700000000, 0)
	image := func(more map[string]string) map[string]string {
		attrs := map[string]string{"source-date-epoch": "1700000000", "compression": "zstd", "oci-mediatypes": "true", "annotation.org.example.note": "n"}
		for k, v := range more {
			attrs[k] = v
		}
		return attrs
	}
	const one, two = "registry.example/a:1", "registry.example/a:2"
	for _, test := range []struct {
		name        string
		output      Output
		compression recipe.Compression
		kind        string
		want        map[string]string
	}{
		{"push", Output{Type: "image", Push: true}, "", "image", image(map[string]string{"name": "*", "push": "true"})},
		{"push, with attributes", Output{Type: "image", Push: true, Attrs: map[string]string{"push-by-digest": "true"}}, "", "image",
			image(map[string]string{"name": "*", "push": "true", "push-by-digest": "true"})},
		{"image", Output{Type: "image"}, "", "image", image(nil)},
		{"oci", Output{Type: "oci"}, "", "oci", image(map[string]string{"name": one + "," + two})},
		{"docker", Output{Type: "docker"}, "", "docker", image(map[string]string{"name": one + "," + two, "oci-mediatypes": "false"})},
		{"tar", Output{Type: "tar"}, "", "tar", map[string]string{"source-date-epoch": "1700000000"}},
		{"local", Output{Type: "local", Dir: "out"}, "", "tar", map[string]string{"source-date-epoch": "1700000000"}},
		// The base's layers are gzip: zstd leaves them as they are, everything else is asked for explicitly.
		{"zstd", Output{Type: "image"}, "zstd", "image", image(nil)},
		{"gzip", Output{Type: "image"}, "gzip", "image", image(map[string]string{"compression": "gzip", "force-compression": "true"})},
		{"estargz", Output{Type: "image"}, "estargz", "image", image(map[string]string{"compression": "estargz", "force-compression": "true"})},
		{"uncompressed", Output{Type: "image"}, "uncompressed", "image", image(map[string]string{"compression": "uncompressed", "force-compression": "true"})},
		{"the user's attributes win", Output{Type: "oci", Attrs: map[string]string{"name": "mine"}}, "", "oci", image(map[string]string{"name": "mine"})},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := with(Options{Outputs: []Output{test.output}, Compression: test.compression, Epoch: epoch}, one, two).Entries()
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != 1 || got[0].Type != test.kind {
				t.Errorf("got %+v", got)
			}
			if diff := cmp.Diff(test.want, got[0].Attrs); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// An archive's file is opened when the result is there, for its own profile.
func TestExportOpens(t *testing.T) {
	var opened []string
	open := func(profile string) (io.WriteCloser, error) {
		opened = append(opened, profile)
		return nil, io.ErrClosedPipe
	}
	got, err := with(Options{Outputs: []Output{{Type: OCI, Open: open}}}).Entries()
	if err != nil || opened != nil {
		t.Fatalf("opened %v, %v", opened, err)
	}
	if _, err := got[0].Output(nil); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff([]string{"cpu"}, opened); diff != "" {
		t.Error(diff)
	}
}

func TestExportFaults(t *testing.T) {
	_, err := with(Options{Outputs: pushed}).Entries()
	expect(t, err, fault.Spec, "profile cpu is to be pushed, but has no tag", "--tag")
	_, err = with(Options{Outputs: []Output{{Type: "floppy"}}}).Entries()
	expect(t, err, fault.Usage, `"floppy"`, "image, oci, docker, local, tar")
}

// The tests alone make no image.
func TestOnlyTests(t *testing.T) {
	for want, outputs := range map[bool][][]Output{
		true:  {nil, {{Type: "local"}}, {{Type: "image"}}},
		false: {{{Type: "image", Push: true}}, {{Type: "local"}, {Type: "oci"}}},
	} {
		for _, o := range outputs {
			opts := with(Options{Target: "testing", Outputs: o}, "r.example/a:1")
			entries, err := opts.Entries()
			local := slices.ContainsFunc(o, func(o Output) bool { return o.Type == "local" })
			if opts.OnlyTests() != want || err != nil || want && len(entries) > 0 || !want && local && len(entries) != len(o)-1 {
				t.Errorf("%+v: only tests %t, exports %+v, %v", o, opts.OnlyTests(), entries, err)
			}
		}
	}
	if (Options{Outputs: []Output{{Type: Local}}}).OnlyTests() {
		t.Error("the runtime's directory is taken for reports")
	}
}
