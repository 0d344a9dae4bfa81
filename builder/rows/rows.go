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
	Waiting // some of it is done, and the rest waits for other rows
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
			r, any := own.row(k, now, b.ended)
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

// Idle reports whether rows say that nothing was made: it was only looked up what would be, and all of that was there.
func Idle(rows []Row) bool {
	return !slices.ContainsFunc(rows, func(r Row) bool {
		return r.State != Done || r.kind != resolve && (r.kind != base || r.Now != "")
	})
}

// tally is what the steps of a row are together.
type tally struct {
	ran, ended       int
	bytes, allBytes  int64 // of what has ended, and of all
	last             time.Time
	spans            []span
	current, failed  *step // the largest that is at work, the first that failed
	waiting, stopped int   // announced and not begun; cancelled
	layers           int   // that a push sends; 0 = unknown
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
	_, layers := s.layers()
	t.layers += layers
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

// row returns the row of a kind, and whether there is something to tell. ended says that nothing more comes.
func (b *build) row(k kind, now time.Time, ended bool) (Row, bool) {
	t := b.tally(k)
	r := Row{What: b.title(k, t, ended), State: Done, Took: t.took(now), Ended: t.last, kind: k, rest: t.waiting == 0}
	switch {
	case t.ran == 0:
		return Row{}, false
	case t.failed != nil:
		r.State, r.Now = Failed, t.failed.name
	case t.current != nil:
		r.State, r.Wait = Running, rowKinds[k].wait
		moving := r.Took
		if k == export {
			moving = t.current.moving(now)
		}
		r.Now = t.now(k, moving)
	case t.stopped > 0:
		r.State = Cancelled
	case t.waiting > 0 && !ended && k != download && !b.written():
		r.State, r.Now = Waiting, t.now(k, r.Took)
	default:
		r.Now = t.sum(k, r.Took)
	}
	return r, r.State != Done || r.Took >= blink && (k != assemble || r.Took >= time.Second)
}

// written reports whether the image has been written: what has not begun by then was not needed.
func (b *build) written() bool {
	t := b.tally(export)
	return t.ended > 0 && t.current == nil && t.failed == nil
}

// title is what a row is called.
func (b *build) title(k kind, t tally, ended bool) string {
	title := rowKinds[k].title
	n := t.ran
	switch {
	case k == resolve && b.packages() != "":
		return "resolve " + b.packages()
	case k == base && t.ran > 0:
		return strings.TrimSuffix(title+" "+b.first(base), " ")
	case k == export && t.current != nil && t.layers > 0:
		sent, _ := t.current.layers()
		return fmt.Sprintf("push layer %d of %d", min(sent+1, t.layers), t.layers)
	case k == export && b.pushes():
		return "write and push the image"
	case k == download || k == unpack:
		if k == unpack && !ended {
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

// now is what a row that is at work, or has more to do, is at.
func (t tally) now(k kind, took time.Duration) string {
	var texts []string
	switch {
	case k == resolve, k == export && t.layers == 0: // what is moved is moved for a single step, or has been moved
	case t.allBytes > 0 && (t.bytes == 0 || t.bytes == t.allBytes): // BuildKit says nothing of a download before its end
		texts = append(texts, counts.Bytes(t.allBytes))
	case t.allBytes > 0:
		texts = append(texts, counts.Bytes(t.bytes)+" of "+counts.Bytes(t.allBytes)+speed(t.bytes, took))
	case t.ran+t.waiting > 1 && rowKinds[k].noun != "":
		texts = append(texts, fmt.Sprintf("%d done", t.ended))
	}
	if t.current != nil {
		if at := t.current.at(k); at != "" {
			texts = append(texts, at)
		}
	}
	return strings.Join(texts, ", ")
}

// at is what a row that is at a step says of it: nothing where its title does.
func (s *step) at(k kind) string {
	switch k {
	case app, assemble:
		return ""
	case base, export, cache:
		return s.phase()
	case unpack:
		return strings.TrimPrefix(s.name, "unpack ")
	}
	if all, got := s.bytes(); k == resolve && got > 0 && got < all {
		return "pull " + s.name + ", " + counts.Bytes(got) + " of " + counts.Bytes(all)
	}
	return s.name
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
	switch {
	case k == download:
		return counts.Bytes(t.bytes) + speed(t.bytes, took)
	case k == export && t.layers > 0:
		return counts.Plural(t.layers, "layer") + ", " + counts.Bytes(t.bytes)
	case k == base && t.bytes > 0: // much of the time it was unpacked
		return counts.Bytes(t.bytes)
	}
	return ""
}

// isLayer begins what is said of a layer that is pushed (package builder/publish).
const isLayer = "pushing layer sha256:"

// layers are how many layers a push has sent, and how many it sends; 0 = that is unknown, or a push is at something else.
func (s *step) layers() (sent, all int) {
	if s.running() && !slices.ContainsFunc(s.parts, func(p *part) bool { return p.id == "pushing layers" && !p.done }) {
		return 0, 0
	}
	for _, p := range s.parts {
		if strings.HasPrefix(p.id, isLayer) {
			all++
			if p.done {
				sent++
			}
		}
	}
	return sent, all
}

// moving is how long a step has moved bytes; a push begins long after the export that it belongs to.
func (s *step) moving(now time.Time) time.Duration {
	for _, p := range s.parts {
		if strings.HasPrefix(p.id, isLayer) {
			return now.Sub(p.began)
		}
	}
	return 0
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
	{"extracting", "unpack"}, {"sending tarball", "send the archive"}, {"writing layer", "push layers"}, {"preparing", "list layers"},
}
