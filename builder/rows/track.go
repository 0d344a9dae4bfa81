package rows

import (
	"slices"
	"time"
)

// Track is a row of the timeline of a build that has ended.
type Track struct {
	Row
	Why    string // what a long wait for it is for; "" = nothing is known
	Bars   []Bar  // the steps that ran, in the order in which they began
	Cached int    // steps whose result the daemon had
	// Fetched says that the bytes of its bars came over the network.
	Fetched bool
}

// Bar is a time in which a step was at work.
type Bar struct {
	Name         string // "scipy 1.17.1"
	Began, Ended time.Time
	Bytes        int64 // that a download or an export moved; 0 = none, or unknown
}

// Tracks are the rows of one profile's build with the steps in them, in the order in which an image is made; those too of which a cache had every step.
func (b *Board) Tracks(profile string, now time.Time) []Track {
	var tracks []Track
	for _, own := range b.builds {
		for k := range kinds {
			if t, any := own.track(k, now); any && own.profile == profile {
				tracks = append(tracks, t)
			}
		}
	}
	return tracks
}

// track returns a row with its steps, and whether there is any.
func (b *build) track(k kind, now time.Time) (Track, bool) {
	row, any := b.row(k, now, true)
	t := Track{Row: row, Why: rowKinds[k].wait, Fetched: k == download || k == base}
	if !any {
		t.What = rowKinds[k].title
	}
	for _, s := range b.order {
		switch {
		case s.kind != k:
		case s.cached:
			t.Cached++
		case any && s.ran():
			bytes, _ := s.bytes()
			for _, sp := range s.spans {
				t.Bars = append(t.Bars, Bar{Name: s.name, Began: sp.began, Ended: sp.ended, Bytes: bytes})
			}
			if s.running() {
				t.Bars = append(t.Bars, Bar{Name: s.name, Began: s.began, Ended: now, Bytes: bytes})
			}
		}
	}
	slices.SortStableFunc(t.Bars, func(x, y Bar) int { return x.Began.Compare(y.Began) })
	return t, any || t.Cached > 0 && k != assemble
}
