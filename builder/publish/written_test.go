package publish

import (
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	bkclient "github.com/moby/buildkit/client"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
func (f failing) Close() error              { return nil }

// TestWritten: what cannot be written here is a fault of the output, with its own words where it has some; what BuildKit's client closes itself is none.
func TestWritten(t *testing.T) {
	for _, test := range []struct {
		err  error
		says string // "" = no fault
	}{
		{&os.PathError{Op: "write", Path: "/small/.a.tar.1", Err: syscall.ENOSPC}, "no space left on device"},
		{fault.New(fault.Output, "cannot write /small/a.tar: no space left on device"), "cannot write /small/a.tar"},
		{io.ErrClosedPipe, ""},
		{nil, ""},
	} {
		var w Written
		e := w.watching(bkclient.ExportEntry{Output: func(map[string]string) (io.WriteCloser, error) { return failing{test.err}, nil }})
		f, err := e.Output(nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = f.Write([]byte("x"))
		_ = f.Close()
		switch got := w.Err(); {
		case test.says == "" && got != nil, test.says != "" && (!fault.Is(got, fault.Output) || !strings.Contains(got.Error(), test.says)):
			t.Errorf("%v: %v", test.err, got)
		}
	}
	if e := (*Written)(nil).watching(bkclient.ExportEntry{Output: func(map[string]string) (io.WriteCloser, error) { return failing{}, nil }}); e.Output == nil {
		t.Error("where nobody notes it, nothing is written")
	}
}

// TestInsecureRegistry: the attribute holds for the caches beside the image too, and takes away no layer that can be reused.
func TestInsecureRegistry(t *testing.T) {
	o := Options{Profile: "cpu", Tags: []string{"registry.lan:5000/a:1"}, Outputs: []Output{{Type: Image, Push: true, Attrs: map[string]string{insecureAttr: "true"}}}}
	if got := o.Insecure(); len(got) != 1 || got[0] != "registry.lan:5000" {
		t.Errorf("insecure: %q", got)
	}
	if !o.usualLayers() {
		t.Error("other layers than usual")
	}
	for _, c := range append(o.CacheTargets(), o.withOwn(o.OwnCaches())...) {
		if c.Attrs[insecureAttr] != "true" {
			t.Errorf("the cache %v", c)
		}
	}
	for _, attrs := range []map[string]string{{insecureAttr: "false"}, {}, {insecureAttr: "perhaps"}} {
		o.Outputs[0].Attrs = attrs
		if len(o.Insecure()) != 0 || o.CacheTargets()[0].Attrs[insecureAttr] != "" {
			t.Errorf("%v is insecure", attrs)
		}
	}
	o.Outputs[0].Attrs = map[string]string{insecureAttr: "true", "compression-level": "3"}
	if o.usualLayers() {
		t.Error("the layers are usual")
	}
}
