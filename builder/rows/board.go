package rows

import (
	"slices"
	"strings"
	"time"

	bkclient "github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
)

// Board collects what a daemon says of the builds of a run. Its methods are for one goroutine.
type Board struct {
	builds []*build // in the order in which they were first heard of
	ended  bool
}

// Order has the rows of these profiles come in their order. It is for before the first Take.
func (b *Board) Order(profiles []string) {
	for _, p := range profiles {
		b.of(p)
	}
}

// End says that nothing more comes: no row waits for anything.
func (b *Board) End() { b.ended = true }

// build is what is known of the build of one profile.
type build struct {
	profile string
	steps   map[digest.Digest]*step
	order   []*step
}

// step is what is known of one vertex.
type step struct {
	kind   kind
	name   string // without its group
	size   int64  // bytes that a download has, 0 = unknown
	starts []time.Time
	began  time.Time // when it was first heard to run, by this side's clock; zero = never
	ended  time.Time // when it was last heard to have ended; zero while it runs
	worked time.Duration
	cached bool
	err    string
	parts  []*part
	spans  []span
}

// span is a time at work, by this side's clock.
type span struct{ began, ended time.Time }

// part is one status of a vertex: a layer that is fetched, a phase of an export.
type part struct {
	id             string
	began, ended   time.Time
	current, total int64
	done           bool
}

// Take notes what a status of a profile's build says that arrived at a time. It returns the lines that the project's own tests wrote, which people want to keep.
func (b *Board) Take(profile string, s *bkclient.SolveStatus, at time.Time) (output []string) {
	own := b.of(profile)
	for _, v := range s.Vertexes {
		own.vertex(v, at)
	}
	for _, v := range s.Statuses {
		own.status(v, at)
	}
	for _, l := range s.Logs {
		if st := own.steps[l.Vertex]; st != nil && st.kind == tests {
			output = append(output, strings.Split(strings.TrimRight(string(l.Data), "\n"), "\n")...)
		}
	}
	return output
}

func (b *Board) of(profile string) *build {
	if i := slices.IndexFunc(b.builds, func(o *build) bool { return o.profile == profile }); i >= 0 {
		return b.builds[i]
	}
	own := &build{profile: profile, steps: map[digest.Digest]*step{}}
	b.builds = append(b.builds, own)
	return own
}

func (b *build) vertex(v *bkclient.Vertex, at time.Time) {
	st := b.steps[v.Digest]
	if st == nil {
		name, size := cut(v.Name)
		st = &step{kind: kindOf(v), name: name, size: size}
		b.steps[v.Digest], b.order = st, append(b.order, st)
	}
	if v.Cached {
		st.cached = len(st.starts) == 0
	}
	if v.Started == nil || v.Cached {
		return
	}
	if !slices.ContainsFunc(st.starts, v.Started.Equal) {
		st.starts, st.ended = append(st.starts, *v.Started), time.Time{}
	}
	if v.Completed == nil {
		st.began = at
		return
	}
	if st.ended.IsZero() {
		took := v.Completed.Sub(*v.Started)
		st.worked += took
		st.spans = append(st.spans, span{at.Add(-took), at})
		st.began, st.ended = earlier(st.began, at), at
	}
	st.err = v.Error
}

// earlier returns a time, or another if it is unknown.
func earlier(known, other time.Time) time.Time {
	if known.IsZero() {
		return other
	}
	return known
}

func (b *build) status(s *bkclient.VertexStatus, at time.Time) {
	st := b.steps[s.Vertex]
	if st == nil {
		return
	}
	i := slices.IndexFunc(st.parts, func(p *part) bool { return p.id == s.ID })
	if i < 0 {
		i, st.parts = len(st.parts), append(st.parts, &part{id: s.ID, began: at})
	}
	p := st.parts[i]
	p.current, p.total = s.Current, max(s.Total, p.total)
	if s.Completed != nil && !p.done {
		p.done, p.ended = true, at
	}
}

// running reports whether a step is at work.
func (s *step) running() bool { return !s.began.IsZero() && s.ended.IsZero() }

// ran reports whether a step did something: a daemon starts a download a first time only to know its key, which takes no time.
func (s *step) ran() bool {
	return !s.cached && (s.running() || s.err != "" || s.worked >= blink || s.kind == download && len(s.starts) > 1)
}

// blink is what nobody sees.
const blink = 100 * time.Millisecond

// Complete reports whether something is known of the run, and nothing of it failed.
func (b *Board) Complete() bool {
	known := false
	for _, own := range b.builds {
		for _, s := range own.order {
			if s.err != "" {
				return false
			}
			known = true
		}
	}
	return known
}
