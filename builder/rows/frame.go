package rows

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// long is from when on a row says why it takes so long.
const long = 10 * time.Second

// Nothing is the one line of a build for which nothing had to be done.
const Nothing = "everything was built before"

// signs stand before rows by their state.
var signs = map[State]string{Running: "▸", Done: "✓", Failed: "✗", Cancelled: "–", Waiting: "·"}

// Frame writes rows as lines of at most width characters, the times at the right. The row that has run longest says what it waits for. height bounds the lines: rows that are done go first; 0 = no bound.
func Frame(rows []Row, width, height int) []string {
	rows = fit(rows, height-1) // one line is for the wait
	longest := -1
	for i, r := range rows {
		if r.State == Running && r.Wait != "" && r.Took >= long && (longest < 0 || r.Took > rows[longest].Took) {
			longest = i
		}
	}
	profiles := 0
	for _, r := range rows {
		profiles = max(profiles, utf8.RuneCountInString(r.Profile))
	}
	var lines []string
	for i, r := range rows {
		left := signs[r.State] + " "
		if profiles > 0 {
			left += fmt.Sprintf("%-*s  ", profiles, r.Profile)
		}
		lines = append(lines, line(left+Text(r), Seconds(r.Took), width))
		if i == longest {
			lines = append(lines, short(strings.Repeat(" ", utf8.RuneCountInString(left))+r.Wait, width))
		}
	}
	return lines
}

// fit leaves out what is done, from the top, until there are at most height rows; at most 0 is no bound.
func fit(rows []Row, height int) []Row {
	var kept []Row
	drop := len(rows) - height
	for _, r := range rows {
		if height > 0 && drop > 0 && r.State == Done {
			drop--
			continue
		}
		kept = append(kept, r)
	}
	if height > 0 && len(kept) > height {
		kept = kept[len(kept)-height:]
	}
	return kept
}

// Text is a row in words, without its profile and its time.
func Text(r Row) string {
	switch {
	case r.State == Cancelled:
		return r.What + ", cancelled"
	case r.State == Failed:
		return r.What + " failed: " + r.Now
	case r.Now != "":
		return r.What + ", " + r.Now
	}
	return r.What
}

// Seconds writes a time as people read it: "0.3s", "12s", "3m04s".
func Seconds(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	}
	return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
}

// line is a text with another at the right end of at most 100 characters.
func line(text, right string, width int) string {
	width = min(width, 100)
	room := width - utf8.RuneCountInString(right) - 1
	text = short(text, room)
	return text + strings.Repeat(" ", max(room-utf8.RuneCountInString(text), 0)+1) + right
}

// short is a text of at most width characters.
func short(text string, width int) string {
	all := []rune(text)
	switch {
	case len(all) <= width:
		return text
	case width < 1:
		return ""
	}
	return string(all[:width-1]) + "…"
}
