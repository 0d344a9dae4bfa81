package buildlock

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestParseFaults changes one line of a good lock: each message, each at its line.
func TestParseFaults(t *testing.T) {
	data, err := os.ReadFile("testdata/mlbuild.lock")
	if err != nil {
		t.Fatal(err)
	}
	good := string(data)
	for _, test := range []struct {
		name, old, new string
		code           fault.Code
		message        string
		at             string // the line's beginning; "" = no line
	}{
		{"version", "version = 1", "version = 2", fault.Lock, "version 2 of the lock is not supported", "version = 2"},
		{"no version", "version = 1", "", fault.Lock, "version 0 of the lock", ""},
		{"unknown key", "ref = ", "refs = ", fault.Lock, `unknown key "image.refs"`, "refs = "},
		{"short reference", `ref = "` + bookworm, `ref = "python:3.11-slim`, fault.Lock, `"python:3.11-slim" is not the full reference`, `ref = "python`},
		{"digest", `digest = "sha256:1`, `digest = "1`, fault.Lock, "is not a digest", `digest = "1`},
		{"listed twice", `ref = "` + trixie, `ref = "` + bookworm, fault.Lock, "the image " + bookworm + " is listed twice", ""},
		{"no profiles", `profiles = ["gpu"]`, `profiles = []`, fault.Lock, "profiles is empty", "profiles = []"},
		{"platform", `platform = "linux/amd64"`, `platform = "windows/amd64"`, fault.Lock, `"windows/amd64" is not a platform`, "platform = "},
		{"inputs", `inputs = "b`, `inputs = "B`, fault.Lock, "is not a sha256", "inputs = "},
		{"link", `"/bin -> usr/bin"`, `"bin -> usr/bin"`, fault.Lock, `"bin -> usr/bin" is not a link`, "links = "},
		{"package name", `name = "libgomp1"`, `name = "../x"`, fault.Lock, `"../x" is not the name of a Debian package`, `name = "../x"`},
		{"package version", `version = "12.2.0`, `version = "a/12.2.0`, fault.Lock, "is not the version of a Debian package", `version = "a`},
		{"architecture", "architecture = \"amd64\"\nsize = 115772", "architecture = \"arm64\"\nsize = 115772", fault.Lock, `libgomp1 is for "arm64", the base is amd64`, `architecture = "arm64"`},
		{"size", "size = 115772", "size = -1", fault.Lock, "size -1 of libgomp1 is no size", "size = -1"},
		{"size as text", "size = 115772", "size = \"115772\"", fault.Lock, "malformed TOML", "size = \"115772\""},
		{"no hash", `sha256 = "a`, `# "a`, fault.LockHash, "libgomp1 12.2.0-14+deb12u1 has no sha256", "[[system.package]]\nname = \"libgomp1\""},
		{"other scheme", `url = "http://deb.example/debian/pool/main/g/gcc`, `url = "file:///debian/pool/main/g/gcc`, fault.Lock, "libgomp1 has no http or https URL", `url = "file:`},
		{"credentials", `url = "http://deb.example/debian/pool/main/g/gcc`, `url = "http://u:hunter2@deb.example/gcc`, fault.SecretLeak, "the URL of libgomp1 holds credentials", `url = "http://u`},
		{"credentials in a broken URL", `url = "http://deb.example/debian/pool/main/g/gcc`, `url = "http://u:hunt%er2@deb.example/gcc`, fault.SecretLeak, "the URL of libgomp1 holds credentials", `url = "http://u`},
		{"package twice", `name = "libgomp1"`, `name = "libc6"`, fault.Lock, "libc6 is listed twice", ""},
		{"merge conflict", "[[system]]", "<<<<<<< ours\n[[system]]", fault.Lock, "malformed TOML", "<<<<<<< ours"},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := strings.Replace(good, test.old, test.new, 1)
			if text == good {
				t.Fatal("nothing was changed")
			}
			l, err := Parse(FileName, []byte(text))
			all := fault.All(err)
			if l != nil || len(all) != 1 || all[0].Code != test.code || !strings.Contains(all[0].Message, test.message) {
				t.Fatalf("got %v, %v", l, err)
			}
			if strings.Contains(fmt.Sprintf("%+v", *all[0]), "hunter2") {
				t.Errorf("the password is told: %+v", all[0])
			}
			if test.at == "" {
				return
			}
			line := strings.Count(text[:strings.Index(text, test.at)], "\n") + 1
			if all[0].At.Line != line || all[0].At.Column == 0 || all[0].At.File != FileName {
				t.Errorf("at %v, want line %d", all[0].At, line)
			}
		})
	}
}

func TestParseReportsAllAtOnce(t *testing.T) {
	text := "version = 1\n[[image]]\nref = \"x\"\ndigest = \"y\"\n"
	_, err := Parse(FileName, []byte(text))
	if all := fault.All(err); len(all) != 3 {
		t.Errorf("got %v", all)
	}
}

func TestMergeHint(t *testing.T) {
	_, err := Parse(FileName, []byte("version = 1\n<<<<<<< ours\n"))
	if all := fault.All(err); len(all) != 1 || !strings.Contains(all[0].Hints[0], "merge that was not resolved") {
		t.Errorf("got %+v", all)
	}
}

func TestTooLarge(t *testing.T) {
	_, err := Parse(FileName, make([]byte, maxBytes+1))
	if !fault.Is(err, fault.Lock) {
		t.Errorf("got %v", err)
	}
}
