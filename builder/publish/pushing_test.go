package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	bkclient "github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// pushTrial is a push of an image of some layers, larger ones first, of which the registry has more and more.
type pushTrial struct {
	*Pushing
	manifest digest.Digest
	mu       sync.Mutex
	there    map[digest.Digest]bool
	asked    int
	told     []string
	news     chan struct{}
}

func newPushed(t *testing.T, sizes ...int64) *pushTrial {
	t.Helper()
	var m ocispecs.Manifest
	for _, n := range sizes {
		m.Layers = append(m.Layers, ocispecs.Descriptor{Digest: layerOf(n), Size: n})
	}
	m.Layers = append(m.Layers, m.Layers[0]) // one that the image has twice
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	p := &pushTrial{manifest: digest.FromBytes(data), there: map[digest.Digest]bool{}, news: make(chan struct{}, 100)}
	p.Pushing = &Pushing{
		Content: stored{digest.FromBytes(data): data}, after: time.Millisecond, every: time.Millisecond,
		Has: func(_ context.Context, d digest.Digest) (bool, error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.asked++
			return p.there[d], nil
		},
		Tell: func(s *bkclient.SolveStatus) {
			p.mu.Lock()
			defer p.mu.Unlock()
			for _, v := range s.Statuses {
				p.told = append(p.told, fmt.Sprintf("%s %d/%d %v", v.ID[len(saysLayer):][:len("sha256:")], v.Current, v.Total, v.Completed != nil))
			}
			p.news <- struct{}{}
		},
	}
	return p
}

func layerOf(n int64) digest.Digest { return digest.FromString(fmt.Sprint(n)) }

func (p *pushTrial) say(t *testing.T, id string, ended bool) {
	t.Helper()
	v := &bkclient.VertexStatus{ID: id, Vertex: digest.FromString("exporting")}
	if ended {
		v.Completed = &time.Time{}
	}
	p.Hear(t.Context(), &bkclient.SolveStatus{Statuses: []*bkclient.VertexStatus{v}})
}

func (p *pushTrial) hear(t *testing.T) []string {
	t.Helper()
	select {
	case <-p.news:
	case <-time.After(10 * time.Second):
		t.Fatal("nothing is told")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	told := p.told
	p.told = nil
	return told
}

// The layers of an image that is pushed are told, and each when the registry has it.
func TestPushing(t *testing.T) {
	p := newPushed(t, 300, 100, 200)
	p.say(t, saysManifest+p.manifest.String(), true)
	p.say(t, saysPushing, false)
	if got := fmt.Sprint(p.hear(t)); got != "[sha256: 0/100 false sha256: 0/200 false sha256: 0/300 false]" {
		t.Errorf("at first %s", got)
	}
	for _, n := range []int64{200, 100, 300} {
		p.mu.Lock()
		p.there[layerOf(n)] = true
		p.mu.Unlock()
		if got, want := fmt.Sprint(p.hear(t)), fmt.Sprintf("[sha256: %d/%d true]", n, n); got != want {
			t.Errorf("told %s, want %s", got, want)
		}
	}
}

// Nobody asks after a push has ended, before it lasts, or where the registry does not answer.
func TestPushingEnds(t *testing.T) {
	for name, end := range map[string]func(*pushTrial){
		"ended": func(p *pushTrial) { p.say(t, saysPushing, true) },
		"failed": func(p *pushTrial) {
			p.Has = func(context.Context, digest.Digest) (bool, error) { return false, errors.New("no") }
		},
		"short": func(p *pushTrial) { p.after = time.Hour },
	} {
		p := newPushed(t, 100)
		p.every = 20 * time.Millisecond
		p.say(t, saysManifest+p.manifest.String(), true)
		if name != "ended" {
			end(p)
		}
		p.say(t, saysPushing, false)
		if name == "ended" {
			p.hear(t)
			end(p)
		}
		time.Sleep(60 * time.Millisecond)
		p.mu.Lock()
		asked := p.asked
		p.mu.Unlock()
		time.Sleep(100 * time.Millisecond)
		p.mu.Lock()
		if p.asked > asked {
			t.Errorf("%s: asked %d times, and then %d", name, asked, p.asked)
		}
		p.mu.Unlock()
	}
}

// Of many layers the smallest are asked for.
func TestPushingAsksForSome(t *testing.T) {
	var sizes []int64
	for n := range int64(30) {
		sizes = append(sizes, 1000-n)
	}
	p := newPushed(t, sizes...)
	p.every = time.Hour
	p.say(t, saysManifest+p.manifest.String(), true)
	p.say(t, saysPushing, false)
	if got := p.hear(t); len(got) != 30 {
		t.Errorf("told %q", got)
	}
	time.Sleep(100 * time.Millisecond)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked != askedFor {
		t.Errorf("asked for %d layers", p.asked)
	}
}
