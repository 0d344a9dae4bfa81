package integration

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/containerd/console"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

// typed is what somebody types at a terminal when a text has appeared there.
type typed struct {
	after string
	text  string
	size  console.WinSize // the terminal's from then on; zero = as before
}

// atTerminal runs a program at a terminal of its own, and returns its exit code and what was to be seen. Texts that never appear end it after a minute.
func atTerminal(t *testing.T, cmd *exec.Cmd, script []typed) (exit int, seen string) {
	t.Helper()
	master, name, err := console.NewPty()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	if err := master.Resize(console.WinSize{Width: 99, Height: 33}); err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(name, os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = slave.Close()
	late := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	var out bytes.Buffer
	for from, piece := 0, make([]byte, 4096); ; {
		n, err := master.Read(piece)
		out.Write(piece[:n])
		if err != nil { // nobody has the terminal any more
			break
		}
		for len(script) > 0 {
			at := strings.Index(out.String()[from:], script[0].after)
			if at < 0 {
				break
			}
			from += at + len(script[0].after)
			script[0].at(t, master)
			script = script[1:]
		}
	}
	if err := cmd.Wait(); err != nil && errors.Is(err, exec.ErrWaitDelay) {
		t.Fatal(err)
	}
	if len(script) > 0 {
		t.Errorf("%q never appeared", script[0].after)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

// at types the text at a terminal.
func (x typed) at(t *testing.T, terminal console.Console) {
	t.Helper()
	if x.size != (console.WinSize{}) {
		if err := terminal.Resize(x.size); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(terminal, x.text); err != nil {
		t.Fatal(err)
	}
}

// TestTerminal runs programs in the daemon from a terminal: it has the terminal's size, Ctrl-C goes to it, and where a step failed a shell is in that step.
func TestTerminal(t *testing.T) {
	tb := testbed.Shared(t)
	bin := programs(t, "mlbuild")
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	p := tiny(t, x, `
bake:
  - name: table
    commands: ["echo half > table.txt; wc -c < /run/secrets/token; exit 6"]
    secrets: [{id: token, file: /run/secrets/token}]
    outputs: [table.txt]
testing: {copy: [tests], command: [sh, -c, "echo no more; exit 9"]}
`)
	p.write("tests/test_main.py", "")
	good := tiny(t, x, "")
	failing := tiny(t, x, "\ntesting: {copy: [tests], command: [sh, -c, \"exit 9\"], env: {KIND: small}}\n")
	failing.write("tests/test_main.py", "")
	const secret, prompt = "geheim-und-lang", ":/app$ "
	for name, c := range map[string]struct {
		of     *project
		args   []string
		script []typed
		exit   int
		says   []string
		hides  string
	}{
		"a shell": {
			of: good, args: []string{"exec"}, exit: 5, says: []string{"33 99\r\n", "44 111\r\n", "uid=1000"},
			script: []typed{{after: prompt, text: "until stty size | grep -v ^0; do sleep 0.1; done; id\n"}, {after: "uid=1000", size: console.WinSize{Width: 111, Height: 44}, text: "sleep 0.5; stty size\n"}, {after: "44 111"}, {after: prompt, text: "exit 5\n"}},
		},
		"ctrl-c":          {of: good, args: []string{"exec", "--", "sh", "-c", "echo go; exec sleep 60"}, script: []typed{{after: "go", text: "\x03"}}, exit: 130},
		"ctrl-c is taken": {of: good, args: []string{"exec", "--", "python", "-c", "import time\ntry:\n    print('go')\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    raise SystemExit(3)"}, script: []typed{{after: "go", text: "\x03"}}, exit: 3},
		"a failed step": {
			of: p, args: []string{"build", "--on-error=shell"}, exit: 1, hides: secret,
			script: []typed{{after: prompt, text: "id -u; pwd; cat table.txt; ls /run/secrets\n"}, {after: "No such file"}, {after: prompt, text: "exit 5\n"}},
			says: []string{
				"table\" of profile cpu ended with exit\r\n  code 6:", "note: a shell in the failed step [files that the project makes] bake table, without its secrets (--on-error=shell,secrets): exit or Ctrl-D leaves it",
				"1000\r\n/app\r\nhalf\r\n",
			},
		},
		"its secrets": {
			of: p, args: []string{"build", "--on-error=shell,secrets"}, exit: 1, says: []string{secret},
			script: []typed{{after: prompt, text: "cat /run/secrets/token\n"}, {after: secret}, {after: prompt, text: "\x04"}},
		},
		"failed tests": {
			of: failing, args: []string{"test", "--on-error=shell"}, exit: 1, says: []string{"a shell in the image that the tests ran on", "small tests\r\n"},
			script: []typed{{after: prompt, text: "echo $KIND $(ls -d tests)\n"}, {after: "small tests"}, {after: prompt, text: "\x04"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{c.args[0], "--progress", "quiet"}, c.args[1:]...)
			if c.of == p {
				args = append(args, "--secret", "id=token,env=TOKEN")
			}
			cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "mlbuild"), args...)
			cmd.Dir = c.of.dir
			cmd.Env = []string{
				"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "MLBUILD_STATE_DIR=" + t.TempDir(), "BUILDKIT_HOST=" + tb.Daemon.Addr(),
				"SSL_CERT_FILE=" + os.Getenv("SSL_CERT_FILE"), "TOKEN=" + secret,
			}
			exit, seen := atTerminal(t, cmd, c.script)
			if exit != c.exit {
				t.Errorf("exit code %d, want %d", exit, c.exit)
			}
			for _, text := range c.says {
				if !strings.Contains(seen, text) {
					t.Errorf("%q is missing", text)
				}
			}
			if c.hides != "" && strings.Contains(seen, c.hides) {
				t.Errorf("%q is shown", c.hides)
			}
			if t.Failed() {
				t.Logf("%q", seen)
			}
		})
	}
}
