package script

import (
	"slices"
	"strings"
)

// dpkg compares versions. The old version is empty: without -nl ("no later") that is older than any.
func dpkg(_ *system, args []string) (status, error) {
	if len(args) < 2 || args[1] != "--compare-versions" {
		return unknown, refuse("dpkg %s", strings.Join(args[1:min(len(args), 2)], " "))
	}
	args = args[2:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) != 3 || args[0] != "" || args[2] == "" {
		return unknown, refuse("a comparison of two versions")
	}
	switch args[1] {
	case "lt", "le", "ne", "gt-nl", "ge-nl":
		return yes, nil
	case "gt", "ge", "eq", "lt-nl", "le-nl":
		return no, nil
	}
	return unknown, refuse("a comparison of versions by %s", args[1])
}

// maintscriptHelper tidies up after older versions, of which there are none.
func maintscriptHelper(_ *system, args []string) (status, error) {
	if len(args) > 1 {
		switch args[1] {
		case "rm_conffile", "mv_conffile", "symlink_to_dir", "dir_to_symlink", "supports":
			return yes, nil
		}
	}
	return unknown, refuse("an unknown form of dpkg-maintscript-helper")
}

// statoverride asks for the administrator's wishes, of which there are none.
func statoverride(_ *system, args []string) (status, error) {
	if len(args) == 3 && args[1] == "--list" {
		return no, nil
	}
	return unknown, refuse("dpkg-statoverride")
}

// divert takes the removal of a diversion, which a fresh system does not have.
func divert(_ *system, args []string) (status, error) {
	if slices.Contains(args, "--remove") {
		return yes, nil
	}
	return unknown, refuse("dpkg-divert")
}
