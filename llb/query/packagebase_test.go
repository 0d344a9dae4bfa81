package query

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/scripts"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestResolutionOfPackageBase: apt runs on the tool image, on the daemon's own platform, and is told of another system.
func TestResolutionOfPackageBase(t *testing.T) {
	r := llbtest.Recipe()
	r.Base = recipe.BaseImage{Kind: "debian", Ref: "debian bookworm", Suite: "bookworm", Interpreter: "/usr/bin/python3.11", Glibc: "2.36"}
	base := ops.NewPackageBase(r, ocispecs.Platform{OS: "linux", Architecture: "amd64"})
	r.System, r.Apt = []string{"libc-bin", "openssl=3"}, recipe.Apt{}
	worker, target := ocispecs.Platform{OS: "linux", Architecture: "amd64"}, ocispecs.Platform{OS: "linux", Architecture: "arm64"}
	def, err := SystemResolution(r, SystemInputs{Base: base, Tool: llbtest.Base(llbtest.OtherRef, 3), Worker: worker, Platform: target})
	if err != nil {
		t.Fatal(err)
	}
	g := llbtest.Decode(t, def)
	v := g.Named("apt: resolve")
	if from := g.Inputs(v)[llbtest.Mount(v, "/").Input]; from.Op.GetSource().GetIdentifier() != "docker-image://"+llbtest.OtherRef || v.Op.Platform.Architecture != "amd64" {
		t.Errorf("apt runs on %s for %s", from.Name, v.Op.Platform.Architecture)
	}
	if id := llbtest.Mount(v, "/var/lib/apt/lists").CacheOpt.ID; !strings.Contains(id, "arm64") {
		t.Errorf("lists in %s", id)
	}
	files := map[string]string{}
	for _, a := range g.Named("what apt is asked").Op.GetFile().Actions {
		if f := a.GetMkfile(); f != nil {
			files[f.Path] = string(f.Data)
		}
	}
	if files["/suite"] != "bookworm" || files["/architecture"] != "arm64" || files["/only"] != "" || files["/run.sh"] != scripts.AptSetup+scripts.AptPackageBase+scripts.AptResolve {
		t.Errorf("suite %q, architecture %q, only %q", files["/suite"], files["/architecture"], files["/only"])
	}
	status := files["/status"]
	if !strings.Contains(status, "Package: mawk\nStatus: install ok installed\nArchitecture: arm64\nVersion: 9999\nProvides: awk\n") || strings.Contains(status, "openssl") {
		t.Errorf("status:\n%s", status)
	}
}

// TestAptPackageBase runs the script on another release's files: its repositories are renamed, others' are left out.
func TestAptPackageBase(t *testing.T) {
	script := scripts.AptSetup + scripts.AptPackageBase
	llbtest.Shell(t, script)
	const sources = "Types: deb\n# a mirror\nURIs: http://deb.example/debian\nSuites: trixie trixie-updates sid\nSigned-By: /x.gpg\n\n" +
		"Types: deb\nURIs: http://deb.example/security\nSuites: trixie-security\n\nTypes: deb\nURIs: http://other.example\nSuites: nodistro\n"
	given := map[string]string{
		"etc/os-release":                        "ID=debian\nVERSION_CODENAME=trixie\n",
		"etc/apt/sources.list":                  "deb [signed-by=/x arch=amd64] http://deb.example/debian trixie main\ndeb http://deb.example/debian trixiee main\ndeb-src http://deb.example/debian trixie main\n",
		"etc/apt/sources.list.d/debian.sources": sources,
		"run/mlbuild/apt/suite":                 "bookworm", "run/mlbuild/apt/architecture": "arm64", "run/mlbuild/apt/status": "Package: dpkg\n",
		"run/mlbuild/apt/mlbuild.sources": "Types: deb\nURIs: https://apt.example\nSuites: ./\n",
	}
	for _, test := range []struct{ only, list, sources string }{
		{"", "deb [signed-by=/x arch=amd64] http://deb.example/debian bookworm main\n",
			"Types: deb\n# a mirror\nURIs: http://deb.example/debian\nSuites: bookworm bookworm-updates\nSigned-By: /x.gpg\n\nTypes: deb\nURIs: http://deb.example/security\nSuites: bookworm-security\n\n"},
		{"1", "", ""},
	} {
		root := t.TempDir()
		llbtest.Put(t, root, given)
		if test.only != "" {
			llbtest.Put(t, root, map[string]string{"run/mlbuild/apt/only": test.only})
		}
		if out := llbtest.Sandbox(t, root, script, nil); out != "" {
			t.Errorf("it says %s", out)
		}
		etc := filepath.Join(root, "tmp/mlbuild-apt")
		want := map[string]string{"sources.list": test.list, "sources.list.d/debian.sources": test.sources, "sources.list.d/mlbuild.sources": given["run/mlbuild/apt/mlbuild.sources"]}
		for name, text := range want {
			if diff := cmp.Diff(text, llbtest.ReadFile(t, etc, name)); diff != "" {
				t.Errorf("only %q, %s:\n%s", test.only, name, diff)
			}
		}
		conf := llbtest.ReadFile(t, root, "tmp/mlbuild-apt.conf")
		if !strings.Contains(conf, `APT::Architecture "arm64";`) || !strings.Contains(conf, `Dir::State::status "`+root+`/run/mlbuild/apt/status";`) {
			t.Errorf("apt.conf:\n%s", conf)
		}
	}
}
