package integration

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/integration/testbed"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestSystemFaults asks the real apt of both releases for what it cannot give.
func TestSystemFaults(t *testing.T) {
	b := connect(t, testbed.Shared(t).Daemon.Addr())
	repo, other, unsigned := testbed.NewAptRepository(t), testbed.NewAptRepository(t), testbed.NewAptRepository(t)
	unsigned.Unsign()
	addDeb(repo, "sample-tool", "1.0", "all", "")
	addDeb(repo, "clash", "1.0", "all", "Depends: libc6 (<< 1)\n")
	addDeb(repo, "grabby", "1.0", "all", "Conflicts: mawk\nProvides: awk\n")
	closed := testbed.NewServer(t, http.NotFoundHandler())
	from := func(packages, url, key string) string {
		return "{runtime: [" + packages + "], repositories: [{url: \"" + url + "\", suite: ./" + key + "}]}"
	}
	const key = ", key: team.asc"
	for _, test := range []struct {
		name, system string
		want         want
	}{
		{"unknown package", "{runtime: [libgopm1, libgl1]}", want{code: fault.Resolve, says: []string{"have no package libgopm1"}, hints: []string{"did you mean libgomp1", "system.repositories"}}},
		{"version gone", "{runtime: [\"libgomp1=4.0\"]}", want{code: fault.Resolve, says: []string{"do not have libgomp1 in version 4.0"}, hints: []string{"they have 1", "write libgomp1=1"}}},
		{"unmet dependency", from("clash", repo.URL, key), want{code: fault.Resolve, says: []string{"do not fit together with the base docker.io/library/python:", "clash : Depends: libc6 (< 1)"}}},
		{"conflict with the base", from("grabby", repo.URL, key), want{code: fault.Resolve, says: []string{"conflict with the base", "apt would remove mawk 1.3"}, hints: []string{"strategy: apt"}}},
		{"unsigned repository", from("sample-tool", unsigned.URL, ""), want{code: fault.Index, says: []string{"is not signed", unsigned.URL}, hints: []string{"have it signed"}}},
		{"missing key", from("sample-tool", repo.URL, ""), want{code: fault.Index, says: []string{"a key that is not trusted", repo.URL}, hints: []string{"system.repositories, key"}}},
		{"key of another", from("sample-tool", repo.URL, ", key: other.asc"), want{code: fault.Index, says: []string{"a key that is not trusted", repo.URL}}},
		{"key at a URL that is gone", from("sample-tool", repo.URL, ", key: {url: \""+repo.URL+"/none.asc\", sha256: "+strings.Repeat("a", 64)+"}"),
			want{code: fault.Digest, says: []string{"the key of the repository " + repo.URL}}},
		{"no repository", from("sample-tool", closed+"/none", key), want{code: fault.Index, says: []string{"has no Release file", closed}}},
		{"no network", from("sample-tool", "http://127.0.0.1:1/debian", key), want{code: fault.Index, says: []string{"does not answer", "http://127.0.0.1:1/debian"}, retry: true}},
	} {
		for _, python := range []string{"3.11", "3.13"} {
			t.Run(test.name+" on Python "+python, func(t *testing.T) {
				p := packaged(t, python, test.system)
				p.write("team.asc", string(repo.Key))
				p.write("other.asc", string(other.Key))
				_, err := p.systemLock(b, builder.LockOptions{})
				test.want.check(t, err)
				_, err = p.planned(b, false)
				test.want.check(t, err)
			})
		}
	}
}

// TestBaseWithoutApt asks for packages on an image that has no shell.
func TestBaseWithoutApt(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	ref := tb.Registry.Ref("test/distroless:1")
	tinyBase(t, ref, nil)
	p := based(t, ref)
	yaml, err := os.ReadFile(filepath.Join(p.dir, "mlbuild.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	p.write("mlbuild.yaml", string(yaml)+"system: {runtime: [libgomp1]}\n")
	_, err = p.systemLock(b, builder.LockOptions{})
	want{code: fault.Base, says: []string{"the base " + ref + " has no apt"}, hints: []string{"Debian or Ubuntu"}}.check(t, err)
}

// TestRepositoryKeys takes the key from a file, binary or armoured, and from a URL.
func TestRepositoryKeys(t *testing.T) {
	b := connect(t, testbed.Shared(t).Daemon.Addr())
	repo := testbed.NewAptRepository(t)
	addDeb(repo, "sample-tool", "1.0", "all", "")
	sum := sha256.Sum256(repo.Key)
	for name, key := range map[string]string{
		"armoured file": "team.asc",
		"binary file":   "{file: team.gpg}",
		"URL":           "{url: \"" + repo.URL + "/key.asc\", sha256: " + hex.EncodeToString(sum[:]) + "}",
	} {
		t.Run(name, func(t *testing.T) {
			p := packaged(t, "3.13", "{runtime: [sample-tool], repositories: [{url: \""+repo.URL+"\", suite: ./, key: "+key+"}]}")
			p.write("team.asc", string(repo.Key))
			p.write("team.gpg", string(repo.BinaryKey))
			if s := p.mustLockSystem(b, builder.LockOptions{}); namesOf(s) != "sample-tool 1.0" {
				t.Errorf("packages %s", namesOf(s))
			}
		})
	}
}

// TestSystemDownloads builds from locks whose packages their repository does not have any more, or has with other bytes.
func TestSystemDownloads(t *testing.T) {
	b := connect(t, testbed.Shared(t).Daemon.Addr())
	repo := testbed.NewAptRepository(t)
	addDeb(repo, "sample-tool", "1.0", "all", "")
	p := packaged(t, "3.11", "{runtime: [sample-tool], repositories: [{url: \""+repo.URL+"\", suite: ./, key: team.asc}]}")
	p.write("team.asc", string(repo.Key))
	locked, err := p.systemLock(b, builder.LockOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pkg := locked.Lock.Systems[0].Packages[0]
	for _, test := range []struct {
		name, old, new string
		want           want
	}{
		{"gone", "_1.0_all.deb", "_0.9_all.deb", want{code: fault.Download, says: []string{"sample-tool_0.9_all.deb", "answers 404"}, hints: []string{"mlbuild lock --upgrade system", "system.snapshot"}}},
		{"replaced", "_1.0_all.deb", "_1.0_all.deb", want{code: fault.Digest, says: []string{"sample-tool_1.0_all.deb has changed", "sha256:" + pkg.SHA256}, hints: []string{"mlbuild lock --upgrade system"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			sum := sha256.Sum256([]byte(test.name + repo.URL)) // no daemon has such a file
			text := strings.ReplaceAll(string(locked.Data), test.old, test.new)
			req := p.quiet(p.variant("cpu"))
			req.BuildLock = []byte(strings.ReplaceAll(text, pkg.SHA256, hex.EncodeToString(sum[:])))
			test.want.check(t, p.attempt(b, req))
		})
	}
}
