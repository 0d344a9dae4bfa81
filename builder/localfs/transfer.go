package localfs

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"sync"

	"github.com/moby/buildkit/session/filesync"
	"github.com/tonistiigi/fsutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// nameHeader is the header by which a daemon names a local source (BuildKit session/filesync/filesync.go, keyDirName). Our names are plain ASCII and are not encoded there.
const nameHeader = "dir-name"

// Register makes the directory a service of a session (session.Attachable).
func (d *Dir) Register(server *grpc.Server) {
	filesync.RegisterFileSyncServer(server, service{d})
}

// service is the side of BuildKit's session that sends files.
type service struct{ dir *Dir }

// DiffCopy sends the files of one selection.
func (s service) DiffCopy(stream filesync.FileSync_DiffCopyServer) error {
	headers, _ := metadata.FromIncomingContext(stream.Context())
	for _, name := range headers[nameHeader] {
		if selection, ok := s.dir.selection(name); ok {
			return s.dir.send(stream.Context(), stream, selection)
		}
	}
	return status.Errorf(codes.NotFound, "no files are offered as %q", headers[nameHeader])
}

// TarStream is a protocol that no supported daemon speaks any more.
func (s service) TarStream(filesync.FileSync_TarStreamServer) error {
	return status.Error(codes.Unimplemented, "tarstream")
}

// send has the daemon take what it lacks of a selection. A file that cannot be sent as it was listed ends the transfer at once: by itself the protocol would send an
// empty one in its place, or wait (fsutil, send.go).
func (d *Dir) send(ctx context.Context, stream fsutil.Stream, s Selection) error {
	t := &transfer{ctx: ctx, dir: d, selection: s, failed: make(chan error, 1)}
	done := make(chan error, 1)
	go func() { done <- fsutil.Send(ctx, stream, t, nil) }()
	select {
	case err := <-done: // what the stream came to, which the daemon may have closed for a reason of its own
		return err
	case err := <-t.failed:
		if !errors.Is(err, context.Canceled) {
			d.note(err)
		}
		return err
	}
}

// transfer is the file system of one transfer (fsutil.FS).
type transfer struct {
	ctx       context.Context //nolint:containedctx // of the stream
	dir       *Dir
	selection Selection
	failed    chan error

	mu   sync.Mutex
	sums map[string]sum // of the files that were listed
}

// Walk lists the selection. What target says is passed over: a transfer is of everything.
func (t *transfer) Walk(ctx context.Context, _ string, each fs.WalkDirFunc) error {
	found, ok := t.dir.views.take(t.selection)
	if !ok {
		list, sums, err := t.dir.walk(ctx, t.selection)
		if err != nil {
			return t.fail(err)
		}
		t.dir.views.note(t.selection, list, sums)
		found = view{list: list, sums: sums}
	}
	t.mu.Lock()
	t.sums = found.sums
	t.mu.Unlock()
	for _, st := range found.list {
		st.Path = filepath.FromSlash(st.Path)
		if err := each(st.Path, &fsutil.DirEntryInfo{Stat: st}, nil); err != nil {
			return err
		}
	}
	return nil
}

// Open opens a file that Walk has listed. Reading it fails where it is another than Walk saw.
func (t *transfer) Open(name string) (io.ReadCloser, error) {
	name = filepath.ToSlash(name)
	t.mu.Lock()
	want, ok := t.sums[name]
	t.mu.Unlock()
	if !ok {
		return nil, t.fail(fmt.Errorf("the daemon asks for %s, which no step of the build needs", name))
	}
	root, err := t.dir.rootOf(t.selection)
	if err != nil {
		return nil, t.fail(err)
	}
	f, err := root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, t.fail(changed(name))
	}
	if err != nil {
		return nil, t.fail(fmt.Errorf("open a file of the project: %w", err))
	}
	return &checked{file: f, hash: sha256.New(), want: want, path: name, fail: t.fail}, nil
}

// fail ends the transfer, and holds whoever met the error until the stream is closed: fsutil would go on without the file.
func (t *transfer) fail(err error) error {
	select {
	case t.failed <- err:
	default:
	}
	<-t.ctx.Done()
	return err
}
