package session

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"

	bkclient "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/filesync"
	"github.com/tonistiigi/fsutil"
	fstypes "github.com/tonistiigi/fsutil/types"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Files are the project's files as the one session of a run offers them, so that all profiles share one transfer of the app.
type Files struct {
	session *session.Session
	root    *os.Root
	done    chan error
}

// Open starts the session: the project's directory, opened so that no symlink leads out of it. key is that of SharedKey.
func Open(ctx context.Context, c *bkclient.Client, dir, key string) (*Files, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fault.New(fault.Context, "cannot open the project's directory: %w", err).Hint("check that it is there and that you may read it")
	}
	project, err := fsutil.NewFilterFS(fsutil.NewRootFS(fsutil.NewRoot(root)), &fsutil.FilterOpt{Map: ownedByRoot})
	if err != nil {
		return nil, fault.New(fault.Context, "cannot read the project's directory: %w", err).Hint("check that you may read it")
	}
	s, err := session.NewSession(ctx, key)
	if err != nil {
		return nil, fault.New(fault.Internal, "start a session: %w", err)
	}
	s.Allow(filesync.NewFSSyncProvider(filesync.StaticDirSource{
		ops.ProjectLocal: project,
	}))
	l := &Files{session: s, root: root, done: make(chan error, 1)}
	go func() { l.done <- s.Run(ctx, c.Dialer()) }()
	return l, nil
}

// ID names the session, for graphs.
func (l *Files) ID() string { return l.session.ID() }

// Open opens a file of the project by its path there.
func (l *Files) Open(path string) (*os.File, error) { return l.root.Open(path) }

// Close ends the session and waits for it.
func (l *Files) Close() {
	_ = l.session.Close()
	<-l.done
	_ = l.root.Close()
}

// ownedByRoot keeps the client's user ids out of the image: who owns a file there is the recipe's to say.
func ownedByRoot(_ string, st *fstypes.Stat) fsutil.MapResult {
	st.Uid, st.Gid = 0, 0
	return fsutil.MapResultKeep
}

// SharedKey names a project's directory among all clients of a daemon, so that it finds the last transfer and takes only changes.
func SharedKey(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	sum := sha256.Sum256([]byte(dir))
	return "mlbuild-" + hex.EncodeToString(sum[:8])
}
