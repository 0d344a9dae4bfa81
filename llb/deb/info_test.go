package deb_test

import (
	"archive/tar"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/llb/deb"
	"github.com/mlbuild/mlbuild/llb/deb/debtest"
)

func TestInspect(t *testing.T) {
	fields := "Multi-Arch: same\nInstalled-Size: 12\nDepends: libc6 (>= 2.34),\n libx (= 1)\n"
	got, err := deb.Inspect(write(t, debtest.Deb{
		Suffix: ".gz", Fields: fields,
		Control: map[string]string{
			"postinst": "#!/bin/sh\nset -e\n", "config": "#!/bin/sh\n", "shlibs": "x", "templates": "Template: demo/x\n", "md5sums": "0  etc/demo#1\n",
			"conffiles": "/etc/demo#1\nremove-on-upgrade /etc/old\n", "triggers": "# made by a tool\nactivate-noawait ldconfig\n\n",
		},
		Entries: []debtest.Entry{
			{Name: "./"}, {Name: "./etc/"}, {Name: "./etc/demo#1", Mode: 0o4755, UID: 1, GID: 2, Body: "abc"},
			{Name: "./lib/y", Type: tar.TypeSymlink, Link: "../x"}, {Name: "./lib/z", Type: tar.TypeLink, Link: "./etc/demo#1"},
		},
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := deb.Info{
		Package: "demo", Version: "1.0", Architecture: "amd64", MultiArch: "same", InstalledSize: 12 << 10,
		Control:   "Package: demo\nVersion: 1.0\nArchitecture: amd64\n" + fields,
		Scripts:   map[string]string{"postinst": "#!/bin/sh\nset -e\n", "config": "#!/bin/sh\n"},
		Templates: "Template: demo/x\n", MD5Sums: "0  etc/demo#1\n",
		Conffiles: []string{"/etc/demo#1"}, Triggers: []string{"activate-noawait ldconfig"},
		Files: []deb.File{
			{Path: "/etc", Kind: deb.Folder, Mode: 0o755},
			{Path: "/etc/demo#1", Kind: deb.Regular, Mode: 0o4755, UID: 1, GID: 2, Size: 3},
			{Path: "/lib/y", Kind: deb.Symlink, Mode: 0o777, Link: "../x"},
			{Path: "/lib/z", Kind: deb.Hardlink, Mode: 0o644, Link: "/etc/demo#1"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := got.Field("depends"); got != "libc6 (>= 2.34),\n libx (= 1)" {
		t.Errorf("Depends: %q", got)
	}
	data, err := json.Marshal(got)
	var back deb.Info
	if err == nil {
		err = json.Unmarshal(data, &back)
	}
	if diff := cmp.Diff(got, back); err != nil || diff != "" {
		t.Errorf("through JSON: %v\n%s", err, diff)
	}
}
