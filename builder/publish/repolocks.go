package publish

import (
	"context"
	"maps"
	"sync"

	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// RepoLocks let the pushes to one repository run one after another: side by side, BuildKit uploads every new layer twice. They also know what
// the earlier ones brought there.
type RepoLocks struct {
	mu     sync.Mutex
	queues map[string]chan struct{}
	pushed map[string]map[digest.Digest]bool // repository → layers
}

// NewRepoLocks returns locks that nobody holds.
func NewRepoLocks() *RepoLocks {
	return &RepoLocks{queues: map[string]chan struct{}{}, pushed: map[string]map[digest.Digest]bool{}}
}

// Take waits for the repository's lock and returns what gives it back.
func (t *RepoLocks) Take(ctx context.Context, repository string) (release func(), err error) {
	t.mu.Lock()
	queue, ok := t.queues[repository]
	if !ok {
		queue = make(chan struct{}, 1)
		t.queues[repository] = queue
	}
	t.mu.Unlock()
	select {
	case queue <- struct{}{}:
		return sync.OnceFunc(func() { <-queue }), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Remember notes layers that are in the repository now, and returns those that were before.
func (t *RepoLocks) Remember(repository string, layers []ocispecs.Descriptor) (before map[digest.Digest]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pushed[repository] == nil {
		t.pushed[repository] = map[digest.Digest]bool{}
	}
	before = maps.Clone(t.pushed[repository])
	for _, l := range layers {
		t.pushed[repository][l.Digest] = true
	}
	return before
}

// Lock is a repository's lock that is taken once and kept to the end, also by a second try.
type Lock struct {
	locks      *RepoLocks
	repository string
	release    func() // nil before it was taken
}

// Lock returns the lock of the repository that the image is pushed to. Nobody holds it yet.
func (p Publisher) Lock() *Lock {
	if !p.Pushes() {
		return &Lock{}
	}
	return &Lock{locks: p.Locks, repository: p.repository()}
}

// Take waits until no other profile pushes to the repository. Without a push there is nothing to wait for.
func (l *Lock) Take(ctx context.Context) (err error) {
	if l.locks != nil && l.release == nil {
		l.release, err = l.locks.Take(ctx, l.repository)
	}
	return err
}

// Release lets the next one push.
func (l *Lock) Release() {
	if l.release != nil {
		l.release()
	}
}
