package profiles

import (
	"bytes"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// maxScript is how much of a script is looked at, in bytes.
const maxScript = 1 << 20

var shells = []string{"sh", "bash", "dash", "ash", "ksh", "zsh"}

// checkEntrypoint checks the file of the project that the image starts with, if it is one: that it can be executed, says by what, and has the line ends of Linux.
// Each of these is found only when the container starts otherwise, with "exec format error", "permission denied" or "no such file or directory".
func checkEntrypoint(t files.Tree, s appSpec, a recipe.App) {
	words := slices.Concat(s.entrypoint, s.command)
	if len(words) == 0 {
		return
	}
	if slices.Contains(shells, path.Base(words[0].Value)) {
		i := slices.IndexFunc(words[1:], func(w yamldoc.String) bool { return !strings.HasPrefix(w.Value, "-") })
		if i >= 0 && !slices.ContainsFunc(words[1:i+1], func(w yamldoc.String) bool { return strings.Contains(w.Value, "c") }) {
			checkScript(t, a, words[1+i], false)
		}
		return
	}
	checkScript(t, a, words[0], true)
}

// checkScript checks one word of the command, if it names a file of the project. executed says whether the kernel starts the file itself.
func checkScript(t files.Tree, a recipe.App, word yamldoc.String, executed bool) {
	name, rule, ok := projectFile(t, a, word.Value)
	if !ok {
		return
	}
	if executed && !strings.Contains(word.Value, "/") {
		if path.Ext(name) != "" {
			t.Specf(word.At, "%s is looked for on PATH, and not in the working directory %s", word.Value, a.Workdir).Hint("write ./%s", word.Value)
		}
		return
	}
	head, mode, ok := readHead(t, name)
	if !ok || bytes.HasPrefix(head, []byte("\x7fELF")) && executed && mode&0o111 != 0 {
		return
	}
	first, _, _ := bytes.Cut(head, []byte("\n"))
	shell := !executed || path.Ext(name) == ".sh" || slices.ContainsFunc(shells, func(s string) bool { return bytes.HasSuffix(bytes.TrimSpace(first), []byte("/"+s)) })
	switch {
	case bytes.HasSuffix(first, []byte("\r")), shell && bytes.Contains(head, []byte("\r\n")):
		scriptFault(t.Report, word, "%s has the line ends of Windows, and Linux takes the carriage return for a part of each line", name).
			Hint("sed -i 's/\\r$//' %s", name).Hint("in .gitattributes: *.sh text eol=lf")
	case executed && !bytes.HasPrefix(head, []byte("#!")):
		scriptFault(t.Report, word, "%s has no first line that says what runs it", name).Hint("for example #!/bin/sh or #!/usr/bin/env python").
			Hint("or name what runs it: [python, %s]", word.Value)
	}
	if executed && !executable(rule, mode) {
		scriptFault(t.Report, word, "%s is not executable", name).
			Hint("chmod +x %s; git update-index --chmod=+x %s", name, name).Hint("or in app.copy: {from: %s, mode: \"0755\"}", name)
	}
}

func scriptFault(report *yamldoc.Report, word yamldoc.String, format string, args ...any) *fault.Fault {
	f := fault.New(fault.Context, format, args...).In(word.At)
	report.Add(f)
	return f
}

// executable reports whether a file is so in the image: as its rule says, else as it is in the project.
func executable(rule recipe.CopyRule, mode fs.FileMode) bool {
	if rule.Mode != "" {
		return strings.ContainsAny(rule.Mode, "1357")
	}
	return mode&0o111 != 0
}

// projectFile finds the file of the project that a path of the image is copied from. The last rule that copies it wins.
func projectFile(t files.Tree, a recipe.App, inImage string) (name string, by recipe.CopyRule, ok bool) {
	if !path.IsAbs(inImage) {
		inImage = path.Join(a.Workdir, inImage)
	}
	inImage = path.Clean(inImage)
	for _, rule := range slices.Backward(a.Copy) {
		for _, file := range slices.Backward(rule.Files) {
			to := path.Clean(files.Target(rule, file))
			below := strings.TrimPrefix(inImage, strings.TrimSuffix(to, "/")+"/")
			switch {
			case to == inImage:
				name = file
			case below != inImage:
				name = path.Join(file, below)
			default:
				continue
			}
			if info, err := fs.Stat(t.FS, name); err == nil && info.Mode().IsRegular() {
				return name, rule, true
			}
		}
	}
	return "", recipe.CopyRule{}, false
}

// readHead returns the beginning of a file and its mode.
func readHead(t files.Tree, name string) (head []byte, mode fs.FileMode, ok bool) {
	f, err := t.FS.Open(name)
	if err != nil {
		return nil, 0, false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, false
	}
	head, err = io.ReadAll(io.LimitReader(f, maxScript))
	return head, info.Mode(), err == nil
}
