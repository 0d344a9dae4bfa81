// Package script reads the maintainer scripts of Debian packages, without running them, and says what they would do on a
// fresh system: nothing, something that rules express as files, or something that only dpkg can do.
//
// A script is followed statement by statement with the arguments of a first installation ("install" and "configure"
// without an old version). Every command that it reaches must be one that is known; everything else sends the package the
// dpkg way. What a script asks of the file system is answered from the package's own files; every other file is taken as
// absent and noted in state.Effects.Absent, for the caller to check against the image.
//
// A deb.Info comes in, a Decision goes out: Decide in way.go is the way in. Four types know one thing each: scripts
// (scripts.go) the scripts of a package, evaluator (eval.go) the statements of one of them, expander (expand.go) words and
// what may stand in them, with the values in variables (variables.go), and system (system.go) the files and accounts that
// commands ask for and make. The commands themselves are functions in tables: what changes the shell in builtins.go, all
// others in programs.go and the files of their kinds.
package script
