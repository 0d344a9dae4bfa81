package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/mlbuild/mlbuild/builder/rows"
	"github.com/mlbuild/mlbuild/llb/counts"
)

// timelineView is the timeline of a build.
type timelineView struct {
	Rows  []trackView
	Ticks []string // times along the bars, from the beginning to the end
	Told  string   // why the longest row took so long; "" = nothing took long
}

// trackView is a row of a timeline.
type trackView struct {
	What, State  string
	Took         string
	Began, Ended string // since the build began
	Steps        string // how many ran, and how many a cache had
	Longest      string // the step that took longest
	Height       int    // of the bars, in pixels
	Bars         []barView
}

// barView is a bar: x and width in thousandths of the build, y and height in pixels.
type barView struct{ X, Y, W, H, Title string }

// The sizes of a timeline, in pixels.
const (
	lane     = 8  // height of the bars that lie beside no others
	maxLanes = 80 // height of all bars of a row
)

// timelineOf draws tracks. Those of which a cache had everything have no bar.
func timelineOf(tracks []rows.Track, began time.Time) timelineView {
	var whole time.Duration
	for _, t := range tracks {
		for _, b := range t.Bars {
			whole = max(whole, b.Ended.Sub(began))
		}
	}
	v := timelineView{Told: longestWait(tracks, whole)}
	for _, t := range tracks {
		v.Rows = append(v.Rows, trackOf(t, began, whole))
	}
	if whole > 0 {
		for i := range 5 {
			v.Ticks = append(v.Ticks, rows.Seconds(whole*time.Duration(i)/4))
		}
	}
	return v
}

// longestWait says what took longest, and what for.
func longestWait(tracks []rows.Track, whole time.Duration) string {
	var longest rows.Track
	for _, t := range tracks {
		if t.Took > longest.Took {
			longest = t
		}
	}
	if whole == 0 {
		return "Nothing had to be done: " + rows.Nothing + "."
	}
	if len(longest.Bars) == 0 {
		return ""
	}
	text := fmt.Sprintf("Longest: %s, %s of %s", longest.What, rows.Seconds(longest.Took), rows.Seconds(whole))
	if step := longestBar(longest.Bars); step.Name != "" && len(longest.Bars) > 1 {
		text += fmt.Sprintf(" (%s alone took %s)", step.Name, rows.Seconds(step.Ended.Sub(step.Began)))
	}
	if longest.Why != "" {
		text += ": " + longest.Why
	}
	return text + "."
}

// longestBar is the step that took longest.
func longestBar(bars []rows.Bar) (longest rows.Bar) {
	for _, b := range bars {
		if b.Ended.Sub(b.Began) > longest.Ended.Sub(longest.Began) {
			longest = b
		}
	}
	return longest
}

var stateClasses = map[rows.State]string{rows.Running: "failed", rows.Done: "done", rows.Failed: "failed", rows.Cancelled: "cancelled"}

func trackOf(t rows.Track, began time.Time, whole time.Duration) trackView {
	v := trackView{What: t.What, State: stateClasses[t.State], Steps: stepsText(len(t.Bars), t.Cached)}
	if len(t.Bars) == 0 {
		v.State = "cached"
		return v
	}
	v.What, v.Took = rows.Text(t.Row), rows.Seconds(t.Took)
	first, last := t.Bars[0].Began, t.Bars[0].Ended
	lanes := lanesOf(t.Bars)
	count := 0
	for i, b := range t.Bars {
		count = max(count, lanes[i]+1)
		if b.Ended.After(last) {
			last = b.Ended
		}
	}
	v.Began, v.Ended = rows.Seconds(max(0, first.Sub(began))), rows.Seconds(last.Sub(began))
	if b := longestBar(t.Bars); b.Name != "" {
		v.Longest = b.Name + ", " + rows.Seconds(b.Ended.Sub(b.Began))
	}
	v.Height = min(maxLanes, max(lane*2, lane*count))
	each := float64(v.Height) / float64(count)
	for i, b := range t.Bars {
		x := 1000 * max(0, b.Began.Sub(began).Seconds()) / whole.Seconds()
		w := max(1.5, 1000*b.Ended.Sub(b.Began).Seconds()/whole.Seconds())
		title := b.Name
		if title == "" {
			title = t.What
		}
		title += ", " + rows.Seconds(b.Ended.Sub(b.Began))
		if b.Bytes > 0 {
			title += ", " + counts.Bytes(b.Bytes)
		}
		v.Bars = append(v.Bars, barView{X: pixels(min(x, 998.5)), Y: pixels(float64(lanes[i]) * each), W: pixels(w), H: pixels(max(each-1, 0.5)), Title: title})
	}
	return v
}

// lanesOf puts bars that overlap into lanes of their own, each into the first that is free. The bars are in the order in which they began.
func lanesOf(bars []rows.Bar) []int {
	var free []time.Time
	lanes := make([]int, len(bars))
	for i, b := range bars {
		at := 0
		for at < len(free) && free[at].After(b.Began) {
			at++
		}
		if at == len(free) {
			free = append(free, time.Time{})
		}
		free[at], lanes[i] = b.Ended, at
	}
	return lanes
}

func stepsText(ran, cached int) string {
	var parts []string
	if ran > 0 {
		parts = append(parts, fmt.Sprintf("%d run", ran))
	}
	if cached > 0 {
		parts = append(parts, fmt.Sprintf("%d cached", cached))
	}
	return strings.Join(parts, ", ")
}
