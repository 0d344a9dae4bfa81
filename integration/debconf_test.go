package integration

import (
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/deb/debtest"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// asker is a package that asks for a colour when it is configured.
func asker(repo *testbed.AptRepository) {
	const fields = "Depends: debconf\n"
	deb := debtest.Deb{Package: "asker", Version: "1.0", Architecture: "all", Fields: "Maintainer: testbed\nDescription: of the testbed\n" + fields,
		Control: map[string]string{
			"templates": "Template: asker/colour\nType: select\nChoices: red, blue\nDefault: red\nDescription: Which colour?\n",
			"config":    "#!/bin/sh -e\n. /usr/share/debconf/confmodule\ndb_input high asker/colour || true\ndb_go\n",
			"postinst":  "#!/bin/sh -e\n. /usr/share/debconf/confmodule\ndb_get asker/colour\necho \"$RET\" > /etc/asker\n",
		},
		Entries: debtest.Files(map[string]string{"usr/share/asker/version": "1.0"})}
	repo.Add("asker", "1.0", "all", fields, deb.Build())
}

// TestDebconf: a package's question has its default, or what the project answers, however dpkg comes to run.
func TestDebconf(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	repo := testbed.NewAptRepository(t)
	asker(repo)
	p := packaged(t, "3.11", "")
	system := func(more string) {
		p.packages("3.11", "{runtime: [asker], repositories: [{url: \""+repo.URL+"\", suite: ./, key: key.asc}]"+more+"}")
	}
	p.write("key.asc", string(repo.Key))
	built := func() string {
		req := p.request(p.variant("cpu", tb.Registry.Ref("debconf:1")))
		req.BuildLock = []byte(p.read(buildlock.FileName))
		mustBuild(t, b, req)
		img := readBack(t, tb.Registry, "debconf:1")
		img.checkClean()
		return strings.TrimSpace(img.file("etc/asker"))
	}
	system("")
	p.mustLockSystem(b, builder.LockOptions{})
	if colour := built(); colour != "red" {
		t.Errorf("without an answer it is %q", colour)
	}
	system(", debconf: [asker asker/colour select blue]")
	if _, err := p.planned(b, true); !fault.Is(err, fault.LockStale) {
		t.Errorf("another answer leaves the lock as it is: %v", err)
	}
	if s := p.mustLockSystem(b, builder.LockOptions{}); len(s.Packages) != 1 || s.Packages[0].Handling != buildlock.Dpkg {
		t.Errorf("packages %+v", s.Packages)
	}
	if colour := built(); colour != "blue" {
		t.Errorf("with an answer it is %q", colour)
	}
	system(", strategy: apt, debconf: [asker asker/colour select blue]")
	p.mustLockSystem(b, builder.LockOptions{})
	if colour := built(); colour != "blue" {
		t.Errorf("installed by apt it is %q", colour)
	}
	system(", debconf: [\"askre askre/colour select blue\"]")
	_, err := p.systemLock(b, builder.LockOptions{})
	want{code: fault.Resolve, says: []string{"a question of askre, which is not among the packages"}}.check(t, err)
}
