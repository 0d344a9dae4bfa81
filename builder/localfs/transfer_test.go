package localfs

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// wire is one end of a connection between a client and a daemon. It counts the files that are asked for.
type wire struct {
	ctx      context.Context //nolint:containedctx // fsutil.Stream has it
	in, out  chan []byte
	mu       *sync.Mutex
	requests *int
}

func (w wire) Context() context.Context { return w.ctx }

func (w wire) RecvMsg(m any) error {
	select {
	case <-w.ctx.Done():
		return w.ctx.Err()
	case data, open := <-w.in:
		if !open {
			return io.EOF
		}
		p := m.(*types.Packet)
		err := p.Unmarshal(data)
		if p.Type == types.PACKET_REQ {
			w.mu.Lock()
			*w.requests++
			w.mu.Unlock()
		}
		return err
	}
}

func (w wire) SendMsg(m any) error {
	data, err := m.(*types.Packet).Marshal()
	if err != nil {
		return err
	}
	select {
	case <-w.ctx.Done():
		return w.ctx.Err()
	case w.out <- data:
		return nil
	}
}

// daemon keeps what it was sent under each key, as a buildkitd does (BuildKit source/local/source.go).
type daemon struct {
	t    *testing.T
	dir  string
	asks int // files of the last transfer
}

func newDaemon(t *testing.T) *daemon {
	t.Helper()
	return &daemon{t: t, dir: t.TempDir()}
}

// sync has a client send a selection, and returns what the daemon holds then.
func (d *daemon) sync(project *Dir, s Selection) (map[string]string, error) {
	d.t.Helper()
	kept := filepath.Join(d.dir, project.Key())
	if err := os.MkdirAll(kept, 0o755); err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(d.t.Context(), 20*time.Second)
	defer cancel()
	a, b, asks := make(chan []byte, 32), make(chan []byte, 32), 0
	stream, cut := context.WithCancel(ctx)
	sent := make(chan error, 1)
	go func() {
		err := project.send(stream, wire{stream, a, b, &sync.Mutex{}, &asks}, s)
		if err == nil {
			close(b)
		}
		cut()
		sent <- err
	}()
	received := make(chan error, 1)
	go func() {
		received <- fsutil.Receive(stream, wire{ctx, b, a, &sync.Mutex{}, new(int)}, kept, fsutil.ReceiveOpt{})
	}()
	if err := <-sent; err != nil {
		return nil, err
	}
	d.asks = asks
	err := <-received
	return contents(d.t, kept), err
}

// contents maps what lies below a directory to its kind, mode and contents.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		what := info.Mode().String()
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			what += " " + target
		case d.Type().IsRegular():
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			what += " " + string(data)
		}
		all[strings.TrimPrefix(p, dir+"/")] = what
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var longAgo = time.Unix(1_700_000_000, 0)

// write writes files that all have the same time.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, data := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(p, longAgo, longAgo); err != nil {
			t.Fatal(err)
		}
	}
}

func open(t *testing.T, dir, state string) *Dir {
	t.Helper()
	d, err := Open(dir, state)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

var everything = Selection{Paths: []string{"."}}

func equal(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("the daemon has %s", name)
		}
	}
	for name, data := range want {
		if got[name] != data {
			t.Errorf("%s is %.80q at the daemon, %.80q here", name, got[name], data)
		}
	}
}

// TestEditsOfOneSizeAndTime sends what was edited so that neither size nor time of change say so: an archive that is unpacked anew, times set by git, one tick.
func TestEditsOfOneSizeAndTime(t *testing.T) {
	dir, state, d := t.TempDir(), t.TempDir(), newDaemon(t)
	large := strings.Repeat("a", 3<<20)
	first := map[string]string{"version.py": `V="1.2.3"`, "pkg/a.py": "aaaa", "pkg/b.py": "bbbb", "model.bin": large}
	edits := []struct {
		name  string
		files map[string]string
		asks  int
	}{
		{"nothing", nil, 0},
		{"one byte", map[string]string{"version.py": `V="1.2.4"`}, 1},
		{"back again", map[string]string{"version.py": `V="1.2.3"`}, 1},
		{"two files exchanged", map[string]string{"pkg/a.py": "bbbb", "pkg/b.py": "aaaa"}, 2},
		{"a byte of a large file", map[string]string{"model.bin": large[:1<<20] + "b" + large[1<<20+1:]}, 1},
		{"written anew as it was", map[string]string{"pkg/a.py": "bbbb"}, 0},
	}
	write(t, dir, first)
	if _, err := d.sync(open(t, dir, state), everything); err != nil {
		t.Fatal(err)
	}
	for _, edit := range edits {
		t.Run(edit.name, func(t *testing.T) {
			write(t, dir, edit.files)
			project := open(t, dir, state)
			got, err := d.sync(project, everything)
			if err != nil {
				t.Fatal(err)
			}
			if err := project.Close(); err != nil {
				t.Fatal(err)
			}
			equal(t, got, contents(t, dir))
			if d.asks != edit.asks {
				t.Errorf("the daemon asked for %d files, want %d", d.asks, edit.asks)
			}
		})
	}
}

// TestTwoCheckoutsAtOnePath are two clients of one daemon, each with its project at the same path: pods of a CI with /workspace.
func TestTwoCheckoutsAtOnePath(t *testing.T) {
	dir, d := filepath.Join(t.TempDir(), "workspace"), newDaemon(t)
	keys := map[string]bool{}
	for _, client := range []struct{ state, data string }{{t.TempDir(), "customer: aaaa"}, {t.TempDir(), "customer: bbbb"}, {"", "customer: cccc"}, {"", "customer: dddd"}} {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		write(t, dir, map[string]string{"conf.yaml": client.data})
		project := open(t, dir, client.state)
		got, err := d.sync(project, everything)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, got, contents(t, dir))
		keys[project.Key()] = true
	}
	if len(keys) != 4 {
		t.Errorf("4 clients have %d keys", len(keys))
	}
}

// TestOneClientKeepsItsKey: the next run of a client finds what this one sent, whatever way it writes the path, and another project has another key.
func TestOneClientKeepsItsKey(t *testing.T) {
	dir, state := t.TempDir(), t.TempDir()
	key := open(t, dir, state).Key()
	if again := open(t, dir+"/../"+filepath.Base(dir)+"/", state).Key(); again != key {
		t.Errorf("keys %s and %s", key, again)
	}
	if other := open(t, t.TempDir(), state).Key(); other == key {
		t.Error("two projects have one key")
	}
	if err := os.WriteFile(filepath.Join(state, idFile), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	damaged := open(t, dir, state).Key()
	if damaged == key || damaged != open(t, dir, state).Key() {
		t.Error("a damaged id is not replaced once")
	}
}

// TestOpenFile reads regular files of the project, and waits for nothing else.
func TestOpenFile(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a/lock": "x"})
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	project := open(t, dir, "")
	f, err := project.OpenFile("a/lock")
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	for _, name := range []string{"pipe", "a", "none", "../x"} {
		if _, err := project.OpenFile(name); err == nil {
			t.Errorf("%s is opened", name)
		}
	}
}

// TestHardLinks: whether two equal files share an inode makes no difference to what is sent.
func TestHardLinks(t *testing.T) {
	linked, copied := t.TempDir(), t.TempDir()
	write(t, linked, map[string]string{"a": "same"})
	if err := os.Link(filepath.Join(linked, "a"), filepath.Join(linked, "b")); err != nil {
		t.Fatal(err)
	}
	write(t, copied, map[string]string{"a": "same", "b": "same"})
	for _, dir := range []string{linked, copied} {
		project := open(t, dir, "")
		list, _, err := project.walk(t.Context(), everything)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range list {
			if s.Linkname != "" || s.Size != 4 {
				t.Errorf("%s is sent as %v", s.Path, s)
			}
		}
	}
}

// TestSelections are the choices of files that graphs make.
func TestSelections(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"models/bert[v1].json": "1", "models/bertv.json": "2", "src/[id].py": "3", `src/back\slash.py`: "4", "src/deep/er/x.py": "5", "src.py": "6",
		"releases/7/main.py": "7", "node/.cache/x": "8", "node/keep.log": "9", "node/a.log": "10", "aa/b": "11", "a.a": "12", "a/b": "13",
	})
	for link, target := range map[string]string{"current": "releases/7", "up": "current/main.py", "loop": "loop", "out": "../../../etc/hostname", "absolute": "/src.py", "gone": "nowhere"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		s    Selection
		want string
	}{
		"brackets":                  {Selection{Paths: []string{"models/bert[v1].json", "src/[id].py", `src/back\slash.py`}}, `models models/bert[v1].json src src/[id].py src/back\slash.py`},
		"a directory":               {Selection{Paths: []string{"src/deep"}}, "src src/deep src/deep/er src/deep/er/x.py"},
		"behind a linked directory": {Selection{Paths: []string{"current/main.py"}}, "current releases releases/7 releases/7/main.py"},
		"a link to what is linked":  {Selection{Paths: []string{"up"}}, "current releases releases/7 releases/7/main.py up"},
		"an absolute link":          {Selection{Paths: []string{"absolute"}}, "absolute src.py"},
		"a link to nothing":         {Selection{Paths: []string{"gone"}}, "gone"},
		"out of the project":        {Selection{Paths: []string{"out", "../x"}}, "out"},
		"patterns":                  {Selection{Paths: []string{"node"}, Ignore: []string{"**/*.log", "**/.cache", "!node/keep.log"}}, "node node/keep.log"},
		"an exception in a directory that is left out": {Selection{Paths: []string{"node", "aa"}, Ignore: []string{"node", "aa", "!node/keep.log"}}, "node node/keep.log"},
		"in order":          {Selection{Paths: []string{"a.a", "aa", "a", "a/b"}}, "a a/b a.a aa aa/b"},
		"not there":         {Selection{Paths: []string{"nothing", "src.py", "nothing/below", "src.py/below"}}, "src.py"},
		"named in left out": {Selection{Paths: []string{"node/a.log"}, Ignore: []string{"node"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := newDaemon(t).sync(open(t, dir, ""), test.s)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, st := range mustWalk(t, dir, test.s) {
				names = append(names, st.Path)
			}
			if strings.Join(names, " ") != test.want || len(got) != len(names) {
				t.Errorf("got %v, want %s", names, test.want)
			}
		})
	}
}

func mustWalk(t *testing.T, dir string, s Selection) []*types.Stat {
	t.Helper()
	list, _, err := open(t, dir, "").walk(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestChangedWhileSent ends a transfer of what is no longer what was listed, and says so.
func TestChangedWhileSent(t *testing.T) {
	for name, meddle := range map[string]func(p string) error{
		"longer":      func(p string) error { return os.WriteFile(p, []byte("other, and longer"), 0o644) },
		"of its size": func(p string) error { return os.WriteFile(p, []byte("1235"), 0o644) },
		"cut":         func(p string) error { return os.Truncate(p, 0) },
		"gone":        os.Remove,
		"a directory": func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o755)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, map[string]string{"f": "1234"})
			project := open(t, dir, "")
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			tr := &transfer{ctx: ctx, dir: project, selection: everything, failed: make(chan error, 1)}
			if err := tr.Walk(ctx, "/", func(string, fs.DirEntry, error) error { return nil }); err != nil {
				t.Fatal(err)
			}
			if err := meddle(filepath.Join(dir, "f")); err != nil {
				t.Fatal(err)
			}
			go func() {
				if f, err := tr.Open("f"); err == nil {
					_, _ = io.ReadAll(f)
				}
			}()
			select {
			case err := <-tr.failed:
				if !strings.Contains(err.Error(), "f") || name != "a directory" && !errors.Is(err, ErrChanged) {
					t.Errorf("got %v", err)
				}
			case <-ctx.Done():
				t.Error("the change is not noticed")
			}
		})
	}
}

// TestWhatCannotBeSentEndsTheTransfer, at once and with the client's own words.
func TestWhatCannotBeSentEndsTheTransfer(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a": "1"})
	if err := os.Symlink("loop", filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	project, start := open(t, dir, ""), time.Now()
	_, err := newDaemon(t).sync(project, Selection{Paths: []string{"loop"}})
	if err == nil || project.Err() == nil || !strings.Contains(project.Err().Error(), "loop: more than 40 links") {
		t.Errorf("got %v, the project says %v", err, project.Err())
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

// ended is a stream that the daemon closes once everything was listed: another step of the build failed.
type ended struct {
	wire
	listed chan struct{}
}

func (e ended) RecvMsg(any) error {
	<-e.listed
	return status.Error(codes.Canceled, "context canceled")
}

func (e ended) SendMsg(m any) error {
	if p := m.(*types.Packet); p.Type == types.PACKET_STAT && p.Stat == nil {
		close(e.listed)
	}
	return nil
}

// TestEndedByTheDaemon: what the daemon ends is no fault of a file, and does not stand in place of what failed.
func TestEndedByTheDaemon(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a": "1"})
	project := open(t, dir, "")
	stream := ended{wire{ctx: t.Context()}, make(chan struct{})}
	if err := project.send(t.Context(), stream, everything); status.Code(err) != codes.Canceled || project.Err() != nil {
		t.Errorf("got %v, the project says %v", err, project.Err())
	}
}
