package integration

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/llb/deb/debtest"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// hostile is a package that must not get into an image. Its repository lists it as one for amd64 and signs that.
type hostile struct {
	name string
	deb  debtest.Deb
	code fault.Code
	says []string
	hint string
	late bool // shows when it is laid down, not when its scripts are read
}

func hostiles() []hostile {
	const never = "a package like this should not be installed"
	link := debtest.Entry{Name: "./usr/share/out", Type: tar.TypeSymlink, Link: "../../etc"}
	return []hostile{
		{"leaves-root", debtest.Deb{Entries: []debtest.Entry{{Name: "../../etc/cron.d/slip", Body: "* * * * * root id\n"}}}, fault.DebUnsafe,
			[]string{"leaves-root_1.0_amd64.deb", `"../../etc/cron.d/slip"`, "the path leaves the package"}, never, false},
		{"leaves-later", debtest.Deb{Entries: []debtest.Entry{{Name: "./usr/../../x", Body: "x"}}}, fault.DebUnsafe,
			[]string{`"./usr/../../x"`, "the path leaves the package"}, never, false},
		{"absolute-path", debtest.Deb{Entries: []debtest.Entry{{Name: "/etc/shadow", Body: "root::1::::::\n"}}}, fault.DebUnsafe,
			[]string{`"/etc/shadow"`, "the path is absolute"}, never, false},
		{"has-device", debtest.Deb{Entries: []debtest.Entry{{Name: "./dev/sda", Type: tar.TypeBlock}}}, fault.DebUnsafe, []string{`"./dev/sda"`, "device nodes"}, never, false},
		{"through-link", debtest.Deb{Entries: []debtest.Entry{link, {Name: "./usr/share/out/cron.d/slip", Body: "x"}}}, fault.DebUnsafe,
			[]string{`"usr/share/out/cron.d/slip"`, "the path goes through the symbolic link /usr/share/out"}, never, true},
		{"other-machine", debtest.Deb{Architecture: "arm64", Entries: debtest.Files(map[string]string{"usr/bin/evil": "arm"})}, fault.Deb,
			[]string{"other-machine 1.0 is for arm64, the image for amd64"}, "mlbuild lock --upgrade system", false},
	}
}

// TestHostilePackages: no build takes them, though the lock promises their hash, and nothing is pushed. mlbuild lock tells all that it can see at once.
func TestHostilePackages(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	repo := testbed.NewAptRepository(t)
	from := func(packages string) string {
		return "{runtime: [" + packages + "], repositories: [{url: \"" + repo.URL + "\", suite: ./, key: team.asc}]}"
	}
	addDeb(repo, "harmless", "1.0", "amd64", "")
	p := packaged(t, "3.11", from("harmless"))
	p.write("team.asc", string(repo.Key))
	good, err := p.systemLock(b, builder.LockOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	tb.Registry.Reset()
	for _, h := range hostiles() {
		h.deb.Package = h.name
		deb := h.deb.Build()
		repo.Add(h.name, "1.0", "amd64", "", deb)
		names = append(names, h.name)
		t.Run(h.name, func(t *testing.T) {
			sum := sha256.Sum256(deb)
			p.packages("3.11", from(h.name))
			req := p.systemRequest(tb.Registry.Ref("hostile:1.0"))
			inputs := good.Lock.Systems[0].Inputs
			req.BuildLock = []byte(strings.NewReplacer("harmless", h.name, good.Lock.Systems[0].Packages[0].SHA256, hex.EncodeToString(sum[:]),
				inputs, req.Variants[0].Recipes[0].Apt.Inputs).Replace(string(good.Data)))
			want{code: h.code, says: h.says, hints: []string{h.hint}}.check(t, p.attempt(b, req))
		})
	}
	t.Run("all of them, without a lock", func(t *testing.T) {
		p.packages("3.11", from(strings.Join(names, ", ")))
		req := p.systemRequest(tb.Registry.Ref("hostile:1.0"))
		req.BuildLock, req.Locked = nil, false
		_, locking := b.LockBuild(t.Context(), req, builder.LockOptions{})
		for _, err := range []error{locking, p.attempt(b, req)} {
			for _, h := range hostiles() {
				if told := err != nil && strings.Contains(err.Error(), h.says[0]); told == h.late {
					t.Errorf("%s is told: %t\n%v", h.name, told, err)
				}
			}
		}
	})
	for _, a := range tb.Registry.Log() {
		if strings.HasPrefix(a.Path, "/v2/hostile/") && a.Method != http.MethodGet && a.Method != http.MethodHead {
			t.Errorf("something was pushed: %s %s", a.Method, a.Path)
		}
	}
}

// TestChangedAfterSigning: what the server sends is not what the lists promise, or is another package.
func TestChangedAfterSigning(t *testing.T) {
	b := connect(t, testbed.Shared(t).Daemon.Addr())
	repo := testbed.NewAptRepository(t)
	addDeb(repo, "sample-tool", "1.0", "all", "")
	repo.Tamper("sample-tool", "1.0", "all", debtest.Deb{Package: "sample-tool", Architecture: "all", Entries: debtest.Files(map[string]string{"usr/bin/worm": "worm"})}.Build())
	repo.Add("masked", "1.0", "all", "", debtest.Deb{Package: "libc6", Architecture: "all", Entries: debtest.Files(map[string]string{"usr/bin/worm": "worm"})}.Build())
	for name, want := range map[string]want{
		"sample-tool": {code: fault.Digest, says: []string{repo.URL, "sample-tool_1.0_all.deb has changed"}, hints: []string{"mlbuild lock --upgrade system"}},
		"masked":      {code: fault.DebUnsafe, says: []string{"masked_1.0_all.deb", "another package"}, hints: []string{"should not be installed"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := packaged(t, "3.11", "{runtime: ["+name+"], repositories: [{url: \""+repo.URL+"\", suite: ./, key: team.asc}]}")
			p.write("team.asc", string(repo.Key))
			_, err := p.systemLock(b, builder.LockOptions{})
			want.check(t, err)
		})
	}
}
