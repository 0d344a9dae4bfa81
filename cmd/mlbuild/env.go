package main

import (
	"io"
	"os"
	"path/filepath"
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
}

func processEnv() *env {
	e := &env{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ(), now: time.Now, uid: os.Getuid()}
	if path, err := os.Executable(); err == nil {
		e.executable = path
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

// inHome returns a path below the user's home directory.
func (e *env) inHome(elem ...string) string {
	return filepath.Join(append([]string{e.get("HOME", "USERPROFILE")}, elem...)...)
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(console.File)
	if !ok {
		return false
	}
	_, err := console.ConsoleFromFile(f)
	return err == nil
}
