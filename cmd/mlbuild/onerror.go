package main

import (
	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// The values of --on-error.
const (
	onErrorShell   = "shell"
	onErrorSecrets = "shell,secrets"
)

const onErrorHelp = "`what` to do when a step fails: shell opens a shell in it, shell,secrets one that also has the step's secrets"

// parseOnError reads --on-error, nil where it is not given. A shell needs a terminal, and one build that it belongs to.
func (b *buildFlags) parseOnError(e *env) (*builder.OnError, error) {
	switch b.onError {
	case "":
		return nil, nil
	case onErrorShell, onErrorSecrets:
	default:
		return nil, fault.New(fault.Usage, "--on-error is %s or %s, and not %q", onErrorShell, onErrorSecrets, b.onError)
	}
	if e.terminal() == nil || !isTerminal(e.stderr) {
		return nil, fault.New(fault.Usage, "--on-error=%s needs a terminal, and stdin and stderr are not one", b.onError)
	}
	return &builder.OnError{Secrets: b.onError == onErrorSecrets}, b.project.single()
}

// shellAfter says why a shell is opened and where, and connects it with the terminal. The fault is told once more when the build ends, as that of every build.
func (s *session) shellAfter(e *env, why error, place string) (builder.Streams, error) {
	s.end(e)
	printFaults(e, distinct(fault.All(why)))
	e.note("a shell in %s: exit or Ctrl-D leaves it, and the build ends with the fault above", place)
	return e.attach(e.stderr)
}
