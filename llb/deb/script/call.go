package script

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// command is what a known command does. args[0] is its name.
type command func(r *reader, at syntax.Node, args []string) (status, error)

// commands are all that a script may call. It is filled when the program starts, because they call the reader again.
var commands map[string]command

func init() {
	commands = map[string]command{
		":": succeed, "true": succeed, "false": fail, "set": set, "shift": shift, "local": local, "readonly": export, "export": export, "unset": unset,
		"exit": leave, "return": leave, "umask": succeed, "command": askProgram, "which": askProgram, "type": askProgram,
		".": source, "test": test, "[": test,
		"dpkg": dpkg, "dpkg-maintscript-helper": maintscriptHelper, "dpkg-trigger": succeed, "dpkg-statoverride": statoverride, "dpkg-divert": divert,
		"ldconfig": succeed, "getent": getent, "cmp": compare, "update-alternatives": alternatives,
		"addgroup": addgroup, "groupadd": addgroup, "adduser": adduser, "useradd": adduser,
		"mkdir": mkdir, "install": install, "rmdir": remove, "rm": remove, "ln": link, "chown": chown, "chgrp": chown, "chmod": chmod,
	}
	maps.Copy(commands, debconf)
	for name := range leftOut {
		commands[name] = leaveOut
	}
	maps.Copy(commands, caches)
}

// leftOut are commands that are not done, and why that does no harm.
var leftOut = map[string]string{
	"update-rc.d": noInit, "invoke-rc.d": noInit, "service": noInit, "systemctl": noInit, "deb-systemd-helper": noInit, "deb-systemd-invoke": noInit,
	"systemd-tmpfiles": noInit, "udevadm": noInit,
	"fc-cache":                "fontconfig reads the fonts themselves",
	"update-menus":            "there is no desktop",
	"update-desktop-database": "there is no desktop",
	"update-icon-caches":      "there is no desktop",
	"gtk-update-icon-cache":   "there is no desktop",
	"update-mime":             "there is no desktop",
	"install-info":            "there is no documentation",
	"py3compile":              "Python compiles what it imports",
	"update-fonts-dir":        "there is no X server",
	"update-fonts-alias":      "there is no X server",
	"update-fonts-scale":      "there is no X server",
}

const noInit = "no init runs in a container"

func succeed(*reader, syntax.Node, []string) (status, error) { return yes, nil }
func fail(*reader, syntax.Node, []string) (status, error)    { return no, nil }

func leaveOut(r *reader, _ syntax.Node, args []string) (status, error) {
	what := args[0]
	if why := leftOut[what]; why == noInit {
		what = strings.Join(args[:min(len(args), 3)], " ")
		r.leaveOut(what, why)
	} else {
		r.leaveOut(what, why)
	}
	return yes, nil
}

// call follows a simple command.
func (r *reader) call(c *syntax.CallExpr, s *syntax.Stmt) (status, error) {
	if len(c.Args) == 0 {
		return yes, r.assign(c.Assigns)
	}
	if r.prints(c) {
		return yes, r.readsOnly(s) // what it says does not matter
	}
	args, err := r.fields(c.Args)
	if err != nil || len(args) == 0 {
		return yes, err
	}
	if body, ok := r.funcs[args[0]]; ok {
		return r.function(body, args[1:])
	}
	name := args[0]
	for _, dir := range []string{"/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/"} {
		name = strings.TrimPrefix(name, dir)
	}
	do, ok := commands[name]
	if !ok {
		do, ok = commands[path2name(args[0])]
	}
	if !ok {
		return unknown, r.refuse(s, "it calls %s", args[0])
	}
	args[0] = name
	return do(r, s, args)
}

// prints reports whether a command is echo or printf, and not a function of this name or printf -v.
func (r *reader) prints(c *syntax.CallExpr) bool {
	name := c.Args[0].Lit()
	if r.funcs[name] != nil || len(c.Assigns) > 0 {
		return false
	}
	return name == "echo" || name == "printf" && (len(c.Args) < 2 || c.Args[1].Lit() != "-v")
}

// path2name is the name of a program that lies in a directory of its own and is known by its name alone.
func path2name(program string) string {
	i := strings.LastIndexByte(program, '/')
	if name := program[i+1:]; caches[name] != nil {
		return name
	}
	return program
}

// function follows a function of the script.
func (r *reader) function(body *syntax.Stmt, args []string) (status, error) {
	if r.depth++; r.depth > maxDepth {
		return unknown, r.refuse(body, "functions that call each other without end")
	}
	outer, locals := r.args, r.locals
	r.args, r.locals = args, map[string]*value{}
	defer func() {
		for _, name := range slices.Sorted(maps.Keys(r.locals)) {
			if old := r.locals[name]; old != nil {
				r.vars[name] = *old
			} else {
				delete(r.vars, name)
			}
		}
		r.args, r.locals = outer, locals
		r.depth--
	}()
	st, err := r.stmt(body)
	if e, ok := errors.AsType[ret](err); ok {
		return e.status, nil
	}
	return st, err
}

// set takes options that stop the script earlier or print more.
func set(r *reader, at syntax.Node, args []string) (status, error) {
	for _, a := range args[1:] {
		if !strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "+") || strings.Trim(a[1:], "eux") != "" {
			return unknown, r.refuse(at, "set %s", a)
		}
		if strings.Contains(a, "e") {
			r.errexit = a[0] == '-'
		}
	}
	return yes, nil
}

func shift(r *reader, at syntax.Node, args []string) (status, error) {
	n := 1
	if len(args) > 1 {
		n, _ = strconv.Atoi(args[1])
	}
	if n < 1 || n > len(r.args) {
		return unknown, r.refuse(at, "shift of too much")
	}
	r.args = r.args[n:]
	return yes, nil
}

// local and export are assignments whose words are already expanded.
func local(r *reader, at syntax.Node, args []string) (status, error) {
	if r.locals == nil {
		return unknown, r.refuse(at, "local outside of a function")
	}
	for _, a := range args[1:] {
		name, text, _ := strings.Cut(a, "=")
		if _, ok := r.locals[name]; !ok {
			r.locals[name] = nil
			if old, ok := r.vars[name]; ok {
				r.locals[name] = &old
			}
		}
		r.vars[name] = value{text, true}
	}
	return yes, nil
}

func export(r *reader, _ syntax.Node, args []string) (status, error) {
	for _, a := range args[1:] {
		if name, text, ok := strings.Cut(a, "="); ok {
			r.vars[name] = value{text, true}
		}
	}
	return yes, nil
}

func unset(r *reader, _ syntax.Node, args []string) (status, error) {
	for _, name := range args[1:] {
		delete(r.vars, name)
		if _, ok := environment[name]; ok {
			r.vars[name] = value{"", true}
		}
	}
	return yes, nil
}

// leave is exit and return.
func leave(r *reader, at syntax.Node, args []string) (status, error) {
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
		return st, r.refuse(at, "the script ends with an error here")
	}
	return st, exit{st}
}

// source reads debconf's functions, which are known; the questions were answered before.
func source(r *reader, at syntax.Node, args []string) (status, error) {
	if len(args) != 2 || args[1] != "/usr/share/debconf/confmodule" {
		return unknown, r.refuse(at, "it reads %s", strings.Join(args[1:], " "))
	}
	if r.asked || r.script == "config" {
		return yes, nil
	}
	r.asked = true
	return yes, r.run("config")
}

// dpkg compares versions. The old version is empty: without -nl ("no later") that is older than any.
func dpkg(r *reader, at syntax.Node, args []string) (status, error) {
	if len(args) < 2 || args[1] != "--compare-versions" {
		return unknown, r.refuse(at, "dpkg %s", strings.Join(args[1:min(len(args), 2)], " "))
	}
	args = args[2:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) != 3 || args[0] != "" || args[2] == "" {
		return unknown, r.refuse(at, "a comparison of two versions")
	}
	switch args[1] {
	case "lt", "le", "ne", "gt-nl", "ge-nl":
		return yes, nil
	case "gt", "ge", "eq", "lt-nl", "le-nl":
		return no, nil
	}
	return unknown, r.refuse(at, "a comparison of versions by %s", args[1])
}

// maintscriptHelper tidies up after older versions, of which there are none.
func maintscriptHelper(r *reader, at syntax.Node, args []string) (status, error) {
	if len(args) > 1 {
		switch args[1] {
		case "rm_conffile", "mv_conffile", "symlink_to_dir", "dir_to_symlink", "supports":
			return yes, nil
		}
	}
	return unknown, r.refuse(at, "an unknown form of dpkg-maintscript-helper")
}

// statoverride asks for the administrator's wishes, of which there are none.
func statoverride(r *reader, at syntax.Node, args []string) (status, error) {
	if len(args) == 3 && args[1] == "--list" {
		return no, nil
	}
	return unknown, r.refuse(at, "dpkg-statoverride")
}

// divert takes the removal of a diversion, which a fresh system does not have.
func divert(r *reader, at syntax.Node, args []string) (status, error) {
	if slices.Contains(args, "--remove") {
		return yes, nil
	}
	return unknown, r.refuse(at, "dpkg-divert")
}
