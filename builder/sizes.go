package builder

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/pylock"
)

// sizer asks servers for the sizes of files, because a plain HTML index does not tell them. An answer is kept for the run.
type sizer struct {
	client *http.Client
	store  secretStore
	mu     sync.Mutex
	known  map[string]int64 // sha256 → bytes
}

func newSizer(client *http.Client, store secretStore) *sizer {
	return &sizer{client: client, store: store, known: map[string]int64{}}
}

// ask gives sha256 → bytes for the wheels that a lock picks and has no size for. What cannot be learnt is left out: such a wheel gets a
// layer of its own.
func (s *sizer) ask(ctx context.Context, lock *pylock.Lock, r *profiles.Recipe, glibc string) map[string]int64 {
	wheels, err := lock.Select(pylock.Target{Python: r.Python.Version, Platform: r.Platform, Glibc: glibc})
	if err != nil {
		return nil // said where the wheels are wanted
	}
	found := map[string]int64{}
	var mu sync.Mutex
	eg, ctx := errgroup.WithContext(ctx)
	eg.SetLimit(8)
	for _, w := range wheels {
		if w.Size > 0 || w.URL == "" {
			continue
		}
		eg.Go(func() error {
			if n := s.one(ctx, w, r.Requires.Indexes); n > 0 {
				mu.Lock()
				found[w.SHA256] = n
				mu.Unlock()
			}
			return nil
		})
	}
	_ = eg.Wait()
	return found
}

func (s *sizer) one(ctx context.Context, w pylock.Wheel, indexes []profiles.Index) int64 {
	s.mu.Lock()
	n, ok := s.known[w.SHA256]
	s.mu.Unlock()
	if ok {
		return n
	}
	n = s.head(ctx, w, indexes)
	s.mu.Lock()
	s.known[w.SHA256] = n
	s.mu.Unlock()
	return n
}

func (s *sizer) head(ctx context.Context, w pylock.Wheel, indexes []profiles.Index) int64 {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if u, err := url.Parse(w.URL); err != nil || !strings.HasPrefix(u.Scheme, "http") {
		return 0
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, w.URL, nil)
	if err != nil {
		return 0
	}
	if header, ok := s.store[llb.AuthSecret(w, indexes)]; ok {
		req.Header.Set("Authorization", string(header))
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0
	}
	return max(resp.ContentLength, 0)
}
