package integration

import (
	"crypto/rand"
	"strings"
	"sync"
	"testing"

	bkclient "github.com/moby/buildkit/client"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

// sentBytes follows a build and adds up what the client sent of the project's files.
func sentBytes(t *testing.T) (status func(string) chan<- *bkclient.SolveStatus, total func() int64) {
	t.Helper()
	var running sync.WaitGroup
	sent := map[string]int64{}
	return func(string) chan<- *bkclient.SolveStatus {
			ch := make(chan *bkclient.SolveStatus)
			running.Go(func() {
				for s := range ch {
					for _, v := range s.Statuses {
						if strings.HasPrefix(v.ID, "transferring") {
							sent[v.ID] = max(sent[v.ID], v.Current)
						}
					}
				}
			})
			return ch
		}, func() (n int64) {
			running.Wait()
			for _, bytes := range sent {
				n += bytes
			}
			return n
		}
}

// TestOnlyNamedFilesAreSent: what app.copy does not name, and what .dockerignore takes out of it, never leaves the client.
func TestOnlyNamedFilesAreSent(t *testing.T) {
	tb := testbed.Shared(t)
	b := connect(t, tb.Daemon.Addr())
	x := testbed.NewIndex(t, testbed.IndexOptions{})
	p := tiny(t, x, "")
	p.write("mlbuild.yaml", strings.Replace(p.read("mlbuild.yaml"), "copy: [main.py]", "copy: [main.py, pkg]", 1))
	big := make([]byte, 3<<20)
	_, _ = rand.Read(big)
	for _, name := range []string{"data/train.bin", "pkg/dump.bin", "pkg/cache/x.bin", "pkg/.venv/y.bin", "pkg/.git/objects/z", "pkg/__pycache__/m.pyc", ".env"} {
		p.write(name, string(big))
	}
	p.write("pkg/cache/keep.txt", "kept\n")
	p.write("pkg/code.py", strings.Repeat("# code\n", 1000))
	p.write(".dockerignore", "**/*.bin\npkg/cache\n!pkg/cache/keep.txt\n")
	ref := tb.Registry.Ref("sent:1.0")
	req := p.request(p.variant("cpu", ref))
	status, total := sentBytes(t)
	req.Status = status
	mustBuild(t, b, req)
	if n := total(); n < 7000 || n > 64<<10 {
		t.Errorf("%d bytes were sent, want the 7 kB of code and what the protocol adds", n)
	}
	got := readBack(t, tb.Registry, "sent:1.0")
	var names []string
	for name, e := range got.tree {
		if strings.HasPrefix(name, "app/") && e.Typeflag == '0' {
			names = append(names, name)
		}
	}
	if len(names) != 3 || got.file("app/pkg/cache/keep.txt") != "kept\n" || got.tree["app/pkg/code.py"].Size == 0 || got.tree["app/main.py"].Size == 0 {
		t.Errorf("files of the app: %q, want main.py, pkg/code.py and pkg/cache/keep.txt", names)
	}
}
