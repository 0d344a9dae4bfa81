package script

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/llb/deb"
)

func TestWatched(t *testing.T) {
	watches := Watches("/usr/share/glib-2.0/schemas libglib2.0-0:amd64/noawait\n/usr/lib/with space some-package\n/usr/share/man man-db/noawait\nnonsense\n\n")
	want := []Watch{{"/usr/share/glib-2.0/schemas", "libglib2.0-0"}, {"/usr/lib/with space", "some-package"}}
	if d := cmp.Diff(want, watches); d != "" {
		t.Error(d)
	}
	for path, want := range map[string]string{
		"/usr/share/glib-2.0/schemas/x.gschema.xml": "libglib2.0-0 of the base has to look at /usr/share/glib-2.0/schemas/x.gschema.xml",
		"/usr/lib/with space":                       "some-package of the base has to look at /usr/lib/with space",
		"/usr/share/glib-2.0/schemas-of-others":     "",
		"/usr/share/man/man1/x.1":                   "",
	} {
		info := deb.Info{Files: []deb.File{{Path: "/usr/share/glib-2.0/schemas", Kind: deb.Folder}, {Path: path, Kind: deb.Regular}}}
		if got := Watched(watches, info); got != want {
			t.Errorf("%s: %q", path, got)
		}
	}
}
