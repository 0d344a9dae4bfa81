package diagnose

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mlbuild/mlbuild/builder/limits"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// lookEvery is how often downloads are looked at.
const lookEvery = 5 * time.Second

// EndStalled returns a context that ends with a *limits.TimedOutError as its cause when downloads of the daemon have stalled, and what ends the watch. BuildKit's HTTP source
// waits without end for a server that accepts and sends nothing, and reports no progress (source/http), so a stall is the silence of all steps while nothing but downloads runs.
func (w *Watcher) EndStalled(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	w.mu.Lock()
	w.news = time.Now() // what was heard of an earlier build of the variant is no news of this one
	w.mu.Unlock()
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(lookEvery):
				if err := w.stalled(time.Now()); err != nil {
					cancel(err)
				}
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}

// stalled returns what was waited for in vain, nil while something else runs or may still arrive.
func (w *Watcher) stalled(now time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	files := map[string]int64{}
	for d, v := range w.last {
		if v.Started == nil || v.Completed != nil {
			continue
		}
		step := w.are[d]
		if step.Kind != ops.StepDownload {
			return nil
		}
		files[step.Name] = step.Size
	}
	wait := limits.Download(slices.Collect(maps.Values(files)))
	if len(files) == 0 || now.Sub(w.news) < wait {
		return nil
	}
	return &limits.TimedOutError{What: "the daemon's download of " + strings.Join(slices.Sorted(maps.Keys(files)), ", "), For: wait}
}

// StalledFault is the fault of downloads that have stalled.
func StalledFault(err error) *fault.Fault {
	return fault.New(fault.Download, "nothing has arrived: %w", err).Hint("the server accepts connections and sends nothing: run the same command again later").Retryable()
}
