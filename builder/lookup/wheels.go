package lookup

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/llb/wheelbuild"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// maxSaid is how many flaws of a wheel the lock keeps.
const maxSaid = 5

// judged says of the wheels of a lock that were looked into which of their files have to be allowed, in what they are flawed, and why they cannot be installed, each by the
// wheel's sha256. It does not depend on what the project allows: that may change without another lock.
func judged(lock *pylock.Lock, seen query.Inspected) (startup, flaws, refused map[string][]string) {
	startup, flaws, refused = map[string][]string{}, map[string][]string{}, map[string][]string{}
	for _, p := range lock.Packages {
		for _, w := range p.Wheels {
			for file, data := range seen.Startup[w.SHA256] {
				if wheel.RunsAtStart(p.Name, file, data) {
					startup[w.SHA256] = append(startup[w.SHA256], file)
				}
			}
			odd, ok := seen.Odd[w.SHA256]
			if !ok {
				continue
			}
			found, err := wheel.Look(w.Name, odd.Entries, odd.Record)
			for _, f := range fault.All(err) {
				refused[w.SHA256] = append(refused[w.SHA256], f.Message)
			}
			flaws[w.SHA256] = found[:min(len(found), maxSaid)]
		}
	}
	return startup, flaws, refused
}

// checkLooked refuses wheels that could not be installed, or only with the project's leave, by what the lock knows of them, and returns notes of those that are flawed. A lock
// that was made otherwise knows nothing: then it is found when they are installed. Every fault is a fault.WheelUnsafe.
func checkLooked(r *recipe.Recipe, lock *pylock.Lock, wheels []pylock.Wheel) (notes []string, err error) {
	var faults fault.List
	for _, w := range wheels {
		for _, says := range lock.Tool.Refused[w.SHA256] {
			faults = append(faults, fault.New(fault.WheelUnsafe, "%s", says).Hint("no installer can take it as it is: tell its maintainers, or choose another version"))
		}
		for _, file := range lock.Tool.Startup[w.SHA256] {
			if !slices.ContainsFunc(r.Requires.Allow, func(item string) bool { return wheel.Allows(item, w.Name, file) }) {
				faults = append(faults, fault.New(fault.WheelUnsafe, "%s: %q runs code at every start of Python", w.Filename, file).
					Hint("to allow it: python: {allow: [%s/%s]}; or choose another version", w.Name, file))
			}
		}
		flaws := lock.Tool.Flaws[w.SHA256]
		switch {
		case len(flaws) == 0:
		case r.Requires.StrictWheels:
			faults = append(faults, fault.New(fault.WheelUnsafe, "%s: %s", w.Filename, strings.Join(flaws, "; ")).
				Hint("python.strict_wheels refuses it: take that away, or choose another version"))
		default:
			notes = append(notes, fmt.Sprintf("%s: %s; it is installed as pip does, with a RECORD of what is there", w.Label(), strings.Join(flaws, "; ")))
		}
	}
	return notes, faults.Err()
}

// overlapNotes names packages that bring the same path with different bytes, and whose stays.
func overlapNotes(r *recipe.Recipe, lock *pylock.Lock, wheels []pylock.Wheel) []string {
	have := map[string]bool{}
	for _, w := range wheels {
		have[w.Name] = true
	}
	var notes []string
	for _, pair := range slices.Sorted(maps.Keys(lock.Tool.Overlaps)) {
		if a, b, ok := strings.Cut(pair, " "); ok && have[a] && have[b] {
			notes = append(notes, fmt.Sprintf("%s and %s both bring %s with different contents; %s", a, b, strings.Join(lock.Tool.Overlaps[pair], ", "), whoseStays(r, wheels, a, b)))
		}
	}
	return notes
}

// whoseStays says which of two packages lies in the later layer.
func whoseStays(r *recipe.Recipe, wheels []pylock.Wheel, a, b string) string {
	later := laterOf(r, wheels, a, b, mostLayers)
	if later == "" || later != laterOf(r, wheels, a, b, mostLayers/2) {
		return "the later layer's stays"
	}
	if slices.Contains(r.Requires.Last, later) {
		return later + "'s stays, as python.last says"
	}
	other := a
	if later == a {
		other = b
	}
	return fmt.Sprintf("%s's stays; for the other's: python: {last: [%s]}", later, other)
}

// mostLayers is about how many layers the wheels of an image may have. Fewer send wheels to the layers of small ones, which may change whose layer is the later one.
const mostLayers = 100

// laterOf returns which of two packages is laid down later, where the wheels have so many layers; "" if that cannot be said.
func laterOf(r *recipe.Recipe, wheels []pylock.Wheel, a, b string, limit int) string {
	there, sources := wheelbuild.Split(wheels)
	later := ""
	for _, l := range layerplan.PlanWheels(there, r.Layers, limit, r.Requires.Last) {
		for _, w := range l.Wheels {
			if w.Name == a || w.Name == b {
				later = w.Name
			}
		}
	}
	for _, w := range sources {
		if w.Name == a || w.Name == b {
			if later == w.Name || slices.ContainsFunc(sources, func(s pylock.Wheel) bool { return s.Name != w.Name && (s.Name == a || s.Name == b) }) {
				return ""
			}
			later = w.Name
		}
	}
	return later
}

// Pruned is what one rule leaves out of an image.
type Pruned struct {
	Rule  string `json:"rule"`  // name of the rule
	Bytes int64  `json:"bytes"` // unpacked
}

// countPruned adds up what the lock says of the wheels that were chosen. A lock that was made for other rules says nothing: then a note says so.
func countPruned(rules recipe.Pruning, lock *pylock.Lock, wheels []pylock.Wheel) (pruned []Pruned, notes []string) {
	if len(rules.Rules) == 0 {
		return nil, nil
	}
	if lock.Tool.Pruning != rules.Key() {
		return nil, []string{"what pruning saves was not counted: \"mlbuild lock\" looks into the packages"}
	}
	for _, rule := range rules.Rules {
		p := Pruned{Rule: rule.Name}
		for _, w := range wheels {
			p.Bytes += lock.Tool.Pruned[w.SHA256+" "+rule.Name]
		}
		pruned = append(pruned, p)
	}
	return pruned, nil
}
