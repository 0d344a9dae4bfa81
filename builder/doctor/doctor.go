package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// State is how a check ended.
type State string

// The values. A Warning stops no build; what is Wrong would.
const (
	OK      State = "ok"
	Warning State = "warning"
	Wrong   State = "wrong"
)

// Check is one thing that was looked at.
type Check struct {
	Name  string     `json:"name"`           // "daemon", "push registry.example.com/team/app"
	State State      `json:"state"`          // ok, warning, wrong
	Found string     `json:"found"`          // what was found, on one line
	Fix   string     `json:"fix,omitempty"`  // what mends it: a command, a flag or a setting
	Code  fault.Code `json:"code,omitempty"` // of the error that a build would end with
}

// Probe looks at something, by itself.
type Probe struct {
	Name  string        // of the check that says that it took too long
	Limit time.Duration // that it may take
	Late  State         // of that check
	Look  func(ctx context.Context) []Check
}

// Run lets all probes look at once, and returns their checks in the order of the probes. A probe that takes longer than its limit is left behind.
func Run(ctx context.Context, probes []Probe) []Check {
	found := make([][]Check, len(probes))
	var wg sync.WaitGroup
	for i, p := range probes {
		wg.Go(func() { found[i] = p.run(ctx) })
	}
	wg.Wait()
	return slices.Concat(found...)
}

func (p Probe) run(ctx context.Context) []Check {
	ctx, cancel := context.WithTimeout(ctx, p.Limit)
	defer cancel()
	done := make(chan []Check, 1)
	go func() { done <- p.Look(ctx) }()
	select {
	case checks := <-done:
		return checks
	case <-ctx.Done():
	}
	select { // what ends with the context says more
	case checks := <-done:
		return checks
	case <-time.After(grace):
		return []Check{{Name: p.Name, State: p.Late, Found: fmt.Sprintf("nothing answers within %d s", int(p.Limit.Seconds()))}}
	}
}

// grace is how long a probe has to end once its limit has passed.
const grace = time.Second

// Failed are the checks that are Wrong.
func Failed(checks []Check) []Check {
	return slices.DeleteFunc(slices.Clone(checks), func(c Check) bool { return c.State != Wrong })
}

// ofFault makes a check of an error: its first fault, with the hint that comes first.
func ofFault(name string, state State, err error) Check {
	f := fault.All(err)[0]
	c := Check{Name: name, State: state, Found: OneLine(f.Message), Code: f.Code}
	if len(f.Hints) > 0 {
		c.Fix = OneLine(f.Hints[0])
	}
	return c
}

// OneLine puts a text on one line.
func OneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
