package session

import (
	"context"

	bkclient "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"

	"github.com/mlbuild/mlbuild/builder/localfs"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Files are the project's files as the one session of a run offers them, so that all profiles share one transfer of the app.
type Files struct {
	session *session.Session
	done    chan error
}

// OpenProject opens the project's directory, so that no symlink leads out of it. state is the client's own directory (localfs.Open). above is the root of its
// workspace, nil = packages lie in the project alone. Error: fault.Context.
func OpenProject(dir, state string, above *recipe.Above) (*localfs.Dir, error) {
	project, err := localfs.Open(dir, state)
	if err == nil && above != nil {
		err = project.Above(above.Levels())
	}
	if err != nil {
		return nil, fault.New(fault.Context, "cannot open the project's directory: %w", err).Hint("check that it is there and that you may read it")
	}
	return project, nil
}

// Open starts a session that offers a project's directory.
func Open(ctx context.Context, c *bkclient.Client, project *localfs.Dir) (*Files, error) {
	s, err := session.NewSession(ctx, project.Key())
	if err != nil {
		return nil, fault.New(fault.Internal, "start a session: %w", err)
	}
	s.Allow(project)
	l := &Files{session: s, done: make(chan error, 1)}
	go func() { l.done <- s.Run(ctx, c.Dialer()) }()
	return l, nil
}

// ID names the session, for graphs.
func (l *Files) ID() string { return l.session.ID() }

// Close ends the session and waits for it.
func (l *Files) Close() {
	_ = l.session.Close()
	<-l.done
}
