package query

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

func answer(t *testing.T, suite string) string {
	t.Helper()
	data, err := os.ReadFile("testdata/apt/" + suite + ".answer")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

var mergedUsr = []buildlock.Link{
	{Path: "/bin", Target: "usr/bin"}, {Path: "/lib", Target: "usr/lib"}, {Path: "/lib64", Target: "usr/lib64"}, {Path: "/sbin", Target: "usr/sbin"},
	{Path: "/var/lock", Target: "/run/lock"}, {Path: "/var/run", Target: "/run"},
}

// TestParseSystemAnswer reads what apt 2.6 and 3.0 really printed.
func TestParseSystemAnswer(t *testing.T) {
	asked := []string{"libglib2.0-0", "libgomp1", "libx11-6", "zlib1g"}
	for _, test := range []struct {
		suite, dpkg, zlib string
		packages          []string // name version architecture size
	}{
		{"bookworm", "1.21.23", "1:1.2.13.dfsg-1", []string{
			"libbsd0 0.11.7-2 amd64", "libglib2.0-0 2.74.6-2+deb12u9 amd64", "libgomp1 12.2.0-14+deb12u1 amd64", "libx11-6 2:1.8.4-2+deb12u2 amd64",
			"libx11-data 2:1.8.4-2+deb12u2 all", "libxau6 1:1.0.9-1 amd64", "libxcb1 1.15-1 amd64", "libxdmcp6 1:1.1.2-3 amd64",
		}},
		{"trixie", "1.22.22", "1:1.3.dfsg+really1.3.1-1+b1", []string{
			"libatomic1 14.2.0-19 amd64", "libglib2.0-0t64 2.84.4-3~deb13u5 amd64", "libgomp1 14.2.0-19 amd64", "libx11-6 2:1.8.12-1 amd64",
			"libx11-data 2:1.8.12-1 all", "libxau6 1:1.0.11-1 amd64", "libxcb1 1.17.0-2+b1 amd64", "libxdmcp6 1:1.1.5-1 amd64",
		}},
	} {
		t.Run(test.suite, func(t *testing.T) {
			got, err := ParseSystemAnswer(asked, []byte(answer(t, test.suite)))
			if err != nil {
				t.Fatal(err)
			}
			want := buildlock.System{Asked: asked, Distribution: "debian", Suite: test.suite, Architecture: "amd64", Dpkg: test.dpkg, Links: mergedUsr,
				Present: []string{"zlib1g " + test.zlib}, Packages: got.Packages}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			var packages []string
			for _, p := range got.Packages {
				packages = append(packages, p.Name+" "+p.Version+" "+p.Architecture)
				if len(p.SHA256) != 64 || p.Size == 0 || !strings.HasPrefix(p.URL, "http://deb.example/debian/pool/main/") || p.Replaces != "" {
					t.Errorf("%+v", p)
				}
			}
			if diff := cmp.Diff(test.packages, packages); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// edited parses the answer of bookworm after a change.
func edited(t *testing.T, old, new string, asked ...string) (buildlock.System, error) {
	t.Helper()
	text := answer(t, "bookworm")
	changed := strings.Replace(text, old, new, 1)
	if changed == text {
		t.Fatalf("%q is not in the answer", old)
	}
	return ParseSystemAnswer(asked, []byte(changed))
}

// What the base has in another version is marked, also where the architecture became all; another architecture's is not the same package.
func TestReplaces(t *testing.T) {
	const line = "'http://deb.example/debian/pool/main/g/glibc/libc6_2.36-9%2bdeb12u15_amd64.deb' libc6_2.36-9+deb12u15_amd64.deb 2757064 SHA256:ARG\n" +
		"'http://deb.example/debian/pool/main/m/mawk/mawk_2_all.deb' mawk_2_all.deb 7 SHA256:ARG\n" +
		"'http://deb.example/debian/pool/main/t/tool/tool_1_amd64.deb' tool_1_amd64.deb 7 SHA256:ARG\n"
	s, err := edited(t, "@packages\n", "@packages\n"+strings.ReplaceAll(line, "ARG", llbtest.Sum("deb")), "libc6=2.36-9+deb12u15", "tzdata", "tool")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, p := range s.Packages {
		if p.Replaces != "" {
			got[p.Name] = p.Replaces
		}
	}
	if diff := cmp.Diff(map[string]string{"libc6": "2.36-9+deb12u14", "mawk": "1.3.4.20200120-3.1"}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"tzdata 2026b-0+deb12u1"}, s.Present); diff != "" {
		t.Error(diff)
	}
	foreign, err := edited(t, "ii  libc6 2.36-9+deb12u14 amd64", "ii  libgomp1 1 i386\nrc  libbsd0 0.11 amd64", "libgomp1")
	if err != nil || slicesOfReplaced(foreign) != 0 || foreign.Present != nil {
		t.Errorf("%+v, %v", foreign, err)
	}
}

func slicesOfReplaced(s buildlock.System) (n int) {
	for _, p := range s.Packages {
		if p.Replaces != "" {
			n++
		}
	}
	return n
}

func TestRemoves(t *testing.T) {
	s, err := edited(t, "@removed\n", "@removed\nzlib1g 1:1.2.13\nmawk 1.3\n")
	if diff := cmp.Diff([]string{"mawk 1.3", "zlib1g 1:1.2.13"}, s.Removes); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestParseSystemAnswerFaults(t *testing.T) {
	for _, test := range []struct {
		name, old, new string
		code           fault.Code // "" = any error
		message        string
	}{
		{"md5", "SHA256:bb31cc8b40f962a85b2cec970f7f79cc704a1ae4bad24257a822055404b2c60b", "MD5Sum:0123456789abcdef0123456789abcdef", fault.LockHash,
			"the repository gives no sha256 of libbsd0 0.11.7-2"},
		{"no hash", "SHA256:bb31cc8b40f962a85b2cec970f7f79cc704a1ae4bad24257a822055404b2c60b", "", fault.LockHash, "the repository gives no sha256 of libbsd0"},
		{"file", "'http://deb.example/debian/pool/main/libb", "'file:/srv/debian/pool/main/libb", fault.Resolve, "libbsd0 0.11.7-2 comes from file:/srv/debian"},
		{"another architecture", "libbsd0_0.11.7-2_amd64.deb' libbsd0_0.11.7-2_amd64.deb", "libbsd0_0.11.7-2_i386.deb' libbsd0_0.11.7-2_i386.deb", fault.Resolve,
			"libbsd0 0.11.7-2 is for i386, the base is amd64"},
		{"another shape", "libbsd0_0.11.7-2_amd64.deb 117416", "libbsd0.deb 117416", "", "a line that is not understood"},
		{"a bad escape", "libxau6_1%3a1.0.9-1_amd64.deb", "libxau6_1%zz_amd64.deb", "", "a line that is not understood"},
		{"cut short", "@packages", "@pack", "", `no section "packages"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := edited(t, test.old, test.new)
			if err == nil || !strings.Contains(err.Error(), test.message) || test.code != "" && !fault.Is(err, test.code) {
				t.Errorf("got %v", err)
			}
		})
	}
}
