package main

import (
	"cmp"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/console"
)

// env is everything of the process that the commands see.
type env struct {
	stdin      io.Reader
	stdout     io.Writer
	stderr     io.Writer
	environ    []string // KEY=value
	now        func() time.Time
	uid        int
	executable string // path of the running program
	unfinished unfinished
	pending    pending
	quiet      bool // no notes
	debugging  bool // what is found and decided is told
	signals    signals
	account    string // home directory that the system has for the user, "" = unknown
}

func processEnv() *env {
	e := &env{stdin: os.Stdin, stdout: textWriter{os.Stdout}, stderr: textWriter{os.Stderr}, environ: os.Environ(), now: time.Now, uid: os.Getuid()}
	if path, err := os.Executable(); err == nil {
		e.executable = path
	}
	if e.get(homeNames...) == "" {
		e.account = accountHome(e.uid)
	}
	return e
}

// lookup returns a variable, the last one if it is there twice.
func (e *env) lookup(name string) (value string, ok bool) {
	for _, pair := range e.environ {
		if k, v, found := strings.Cut(pair, "="); found && k == name {
			value, ok = v, true
		}
	}
	return value, ok
}

// get returns the first variable that is not empty.
func (e *env) get(names ...string) string {
	for _, name := range names {
		if v, _ := e.lookup(name); v != "" {
			return v
		}
	}
	return ""
}

// homeNames are the variables with the user's home directory.
var homeNames = []string{"HOME", "USERPROFILE"}

// accountHome returns the home directory that the system's accounts have for a user, "" if there is none.
func accountHome(uid int) string {
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return ""
	}
	return u.HomeDir
}

// home returns the user's home directory, "" if it is unknown. A relative one counts for none: the working directory may be anybody's.
func (e *env) home() string {
	for _, dir := range []string{e.get(homeNames...), e.account} {
		if filepath.IsAbs(dir) {
			return dir
		}
	}
	return ""
}

// userDir returns the directory that a variable of the XDG Base Directory Specification names, or else one below the user's home directory; "" where neither is an absolute path.
func (e *env) userDir(variable, inHome string) string {
	if dir := cmp.Or(e.get(variable), e.inHome(inHome)); filepath.IsAbs(dir) {
		return dir
	}
	return ""
}

// inHome returns a path below the user's home directory, "" if that is unknown.
func (e *env) inHome(elem ...string) string {
	home := e.home()
	if home == "" {
		return ""
	}
	return filepath.Join(append([]string{home}, elem...)...)
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream io.Writer) bool { return terminalOf(raw(stream)) != nil }

// terminalOf returns a stream of this process as a terminal, nil if it is none.
func terminalOf(stream any) console.Console {
	f, ok := stream.(console.File)
	if !ok {
		return nil
	}
	c, err := console.ConsoleFromFile(f)
	if err != nil {
		return nil
	}
	return c
}
