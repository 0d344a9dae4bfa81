package packages

import (
	"bytes"
	"os"
	"path"
	"strings"

	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/llb/check/loader"
)

// programs looks for the programs that the image's configuration runs, and for what a script's first line has run it.
func programs(root string, list []check.Program, env []string) []check.Fault {
	var faults []check.Fault
	for _, p := range list {
		fault := check.Fault{Kind: check.NoProgram, Program: p.Name, For: p.For}
		at, text := findProgram(root, p.Name, p.Dir, valueOf(env, "PATH"))
		if text == "" {
			fault.File = at
			text = interpreterLacks(root, at, env)
		}
		if text != "" {
			fault.Text = text
			faults = append(faults, fault)
		}
	}
	return faults
}

// valueOf returns a variable's value, that of the last one.
func valueOf(env []string, name string) string {
	found := ""
	for _, v := range env {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			found = value
		}
	}
	return found
}

// findProgram returns where a program is in the image, or what is wrong.
func findProgram(root, name, dir, search string) (at, text string) {
	if strings.Contains(name, "/") {
		if !path.IsAbs(name) {
			name = path.Join("/", dir, name)
		}
		return name, runnable(root, name)
	}
	if search == "" {
		search = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	}
	text = "it is not there"
	for d := range strings.SplitSeq(search, ":") {
		if !path.IsAbs(d) {
			d = path.Join("/", dir, d)
		}
		at := path.Join(d, name)
		wrong := runnable(root, at)
		if wrong == "" {
			return at, ""
		}
		if wrong != "it is not there" {
			text = at + ": " + wrong
		}
	}
	return "", text
}

// runnable returns "" for a file that can be run, or what is wrong.
func runnable(root, name string) string {
	at, ok := loader.Resolve(root, name)
	if !ok {
		return "it is not there"
	}
	info, err := os.Stat(at)
	switch {
	case err != nil:
		return "it is not there"
	case info.IsDir():
		return "it is a directory"
	case !info.Mode().IsRegular():
		return "it is no file"
	case info.Mode()&0o111 == 0:
		return "it is not executable"
	}
	return ""
}

// maxShebang is how much the kernel reads of a script (BINPRM_BUF_SIZE).
const maxShebang = 256

// interpreterLacks returns what is wrong with the program that a script's first line names.
func interpreterLacks(root, name string, env []string) string {
	at, _ := loader.Resolve(root, name)
	f, err := os.Open(at)
	if err != nil {
		return "" // one that may be run, and not read
	}
	defer f.Close() //nolint:errcheck // it was read
	head := make([]byte, maxShebang)
	n, _ := f.Read(head)
	line, ok := bytes.CutPrefix(head[:n], []byte("#!"))
	if !ok {
		return programLacks(root, name)
	}
	first, _, _ := strings.Cut(string(line), "\n")
	words := strings.Fields(first)
	if len(words) == 0 {
		return ""
	}
	if strings.HasSuffix(first, "\r") {
		return "its first line ends with a carriage return, which becomes part of the interpreter's name"
	}
	if wrong := runnable(root, words[0]); wrong != "" {
		return "its first line names " + words[0] + ": " + wrong
	}
	if path.Base(words[0]) == "env" && len(words) > 1 {
		next := words[1]
		if next == "-S" && len(words) > 2 {
			next = words[2]
		}
		if _, wrong := findProgram(root, next, "/", valueOf(env, "PATH")); wrong != "" && !strings.HasPrefix(next, "-") && !strings.Contains(next, "=") {
			return "its first line names " + next + ": " + wrong
		}
	}
	return ""
}

// programLacks returns what is wrong with the loader that a program names.
func programLacks(root, name string) string {
	at, _ := loader.Resolve(root, name)
	f, err := os.Open(at)
	if err != nil {
		return ""
	}
	defer f.Close() //nolint:errcheck // it was read
	if file, err := loader.Read(f); err == nil && file.Interp != "" {
		if _, ok := loader.Resolve(root, file.Interp); !ok {
			return "it is built for another system: its loader " + file.Interp + " is not there"
		}
	}
	return ""
}
