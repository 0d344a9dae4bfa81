package runner

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/llb/step"
)

func run(t *testing.T, r step.Run) (code int, out string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code, err = Run(r, Here{Began: time.Now(), Path: os.Getenv("PATH")}, &stdout, &stderr)
	return code, stdout.String() + stderr.String(), err
}

func TestCommands(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		name     string
		commands []string
		code     int
		says     []string
		not      string
	}{
		{"one shell", []string{"mkdir d", "cd d", "x=it\\'s", "echo $x > f", "cat ../d/f"}, 0, []string{"$ mkdir d\n", "$ cat ../d/f\nit's\n"}, ""},
		{"first failure", []string{"true", "echo 'a b'; exit 3", "echo no"}, 3, []string{"$ echo 'a b'; exit 3\na b\n"}, "$ echo no"},
		{"and", []string{"false && true", "echo no"}, 1, nil, "echo no"},
		{"lines", []string{"false\ntrue", "echo no"}, 1, nil, "echo no"},
		{"not found", []string{"cmkae ."}, 127, []string{"cmkae", "mlbuild: the PATH of this step is " + os.Getenv("PATH")}, ""},
		{"killed", []string{"kill -9 $$"}, 137, nil, ""},
		{"left running", []string{"(sleep 300; echo no) &"}, 0, nil, "\nno"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, err := run(t, step.Run{Commands: c.commands})
			if code != c.code || err != nil {
				t.Errorf("ended with %d, %v, want %d:\n%s", code, err, c.code, out)
			}
			for _, s := range c.says {
				if !strings.Contains(out, s) {
					t.Errorf("the output does not hold %q:\n%s", s, out)
				}
			}
			if c.not != "" && strings.Contains(out, c.not) {
				t.Errorf("the output holds %q:\n%s", c.not, out)
			}
		})
	}
}

func TestTimeout(t *testing.T) {
	began := time.Now()
	code, out, err := run(t, step.Run{Commands: []string{"sleep 300 | cat"}, Timeout: 0.1})
	if code != step.TimedOut || err != nil || !strings.Contains(out, "it had not ended after 0.1 s") {
		t.Errorf("ended with %d, %v:\n%s", code, err, out)
	}
	if time.Since(began) > time.Minute {
		t.Error("the commands were waited for")
	}
}

// TestMask: a value is masked in whatever pieces it is printed, and what is no value comes at once.
func TestMask(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(secret, []byte("s3cr3tvalue\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, err := run(t, step.Run{Commands: []string{"printf s3cr3t; sleep 0.05; printf 'value s3cr3'; printf 'x\\n' >&2"}, Secrets: []step.Secret{{ID: "id", File: secret}}})
	if code != 0 || err != nil || strings.Contains(out, "s3cr3tvalue\n") || !strings.Contains(out, "*** s3cr3") {
		t.Errorf("%d %v %q", code, err, out)
	}
	if !strings.HasSuffix(out, "\nW-SECRET-PRINTED: the commands print the value of the secret \"id\", which is masked here\n") || strings.Count(out, step.PrintedCode) != 1 {
		t.Errorf("the output has no warning: %q", out)
	}
	var b bytes.Buffer
	m := &masker{to: &b, needles: []needle{{"id", []byte("abcabd")}}}
	for _, piece := range []string{"x", "abc", "ab", "c", "abd", "ab"} {
		_, _ = m.Write([]byte(piece))
	}
	if got := b.String(); got != "xabc***" {
		t.Errorf("written so far: %q", got)
	}
	_ = m.Close()
	if got := b.String(); got != "xabc***ab" {
		t.Errorf("written: %q", got)
	}
	if _, _, err := run(t, step.Run{Secrets: []step.Secret{{ID: "gone", File: secret + "x"}}}); err == nil || !strings.Contains(err.Error(), `secret "gone"`) {
		t.Errorf("a secret that is not there: %v", err)
	}
}

// TestSettle: what changed gets the fixed time, logs are removed, and the rest stays as it was.
func TestSettle(t *testing.T) {
	root := tree(t, map[string]string{"etc/old": "1", "etc/changed": "1", "var/log/x": "1", "usr/gone": "1"})
	time.Sleep(3 * tick) // the tree is older than the step
	before, err := os.Stat(filepath.Join(root, "etc/old"))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(root)
	secret := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(secret, []byte("s3cr3tvalue\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := step.Run{
		Commands: []string{"echo 2 > etc/changed", "mkdir etc/new; ln -s x etc/new/link", "echo y > var/log/y", "rm usr/gone"},
		Secrets:  []step.Secret{{ID: "id", File: secret}}, Settle: &step.Settle{Root: root, Time: epoch, Drop: []string{"/var/log"}},
	}
	if code, out, err := run(t, r); code != 0 || err != nil {
		t.Fatalf("%d %v:\n%s", code, err, out)
	}
	for name, want := range map[string]int64{
		"etc": epoch, "etc/changed": epoch, "etc/new": epoch, "etc/new/link": epoch, "var/log": epoch, "usr": epoch,
		"etc/old": before.ModTime().Unix(), "var/log/x": before.ModTime().Unix(),
	} {
		info, err := os.Lstat(filepath.Join(root, name))
		if err != nil || info.ModTime().Unix() != want {
			t.Errorf("%s: %v, want the time %d", name, err, want)
		}
	}
	if _, err := os.Stat("var/log/y"); !os.IsNotExist(err) {
		t.Errorf("the log is there: %v", err)
	}
	r.Commands = []string{"echo url = https://u:s3cr3tvalue@h > etc/pip.conf"}
	code, _, err := run(t, r)
	if code != 1 || err == nil || err.Error() != `E-SECRET-LEAK: /etc/pip.conf holds the value of the secret "id"` {
		t.Errorf("%d %v", code, err)
	}
}

// TestLost: what commands write beside their outputs is told by its directories, a few at most.
func TestLost(t *testing.T) {
	root := tree(t, map[string]string{"etc/old": "1", "opt/venv/lib/p/old.py": "1", "out/keep/": "-", "var/log/": "-", "home/c/": "-"})
	t.Chdir(root)
	time.Sleep(3 * tick)
	told := func(commands ...string) string {
		t.Helper()
		r := step.Run{Commands: commands, Lost: &step.Lost{Root: root, Kept: []string{"/out/keep", "/out/*.bin"}, Drop: []string{"/var/log"}}}
		code, out, err := run(t, r)
		if code != 0 || err != nil {
			t.Fatalf("%d %v:\n%s", code, err, out)
		}
		_, text, _ := strings.Cut(out, "W-STEP-LOST: ")
		return strings.TrimSpace(text)
	}
	if got := told("echo 1 > out/keep/x", "echo 1 > out/a.bin", "echo 1 > var/log/x", "mkdir out/b.bin; echo 1 > out/b.bin/y"); got != "" {
		t.Errorf("nothing is lost: %q", got)
	}
	want := "the commands also wrote 1 file below /opt/venv/lib/p, 2 files below /home/c, which the image does not keep; outputs: names what it keeps"
	if got := told("echo 1 > opt/venv/lib/p/x.nbi", "echo 1 > home/c/x; echo 1 > home/c/y"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	time.Sleep(3 * tick)
	want = "the commands also wrote 4 files below /home, which"
	if got := told("for d in a b c d; do mkdir -p home/$d/e; echo 1 > home/$d/e/f; done"); !strings.HasPrefix(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestOptionalSecret: one that is not there is no error.
func TestOptionalSecret(t *testing.T) {
	if code, out, err := run(t, step.Run{Commands: []string{"echo done"}, Secrets: []step.Secret{{ID: "x", File: t.TempDir() + "/x", Optional: true}}}); code != 0 || err != nil || !strings.Contains(out, "done") {
		t.Errorf("%d %v %s", code, err, out)
	}
}
