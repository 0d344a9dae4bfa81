package script

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/llb/deb"
)

// value is the text of a word or variable, if it is known.
type value struct {
	text  string
	known bool
}

// environment are variables that a script may ask for without setting them. dpkg sets the first ones; the others are unknown.
var environment = map[string]value{
	"DPKG_ROOT": {"", true}, "IFS": {" \t\n", true},
	"PATH": {"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", true},
	"HOME": {}, "USER": {}, "PWD": {}, "SHELL": {}, "TERM": {}, "LANG": {}, "LC_ALL": {}, "TZ": {}, "0": {}, "?": {}, "$": {}, "!": {}, "-": {},
	"DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT": {}, "DPKG_ADMINDIR": {"/var/lib/dpkg", true},
}

// variables are those of one script, and its arguments or those of the function that runs.
type variables struct {
	script string            // its name
	dpkg   map[string]string // what dpkg says to the script
	args   []string          // $1…
	values map[string]value  // what the script set
	locals map[string]*value // what the variables of the running function were before; nil outside
}

func newVariables(info deb.Info, script string, args ...string) *variables {
	return &variables{
		script: script,
		dpkg: map[string]string{
			"DPKG_MAINTSCRIPT_PACKAGE": info.Package, "DPKG_MAINTSCRIPT_NAME": script, "DPKG_MAINTSCRIPT_ARCH": info.Architecture,
		},
		args:   args,
		values: map[string]value{},
	}
}

// copy returns the variables of a subshell, which may set them without effect on these.
func (v *variables) copy() *variables {
	c := *v
	c.values = maps.Clone(v.values)
	return &c
}

// get returns the value of a parameter. One that nobody sets is empty.
func (v *variables) get(name string) value {
	if n, err := strconv.Atoi(name); err == nil && n > 0 {
		if n <= len(v.args) {
			return value{v.args[n-1], true}
		}
		return value{"", true}
	}
	switch name {
	case "#":
		return value{strconv.Itoa(len(v.args)), true}
	case "@", "*":
		return value{strings.Join(v.args, " "), true}
	}
	if text, ok := v.dpkg[name]; ok {
		return value{text, true}
	}
	if x, ok := v.values[name]; ok {
		return x
	}
	if x, ok := environment[name]; ok {
		return x
	}
	return value{"", true}
}

// isSet reports whether a parameter is set, if only to the empty text.
func (v *variables) isSet(name string) bool {
	if strings.HasPrefix(name, "DPKG_") {
		return true
	}
	if n, err := strconv.Atoi(name); err == nil {
		return n <= len(v.args)
	}
	_, set := v.values[name]
	return set
}

func (v *variables) set(name, text string) { v.values[name] = value{text, true} }

// declare makes a variable known that has no value yet.
func (v *variables) declare(name string) {
	if _, ok := v.values[name]; !ok {
		v.set(name, "")
	}
}

func (v *variables) unset(name string) {
	delete(v.values, name)
	if _, ok := environment[name]; ok {
		v.set(name, "")
	}
}

// local sets a variable until the function that runs is left.
func (v *variables) local(name, text string) {
	if _, ok := v.locals[name]; !ok {
		v.locals[name] = nil
		if old, ok := v.values[name]; ok {
			v.locals[name] = &old
		}
	}
	v.set(name, text)
}

// enter begins a function with these arguments. What it returns ends the function.
func (v *variables) enter(args []string) (leave func()) {
	outer, locals := v.args, v.locals
	v.args, v.locals = args, map[string]*value{}
	return func() {
		for _, name := range slices.Sorted(maps.Keys(v.locals)) {
			if old := v.locals[name]; old != nil {
				v.values[name] = *old
			} else {
				delete(v.values, name)
			}
		}
		v.args, v.locals = outer, locals
	}
}
