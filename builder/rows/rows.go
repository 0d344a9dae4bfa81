package rows

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mlbuild/mlbuild/llb/counts"
)

// State is how far a row is.
type State int

// The states of a row.
const (
	Running State = iota
	Done
	Failed
	Cancelled
)

// Row is one thing that goes on in a build, or went on.
type Row struct {
	Profile string // whose build it is; "" = there is only one
	What    string // "download 24 packages"
	Now     string // what it is at: "52.1 MB of 98.3 MB, scipy 1.17.1"; "" = nothing more is known
	Wait    string // why it may take long; "" = nothing is known
	State   State
	Took    time.Duration // so far, or until it ended
	Ended   time.Time     // when that was; a row may run again, when a build comes to its next part

	kind kind
	rest bool // no step of it waits
}

// Rows returns the rows of everything that took time, by profile and in the order in which an image is made. Steps that a cache had are in none.
func (b *Board) Rows(now time.Time) []Row {
	var rows []Row
	for _, own := range b.builds {
		for k := range kinds {
			r, any := own.row(k, now)
			if len(b.builds) > 1 {
				r.Profile = own.profile
			}
			if any {
				rows = append(rows, r)
			}
		}
	}
	return rows
}

// tally is what the steps of a row are together.
type tally struct {
	ran, ended       int
	bytes, allBytes  int64 // of what has ended, and of all
	last             time.Time
	spans            []span
	current, failed  *step // the largest that is at work, the first that failed
	waiting, stopped int   // announced and not begun; cancelled
}

func (b *build) tally(k kind) tally {
	var t tally
	for _, s := range b.order {
		switch {
		case s.kind != k || s.cached:
		case s.ran():
			t.add(s)
		case s.began.IsZero():
			t.waiting++
		}
	}
	return t
}

func (t *tally) add(s *step) {
	t.ran++
	size, got := s.bytes()
	t.allBytes += size
	t.spans = append(t.spans, s.spans...)
	switch {
	case s.running():
		t.spans = append(t.spans, span{began: s.began})
		t.bytes += got
		if t.current == nil || size > t.current.size {
			t.current = s
		}
		return
	case strings.Contains(s.err, "context canceled"):
		t.stopped++
	case s.err != "" && t.failed == nil:
		t.failed = s
	}
	t.ended++
	t.bytes += size
	if s.ended.After(t.last) {
		t.last = s.ended
	}
}

// took is how long at least one step was at work.
func (t tally) took(now time.Time) time.Duration {
	slices.SortStableFunc(t.spans, func(a, b span) int { return a.began.Compare(b.began) })
	var sum time.Duration
	var until time.Time
	for _, s := range t.spans {
		began, ended := s.began, earlier(s.ended, now)
		if began.Before(until) {
			began = until
		}
		if ended.After(began) {
			sum, until = sum+ended.Sub(began), ended
		}
	}
	return sum
}

// bytes returns how many bytes a step moves, and how many it has moved.
func (s *step) bytes() (all, got int64) {
	for _, p := range s.parts {
		all, got = all+p.total, got+min(p.current, p.total)
	}
	return max(s.size, all), got
}

// row returns the row of a kind, and whether there is something to tell.
func (b *build) row(k kind, now time.Time) (Row, bool) {
	t := b.tally(k)
	r := Row{What: b.title(k, t), State: Done, Took: t.took(now), Ended: t.last, kind: k, rest: t.waiting == 0}
	switch {
	case t.ran == 0:
		return Row{}, false
	case t.failed != nil:
		r.State, r.Now = Failed, t.failed.name
	case t.current != nil:
		r.State, r.Wait = Running, rowKinds[k].wait
		r.Now = t.now(k, r.Took)
	case t.stopped > 0:
		r.State = Cancelled
	default:
		r.Now = t.sum(k, r.Took)
	}
	return r, r.State != Done || r.Took >= blink && (k != assemble || r.Took >= time.Second)
}

// title is what a row is called.
func (b *build) title(k kind, t tally) string {
	title := rowKinds[k].title
	n := t.ran
	switch {
	case k == resolve && b.packages() != "":
		return "resolve " + b.packages()
	case k == base && t.ran > 0:
		return strings.TrimSuffix(title+" "+b.first(base), " ")
	case k == export && b.pushes():
		return "write and push the image"
	case k == download || k == unpack:
		if k == unpack && t.current != nil {
			n += t.waiting
		}
		return title + " " + counts.Plural(n, rowKinds[k].noun)
	}
	return title
}

// packages is how many packages the resolution came to, "" while that is unknown.
func (b *build) packages() string {
	for _, s := range b.order {
		if m := wheels.FindStringSubmatch(s.name); m != nil {
			return strings.TrimSuffix(m[1]+" packages", map[bool]string{true: "s"}[m[1] == "1"])
		}
	}
	return ""
}

// first is the name of the first step of a kind that did something.
func (b *build) first(k kind) string {
	for _, s := range b.order {
		if s.kind == k && s.ran() {
			return s.name
		}
	}
	return ""
}

// pushes reports whether the image goes to a registry as well.
func (b *build) pushes() bool {
	for _, s := range b.order {
		for _, p := range s.parts {
			if s.kind == export && strings.HasPrefix(p.id, "pushing") {
				return true
			}
		}
	}
	return false
}

// now is what a row that is at work is at.
func (t tally) now(k kind, took time.Duration) string {
	var texts []string
	if t.allBytes > 0 {
		texts = append(texts, counts.Bytes(t.bytes)+" of "+counts.Bytes(t.allBytes)+speed(t.bytes, took))
	} else if t.ran+t.waiting > 1 && rowKinds[k].noun != "" {
		texts = append(texts, fmt.Sprintf("%d done", t.ended))
	}
	switch name := t.current.name; {
	case k == export || k == cache:
		name = t.current.phase()
		fallthrough
	case k != base && name != "":
		texts = append(texts, name)
	}
	return strings.Join(texts, ", ")
}

// speed is how fast bytes came, where that can be told.
func speed(bytes int64, took time.Duration) string {
	if bytes == 0 || took < time.Second/2 {
		return ""
	}
	return ", " + counts.Bytes(int64(float64(bytes)/took.Seconds())) + "/s"
}

// sum is what a row that has ended came to.
func (t tally) sum(k kind, took time.Duration) string {
	if k == download || k == base && t.bytes > 0 {
		return counts.Bytes(t.bytes) + speed(t.bytes, took)
	}
	return ""
}

// phase is what a daemon is at when it writes something out, in words for people.
func (s *step) phase() string {
	id := ""
	for _, p := range s.parts {
		if !p.done {
			id = cmp.Or(p.id, id)
		}
	}
	for _, ph := range phases {
		if strings.HasPrefix(id, ph.id) {
			return ph.is
		}
	}
	return ""
}

// phases are BuildKit's words for what it is at (its exporters and remote caches), and ours.
var phases = []struct{ id, is string }{
	{"exporting layers", "compress layers"}, {"pushing layers", "push layers"}, {"pushing manifest", "push the manifest"},
	{"sending tarball", "send the archive"}, {"writing layer", "push layers"}, {"preparing", "list layers"},
}
