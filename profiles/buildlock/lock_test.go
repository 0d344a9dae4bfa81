package buildlock

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	bookworm = "docker.io/library/python:3.11-slim"
	trixie   = "docker.io/library/python:3.13-slim"
)

func sum(digit string) string { return strings.Repeat(digit, 64) }

func gomp(version string) Package {
	return Package{Name: "libgomp1", Version: version, Architecture: "amd64", Size: 115772, SHA256: sum("a"),
		URL: "http://deb.example/debian/pool/main/g/gcc-12/libgomp1_" + strings.ReplaceAll(version, "+", "%2b") + "_amd64.deb"}
}

// list is what apt answered for one package on a base.
func list(image, platform, inputs string, asked ...string) System {
	return System{
		Image: image, Digest: "sha256:" + sum("1"), Platform: platform, Inputs: sum(inputs), Asked: asked,
		Distribution: "debian", Suite: "bookworm", Architecture: strings.TrimPrefix(platform, "linux/"), Dpkg: "1.21.22",
		Links: []Link{{"/bin", "usr/bin"}, {"/lib", "usr/lib"}, {"/lib64", "usr/lib64"}, {"/sbin", "usr/sbin"}, {"/var/lock", "/run/lock"}, {"/var/run", "/run"}},
	}
}

// sample is a lock of two profiles on one base and one on another.
func sample() *Lock {
	l := &Lock{}
	l.PutImage("gpu", trixie, "sha256:"+sum("2"))
	l.PutImage("cpu", bookworm, "sha256:"+sum("1"))
	l.PutImage("test", bookworm, "sha256:"+sum("1"))
	s := list(bookworm, "linux/amd64", "b", "libgomp1", "mawk", "zlib1g")
	libc := Package{Name: "libc6", Version: "2.36-9+deb12u13", Architecture: "amd64", Size: 2757064, SHA256: sum("c"),
		URL: "http://deb.example/debian/pool/main/g/glibc/libc6_2.36-9%2bdeb12u13_amd64.deb", Replaces: "2.36-9+deb12u10",
		Handling: Dpkg, Reason: "replaces the base's own 2.36-9+deb12u10"}
	s.Packages = []Package{gomp("12.2.0-14+deb12u1"), libc}
	s.Present, s.Removes = []string{"zlib1g 1:1.2.13.dfsg-1"}, []string{"original-awk 2022-09-12-1"}
	l.PutSystem("test", s)
	l.PutSystem("cpu", s)
	return l
}

func TestMarshal(t *testing.T) {
	want, err := os.ReadFile("testdata/mlbuild.lock")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(sample().Marshal())); diff != "" {
		t.Error(diff)
	}
	back, err := Parse(FileName, want)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), back); diff != "" {
		t.Error(diff)
	}
	if again := string(back.Marshal()); again != string(want) {
		t.Error("what was read is written differently")
	}
}

// A long list has an element a line.
func TestMarshalLongLists(t *testing.T) {
	s := list(bookworm, "linux/amd64", "b")
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		s.Asked = append(s.Asked, "lib"+strings.Repeat(name, 25))
	}
	l := &Lock{}
	l.PutSystem("cpu", s)
	text := string(l.Marshal())
	if !strings.Contains(text, "asked = [\n  \"libaaaaaaaaaaaaaaaaaaaaaaaaa\",\n") {
		t.Error(text)
	}
	if back, err := Parse(FileName, []byte(text)); err != nil || len(back.Systems[0].Asked) != 5 {
		t.Errorf("%v, %v", back, err)
	}
}

func TestLookup(t *testing.T) {
	fits := Question{Profile: "cpu", Image: bookworm, Digest: "sha256:" + sum("1"), Platform: "linux/amd64", Inputs: sum("b"), Asked: []string{"libgomp1", "mawk", "zlib1g"}}
	for _, test := range []struct {
		name   string
		change func(*Question)
		reason string
	}{
		{"fits", func(*Question) {}, ""},
		{"another profile with the same question", func(q *Question) { q.Profile = "dev" }, ""},
		{"any digest", func(q *Question) { q.Digest = "" }, ""},
		{"another digest", func(q *Question) { q.Digest = "sha256:" + sum("2") }, "the base " + bookworm + " is another one since"},
		{"another base", func(q *Question) { q.Image = trixie }, "the base is " + trixie + ", it is for " + bookworm},
		{"another platform", func(q *Question) { q.Platform = "linux/arm64" }, "it is for linux/amd64, not for linux/arm64"},
		{"more packages", func(q *Question) { q.Inputs, q.Asked = sum("f"), []string{"git", "libgomp1", "mawk", "zlib1g"} }, "it lacks git"},
		{"fewer packages", func(q *Question) { q.Inputs, q.Asked = sum("f"), []string{"libgomp1", "mawk"} }, "zlib1g is not asked for any more"},
		{"another repository", func(q *Question) { q.Inputs = sum("f") }, "the repositories changed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			q := fits
			test.change(&q)
			s, reason := sample().Lookup(q)
			if reason != test.reason || (s != nil) != (reason == "") {
				t.Errorf("got %v, %q", s, reason)
			}
		})
	}
	var none *Lock
	if s, reason := none.Lookup(fits); s != nil || reason != "there is none" || none.Digest(bookworm) != "" || none.Earlier(fits) != nil {
		t.Errorf("a missing lock: %v, %q", s, reason)
	}
	if _, reason := (&Lock{}).Lookup(fits); reason != "it has no system packages" {
		t.Errorf("an empty lock: %q", reason)
	}
}

func TestPut(t *testing.T) {
	l := sample()
	l.PutSystem("test", list(bookworm, "linux/arm64", "b", "libgomp1"))
	if len(l.Systems) != 2 || cmp.Diff([]string{"cpu", "test"}, l.Systems[0].Profiles) != "" {
		t.Errorf("another platform: %+v", l.Systems)
	}
	l.PutSystem("test", list(bookworm, "linux/amd64", "d", "git"))
	if len(l.Systems) != 3 || cmp.Diff([]string{"cpu"}, l.Systems[0].Profiles) != "" {
		t.Errorf("another question: %+v", l.Systems)
	}
	l.DropSystem("cpu", "linux/amd64")
	if len(l.Systems) != 2 || l.Systems[0].Inputs != sum("d") {
		t.Errorf("nobody wants the first list: %+v", l.Systems)
	}
	l.PutImage("gpu", bookworm, "sha256:"+sum("9"))
	if len(l.Images) != 2 {
		t.Errorf("a profile may need several images: %+v", l.Images)
	}
	l.KeepImages("gpu", []string{bookworm})
	if want := []Image{{bookworm, "sha256:" + sum("9"), []string{"cpu", "gpu", "test"}}}; cmp.Diff(want, l.Images) != "" {
		t.Error(cmp.Diff(want, l.Images))
	}
	l.Keep([]string{"cpu"})
	if len(l.Systems) != 0 || cmp.Diff([]string{"cpu"}, l.Images[0].Profiles) != "" {
		t.Errorf("profiles that are gone: %+v", l)
	}
	if e := sample().Earlier(Question{Profile: "cpu", Image: bookworm, Platform: "linux/amd64", Inputs: sum("0")}); e == nil || e.Inputs != sum("b") {
		t.Errorf("earlier %+v", e)
	}
}

func TestClone(t *testing.T) {
	l := sample()
	before := string(l.Marshal())
	c := l.Clone()
	c.PutImage("cpu", trixie, "sha256:"+sum("7"))
	c.KeepImages("cpu", []string{trixie})
	c.DropSystem("cpu", "linux/amd64")
	c.Keep(nil)
	if string(l.Marshal()) != before {
		t.Error("changing a copy changes the original")
	}
}

func TestLeads(t *testing.T) {
	for _, test := range []struct{ path, target, want string }{
		{"/bin", "usr/bin", "/usr/bin"}, {"/var/run", "/run", "/run"}, {"/var/lock", "../run/lock", "/run/lock"}, {"/lib", "../../x", "/x"},
	} {
		if got := (Link{test.path, test.target}).Leads(); got != test.want {
			t.Errorf("%s -> %s leads to %s", test.path, test.target, got)
		}
	}
}
