package rows

import "time"

// Log tells rows where nothing can be drawn over: each when it has ended, and what runs long, now and then.
type Log struct {
	Every time.Duration // how long is waited before a line on what still runs
	last  time.Time
	told  map[of]bool
}

// of is which row it is: what it is called changes.
type of struct {
	profile string
	kind    kind
}

// settled is how long a row has to be at rest before it is told that it has ended.
const settled = 2 * time.Second

// Lines returns the lines that are new at a time, of the rows in the state of that time. ended says that nothing more comes.
func (l *Log) Lines(rows []Row, now time.Time, ended bool) []string {
	if l.told == nil {
		l.told, l.last = map[of]bool{}, now
	}
	var lines []string
	say := func(r Row, text string) {
		if r.Profile != "" {
			text = r.Profile + ": " + text
		}
		lines = append(lines, text)
	}
	for _, r := range rows {
		key := of{r.Profile, r.kind}
		if r.State != Running && r.State != Waiting && !l.told[key] && (ended || r.rest && now.Sub(r.Ended) >= settled) {
			l.told[key] = true
			say(r, Text(r)+", "+Seconds(r.Took))
		}
	}
	if len(lines) > 0 {
		l.last = now
	}
	if now.Sub(l.last) < l.Every {
		return lines
	}
	l.last = now
	for _, r := range rows {
		if r.State != Running {
			continue
		}
		text := "still: " + Text(r) + ", " + Seconds(r.Took)
		if r.Wait != "" && r.Took >= long {
			text += " (" + r.Wait + ")"
		}
		say(r, text)
	}
	return lines
}
