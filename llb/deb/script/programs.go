package script

import (
	"strings"
)

// program is what a command does that the shell does not know itself, or that leaves the shell as it is: it asks the system
// or changes it. args[0] is its name.
type program func(s *system, args []string) (status, error)

var programs = func() map[string]program {
	all := map[string]program{
		":": succeed, "true": succeed, "false": fail, "umask": succeed, "command": askProgram, "which": askProgram, "type": askProgram,
		"test": test, "[": test,
		"dpkg": dpkg, "dpkg-maintscript-helper": maintscriptHelper, "dpkg-trigger": succeed, "dpkg-statoverride": statoverride, "dpkg-divert": divert,
		"ldconfig": succeed, "getent": getent, "cmp": compare, "update-alternatives": alternatives,
		"addgroup": addgroup, "groupadd": addgroup, "adduser": adduser, "useradd": adduser,
		"mkdir": mkdir, "install": install, "rmdir": remove, "rm": remove, "ln": link, "chown": chown, "chgrp": chown, "chmod": chmod,
	}
	for name := range leftOut { // every name once: the order does not matter
		all[name] = leaveOut
	}
	return all
}()

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

func succeed(*system, []string) (status, error) { return yes, nil }
func fail(*system, []string) (status, error)    { return no, nil }

func leaveOut(s *system, args []string) (status, error) {
	what, why := args[0], leftOut[args[0]]
	if why == noInit {
		what = strings.Join(args[:min(len(args), 3)], " ")
	}
	s.leaveOut(what, why)
	return yes, nil
}

// basics are programs that every Debian has.
var basics = map[string]bool{"dpkg": true, "dpkg-trigger": true, "dpkg-maintscript-helper": true, "dpkg-divert": true, "update-alternatives": true, "ldconfig": true}

// programAsked is the name in "command -v NAME" and "which NAME".
func programAsked(args []string) (string, bool) {
	switch {
	case len(args) == 3 && args[0] == "command" && args[1] == "-v", len(args) == 3 && args[0] == "which" && strings.HasPrefix(args[1], "-"):
		return args[2], true
	case len(args) == 2 && (args[0] == "which" || args[0] == "type"):
		return args[1], true
	}
	return "", false
}

// askProgram is command -v, which and type.
func askProgram(s *system, args []string) (status, error) {
	name, ok := programAsked(args)
	if !ok {
		return unknown, refuse("%s %s", args[0], strings.Join(args[1:], " "))
	}
	_, there := s.program(name)
	return statusOf(there), nil
}
