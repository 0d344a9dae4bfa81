package integration

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/deb/debtest"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
)

// TestTriggersOfTheBase: the base has a package that wants to run when others bring files into a directory. One that does goes the way of dpkg, which runs
// it; another one is a layer, which dpkg knows while it configures a third, and not afterwards.
func TestTriggersOfTheBase(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	watcher := debtest.Deb{Package: "watcher", Architecture: "all", Suffix: ".gz", Fields: "Maintainer: testbed\nDescription: of the testbed\n",
		Control: map[string]string{
			"triggers": "interest-noawait /usr/share/watched\n",
			"postinst": "#!/bin/sh\nset -e\nif [ \"$1\" = triggered ]; then ls /usr/share/watched > /usr/share/watcher-saw; fi\n",
		}}
	base := tb.Registry.Ref("watching/python:1")
	install := "echo " + base64.StdEncoding.EncodeToString(watcher.Build()) + " | base64 -d > /tmp/watcher.deb\ndpkg -i /tmp/watcher.deb\n"
	if err := tb.Daemon.PushRun(t.Context(), "docker.io/library/python:3.11-slim", install, base); err != nil {
		t.Fatal(err)
	}
	repo := testbed.NewAptRepository(t)
	addDeb(repo, "watched", "1.0", "all", "")
	addDeb(repo, "other", "1.0", "all", "")
	asker := debtest.Deb{Package: "asker", Architecture: "all", Suffix: ".gz", Fields: "Maintainer: testbed\nDescription: of the testbed\n", Control: map[string]string{
		"postinst": "#!/bin/sh\nset -e\ndpkg-query -W -f='${Status} ${Version}' other > /usr/share/asker-saw\n"}}
	repo.Add("asker", "1.0", "all", "", asker.Build())
	p := packaged(t, "3.11", "{runtime: [watched, other, asker], repositories: [{url: \""+repo.URL+"\", suite: ./, key: team.asc}]}")
	p.write("team.asc", string(repo.Key))
	p.onPackages("{image: \"" + base + "\", interpreter: /usr/bin/python3.11}")
	s := p.mustLockSystem(b, builder.LockOptions{})
	if namesOf(s) != "asker 1.0, other 1.0, watched 1.0" || s.Packages[1].Handling != buildlock.Layer || s.Packages[2].Handling != buildlock.Dpkg ||
		s.Packages[2].Reason != "watcher of the base has to look at /usr/share/watched/version" {
		t.Errorf("packages %+v", s.Packages)
	}
	mustBuild(t, b, p.systemRequest(tb.Registry.Ref("watching:1.0")))
	img := readBack(t, tb.Registry, "watching:1.0")
	if saw := img.file("usr/share/watcher-saw"); saw != "version\n" {
		t.Errorf("the base's package saw %q", saw)
	}
	if saw := img.file("usr/share/asker-saw"); saw != "install ok installed 1.0" {
		t.Errorf("a package asked dpkg for one that is a layer, and heard %q", saw)
	}
	status := img.file("var/lib/dpkg/status")
	if strings.Contains(status, "Package: other\n") || strings.Contains(status, "Mlbuild-Layer") || !strings.Contains(status, "\nPackage: asker\n") {
		t.Errorf("dpkg knows after the build: %s", status)
	}
}
