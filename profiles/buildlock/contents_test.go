package buildlock

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

func seen(ref, digit, platform string) *Contents {
	return &Contents{
		Image: ref, Digest: "sha256:" + sum(digit), Platform: platform, Python: "3.11", Glibc: "2.35", Interpreter: "/opt/conda/bin/python3.11", FullVersion: "3.11.9",
		Packages: []string{"numpy==1.26.4", "torch==2.9.1+cu128"}, Environment: []string{"idna==3.7"}, Shared: true, CUDA: "12.8.1", NVCC: true,
	}
}

func TestContents(t *testing.T) {
	const torch = "docker.io/pytorch/pytorch:2.9.1-cuda12.8-cudnn9-runtime"
	l := &Lock{}
	l.PutContents("gpu", "linux/amd64", seen(torch, "1", "linux/amd64"))
	l.PutContents("gpu", "linux/arm64", seen(torch, "1", "linux/arm64"))
	l.PutContents("train", "linux/amd64", seen(torch, "1", "linux/amd64"))
	again, err := Parse(FileName, l.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(l.Looks, again.Looks); d != "" || len(l.Looks) != 2 {
		t.Errorf("written and read again (-want +got):\n%s\n%s", d, l.Marshal())
	}
	if c := again.Contents(torch, "sha256:"+sum("1"), "linux/amd64", "3.11"); c == nil || strings.Join(c.Profiles, " ") != "gpu train" || c.Interpreter != "/opt/conda/bin/python3.11" {
		t.Errorf("found %+v", c)
	}
	for _, c := range []*Contents{
		again.Contents(torch, "sha256:"+sum("2"), "linux/amd64", "3.11"), again.Contents(torch, "sha256:"+sum("1"), "linux/amd64", "3.12"),
		(*Lock)(nil).Contents(torch, "sha256:"+sum("1"), "linux/amd64", "3.11"),
	} {
		if c != nil {
			t.Errorf("another question is answered by %+v", c)
		}
	}
	again.PutContents("gpu", "linux/amd64", seen(torch, "2", "linux/amd64")) // the tag moved
	again.PutContents("gpu", "linux/arm64", nil)
	if len(again.Looks) != 2 || again.Looks[0].Digest == again.Looks[1].Digest || again.Looks[1].Platform != "linux/amd64" {
		t.Errorf("after the tag moved: %+v", again.Looks)
	}
	again.Keep([]string{"train"})
	if len(again.Looks) != 1 || again.Looks[0].Digest != "sha256:"+sum("1") {
		t.Errorf("kept %+v", again.Looks)
	}
}

func TestContentsFaults(t *testing.T) {
	l := &Lock{}
	l.PutContents("gpu", "linux/amd64", seen("docker.io/pytorch/pytorch:2", "1", "linux/amd64"))
	good := string(l.Marshal())
	for _, test := range []struct{ old, new, message string }{
		{`interpreter = "/opt`, `interpreter = "opt`, `"opt/conda/bin/python3.11" is not an absolute path`},
		{`python = "3.11"`, `python = "2.7"`, `"2.7" is not a Python version`},
		{`glibc = "2.35"`, `glibc = "musl"`, `"musl" is not a glibc version`},
		{`"numpy==1.26.4"`, `"numpy"`, `"numpy" is not a package such as`},
		{`full_version = "3.11.9"`, `full_version = "3.11"`, `"3.11" is not a whole Python version`},
		{`digest = "sha256:`, `digest = "`, "is not a digest"},
	} {
		_, err := Parse(FileName, []byte(strings.Replace(good, test.old, test.new, 1)))
		if all := fault.All(err); len(all) != 1 || all[0].Code != fault.Lock || !strings.Contains(all[0].Message, test.message) || all[0].At.Line == 0 {
			t.Errorf("%s: %v", test.new, err)
		}
	}
}

// TestWithoutFullVersion: a lock that does not tell it is read and written as it was, and can be left out.
func TestWithoutFullVersion(t *testing.T) {
	l := &Lock{}
	old := seen("docker.io/pytorch/pytorch:2", "1", "linux/amd64")
	old.FullVersion = ""
	l.PutContents("gpu", "linux/amd64", old)
	l.PutContents("cpu", "linux/amd64", seen("docker.io/pytorch/pytorch:3", "1", "linux/amd64"))
	again, err := Parse(FileName, l.Marshal())
	if d := cmp.Diff(l.Looks, again.Looks); d != "" || err != nil || strings.Count(string(l.Marshal()), "full_version") != 1 {
		t.Errorf("%v, written and read again (-want +got):\n%s\n%s", err, d, l.Marshal())
	}
	if known := l.WithFullVersions(); len(known.Looks) != 1 || known.Looks[0].FullVersion != "3.11.9" || len(l.Looks) != 2 || (*Lock)(nil).WithFullVersions() != nil {
		t.Errorf("known %+v", known.Looks)
	}
}
