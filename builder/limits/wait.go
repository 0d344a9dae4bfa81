package limits

import (
	"context"
	"fmt"
	"time"
)

// TimedOutError says that nothing came of a wait.
type TimedOutError struct {
	What string // what was waited for, for people
	For  time.Duration
}

// Error implements error.
func (t *TimedOutError) Error() string { return fmt.Sprintf("waited %s for %s", t.For, t.What) }

// Timeout reports that trying again may help, as net.Error does.
func (t *TimedOutError) Timeout() bool { return true }

// Wait runs f, which need not heed its context, and returns what it does. After the limit it returns a *TimedOutError that names what, and when ctx ends that
// context's cause; f is then left to itself.
func Wait[T any](ctx context.Context, limit time.Duration, what string, f func(context.Context) (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	timed, cancel := context.WithTimeoutCause(ctx, limit, &TimedOutError{what, limit})
	answered := make(chan answer, 1)
	go func() {
		defer cancel()
		value, err := f(timed)
		if err != nil && timed.Err() != nil {
			err = context.Cause(timed) // what f says of an ended context
		}
		answered <- answer{value, err}
	}()
	select {
	case a := <-answered:
		return a.value, a.err
	case <-timed.Done():
	}
	select {
	case a := <-answered: // both at once
		return a.value, a.err
	default:
	}
	var none T
	return none, context.Cause(timed)
}
