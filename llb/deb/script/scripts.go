package script

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/mlbuild/mlbuild/llb/deb"
)

// scripts are those of one package, and what they share: the system and debconf's answers.
type scripts struct {
	info       deb.Info
	sys        *system
	answers    map[string]string // to debconf's questions
	configured bool              // the config script ran
}

func newScripts(info deb.Info) *scripts {
	return &scripts{info: info, sys: newSystem(info), answers: defaults(info.Templates)}
}

// run follows a script of the package, if it has it.
func (all *scripts) run(name string) error {
	text, ok := all.info.Scripts[name]
	if !ok {
		return nil
	}
	file, errexit, err := parse(name, text)
	if err != nil {
		return err
	}
	action := "configure"
	if name == "preinst" {
		action = "install"
	}
	defer all.sys.during(name)()
	e := evaluator{all: all, vars: newVariables(all.info, name, action, ""), funcs: map[string]*syntax.Stmt{}, errexit: errexit}
	status, err := e.stmts(file.Stmts)
	if x, ok := errors.AsType[exit](err); ok {
		status, err = x.status, nil
	}
	if err == nil && status != yes {
		err = fmt.Errorf("%s: it would end with an error", name)
	}
	return in(name, err)
}

// configure follows the config script, once: debconf runs it before it answers the first question.
func (all *scripts) configure() error {
	if all.configured {
		return nil
	}
	all.configured = true
	return all.run("config")
}

var shebang = regexp.MustCompile(`^#! ?/(?:usr/)?bin/(sh|dash|bash)((?: -[eu]+)*)\s*\n`)

// parse reads a script as text, and reports whether its first line has the option -e.
func parse(name, text string) (file *syntax.File, errexit bool, err error) {
	if len(text) > maxScript {
		return nil, false, fmt.Errorf("%s has %d bytes, more than the %d that are followed", name, len(text), maxScript)
	}
	m := shebang.FindStringSubmatch(text)
	if m == nil {
		first, _, _ := strings.Cut(text, "\n")
		return nil, false, fmt.Errorf("%s is no shell script: %.40q", name, first)
	}
	lang := syntax.LangPOSIX
	if m[1] == "bash" {
		lang = syntax.LangBash
	}
	file, err = syntax.NewParser(syntax.Variant(lang)).Parse(bytes.NewReader([]byte(text)), name)
	if err != nil {
		return nil, false, fmt.Errorf("%s cannot be read: %w", name, err)
	}
	return file, strings.Contains(m[2], "e"), nil
}
