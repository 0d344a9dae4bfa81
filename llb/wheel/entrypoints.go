package wheel

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"
)

// entryPoint is a program that entry_points.txt asks for.
type entryPoint struct {
	name   string
	module string // dotted
	attr   string // dotted: the function inside module
}

// parseEntryPoints reads the programs (sections console_scripts and gui_scripts) out of entry_points.txt, an INI file
// as Python's configparser reads it with "=" alone as delimiter (entry points specification). All faults are returned.
func parseEntryPoints(data []byte) ([]entryPoint, []error) {
	var points []entryPoint
	var errs []error
	section := ""
	for line := range bytes.Lines(bytes.TrimPrefix(data, []byte("\uFEFF"))) {
		text := strings.TrimSpace(string(line))
		if text == "" || text[0] == '#' || text[0] == ';' {
			continue
		}
		if text[0] == '[' && strings.HasSuffix(text, "]") {
			section = strings.TrimSpace(text[1 : len(text)-1])
			continue
		}
		if section != "console_scripts" && section != "gui_scripts" {
			if section != "" && line[0] > ' ' && !strings.ContainsAny(text, "=:") {
				errs = append(errs, fmt.Errorf("%q of section %s has no value", text, section))
			}
			continue
		}
		p, err := parseEntryPoint(text)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		points = append(points, p)
	}
	return points, errs
}

// parseEntryPoint reads name = module:attr [extra, …]. Extras are obsolete and ignored.
func parseEntryPoint(text string) (entryPoint, error) {
	name, object, ok := strings.Cut(text, "=")
	name = strings.TrimSpace(name)
	object, extras, _ := strings.Cut(object, "[")
	module, attr, colon := strings.Cut(object, ":")
	p := entryPoint{name: name, module: strings.TrimSpace(module), attr: strings.TrimSpace(attr)}
	switch {
	case !ok || !colon:
		return p, fmt.Errorf("%q is not of the form name = module:function", text)
	case extras != "" && !strings.HasSuffix(strings.TrimSpace(extras), "]"):
		return p, fmt.Errorf("%q: the extras are not closed", text)
	case name == "" || name == "." || name == ".." || strings.ContainsAny(name, `/\`) || !isPlain(name) || len(name) > maxName:
		return p, fmt.Errorf("%q: no program can have this name", text)
	case !isDotted(p.module) || !isDotted(p.attr):
		return p, fmt.Errorf("%q: module and function must be dotted Python names", text)
	}
	return p, nil
}

// isDotted reports whether s is Python identifiers joined by dots. Nothing else may reach the text of a script.
func isDotted(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		for i, r := range part {
			if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r) && !unicode.IsMark(r)) {
				return false
			}
		}
		if part == "" {
			return false
		}
	}
	return true
}

// interpreter is the first line of every script.
const interpreter = "#!" + Venv + "/bin/python"

// script is the text of the program: it calls the function and exits with what that returns.
func (p entryPoint) script() []byte {
	first, _, _ := strings.Cut(p.attr, ".")
	return []byte(interpreter + "\n" +
		"# -*- coding: utf-8 -*-\n" +
		"import sys\n" +
		"from " + p.module + " import " + first + "\n" +
		"if __name__ == \"__main__\":\n" +
		"    sys.exit(" + p.attr + "())\n")
}

// scripts returns the files of the entry points of one wheel. The same program twice is one; two different ones of one name
// are a fault.
func scripts(points []entryPoint) ([]*file, []error) {
	var files []*file
	var errs []error
	seen := map[string]entryPoint{}
	for _, p := range points {
		if other, ok := seen[p.name]; ok {
			if other != p {
				errs = append(errs, fmt.Errorf("two different programs are called %q", p.name))
			}
			continue
		}
		seen[p.name] = p
		files = append(files, generated(path.Join("bin", p.name), modeExec, p.script()))
	}
	return files, errs
}

// pythonLine starts the first line of a script that wants the interpreter of the environment it is installed in.
const pythonLine = "#!python"

// rewriteScript replaces a first line #!python or #!pythonw by the virtual environment's interpreter, arguments kept
// (binary distribution format, "Recommended installer features").
func rewriteScript(text []byte) ([]byte, error) {
	first, rest, ended := bytes.Cut(text, []byte("\n"))
	if !bytes.HasPrefix(first, []byte(pythonLine)) {
		return nil, errors.New("its first line is not #!python")
	}
	line := interpreter
	if _, args, ok := strings.Cut(strings.TrimRight(string(first), " \t\r"), " "); ok {
		line += " " + strings.TrimLeft(args, " \t")
	}
	if !ended {
		return []byte(line), nil
	}
	return append([]byte(line+"\n"), rest...), nil
}
