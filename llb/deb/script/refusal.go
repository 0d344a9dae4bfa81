package script

import (
	"errors"
	"fmt"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// refusal is the error that sends a package the dpkg way.
type refusal struct {
	script string // its name; run adds it
	line   uint   // a command does not know its own: call adds it
	why    string
}

func (r refusal) Error() string { return fmt.Sprintf("%s line %d: %s", r.script, r.line, r.why) }

// refuse is the refusal of a command.
func refuse(format string, args ...any) error {
	why := fmt.Sprintf(format, args...)
	if len(why) > maxReason {
		why = strings.ToValidUTF8(why[:maxReason], "") + "…"
	}
	return refusal{why: why}
}

// refuseAt is the refusal of a part of a script.
func refuseAt(n syntax.Node, format string, args ...any) error {
	return at(n, refuse(format, args...))
}

// at adds the line of a command to its refusal.
func at(n syntax.Node, err error) error {
	if r, ok := errors.AsType[refusal](err); ok && r.line == 0 {
		r.line = n.Pos().Line()
		return r
	}
	return err
}

// in adds the name of a script to a refusal that has none.
func in(script string, err error) error {
	if r, ok := errors.AsType[refusal](err); ok && r.script == "" {
		r.script = script
		return r
	}
	return err
}
