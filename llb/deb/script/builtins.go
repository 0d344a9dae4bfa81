package script

import (
	"maps"
	"strconv"
	"strings"
)

// builtin is what a command does that changes the shell which runs the script. args[0] is its name.
type builtin func(e *evaluator, args []string) (status, error)

var builtins = func() map[string]builtin {
	all := map[string]builtin{
		"set": set, "shift": shift, "local": local, "readonly": export, "export": export, "unset": unset, "exit": leave, "return": leave,
	}
	maps.Copy(all, debconf)
	return all
}()

// set takes options that stop the script earlier or print more.
func set(e *evaluator, args []string) (status, error) {
	for _, a := range args[1:] {
		if !strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "+") || strings.Trim(a[1:], "eux") != "" {
			return unknown, refuse("set %s", a)
		}
		if strings.Contains(a, "e") {
			e.errexit = a[0] == '-'
		}
	}
	return yes, nil
}

func shift(e *evaluator, args []string) (status, error) {
	n := 1
	if len(args) > 1 {
		n, _ = strconv.Atoi(args[1])
	}
	if n < 1 || n > len(e.vars.args) {
		return unknown, refuse("shift of too much")
	}
	e.vars.args = e.vars.args[n:]
	return yes, nil
}

// local and export are assignments whose words are already expanded.
func local(e *evaluator, args []string) (status, error) {
	if e.vars.locals == nil {
		return unknown, refuse("local outside of a function")
	}
	for _, a := range args[1:] {
		name, text, _ := strings.Cut(a, "=")
		e.vars.local(name, text)
	}
	return yes, nil
}

func export(e *evaluator, args []string) (status, error) {
	for _, a := range args[1:] {
		if name, text, ok := strings.Cut(a, "="); ok {
			e.vars.set(name, text)
		}
	}
	return yes, nil
}

func unset(e *evaluator, args []string) (status, error) {
	for _, name := range args[1:] {
		e.vars.unset(name)
	}
	return yes, nil
}

// leave is exit and return.
func leave(_ *evaluator, args []string) (status, error) {
	st := yes
	if len(args) > 1 {
		st = statusOf(args[1] == "0")
	} else if args[0] == "return" {
		st = unknown
	}
	if args[0] == "return" {
		return st, ret{st}
	}
	if st != yes {
		return st, refuse("the script ends with an error here")
	}
	return st, exit{st}
}
