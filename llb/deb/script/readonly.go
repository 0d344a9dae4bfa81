package script

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// readers are commands that change nothing, whatever their arguments are.
const readers = " : true false echo printf cat cut tr grep egrep head tail wc sort basename dirname readlink realpath stat id uname expr seq ls test [ dpkg-query dpkg-architecture cmp diff getent "

// reads reports whether a statement is such a command.
func reads(s *syntax.Stmt) bool {
	w := firstWord(s)
	return w != "" && strings.Contains(readers, " "+w+" ") && !writesFile(s)
}

func writesFile(s *syntax.Stmt) bool {
	c, _ := s.Cmd.(*syntax.CallExpr)
	for _, a := range c.Args {
		if strings.HasPrefix(a.Lit(), "-o") { // sort -o FILE
			return true
		}
	}
	return false
}

func firstWord(s *syntax.Stmt) string {
	if c, ok := s.Cmd.(*syntax.CallExpr); ok && len(c.Args) > 0 && len(c.Assigns) == 0 {
		return c.Args[0].Lit()
	}
	return ""
}

// harmless reports whether the right side of || does nothing: true, : or a message.
func harmless(s *syntax.Stmt) bool {
	c, ok := s.Cmd.(*syntax.CallExpr)
	if !ok || len(c.Args) == 0 || len(s.Redirs) > 0 {
		return false
	}
	switch c.Args[0].Lit() {
	case "true", ":", "echo", "printf":
		return true
	}
	return false
}

// readsOnly follows what the arguments of a command that reads hold, and where its output goes.
func (x expander) readsOnly(s *syntax.Stmt) error {
	for _, w := range s.Cmd.(*syntax.CallExpr).Args {
		if _, err := x.word(w); err != nil {
			return err
		}
	}
	return x.redirects(s)
}

// redirects takes output to nowhere, to another descriptor, or to a log, which is left out.
func (x expander) redirects(s *syntax.Stmt) error {
	for _, d := range s.Redirs {
		switch d.Op {
		case syntax.DplOut, syntax.DplIn:
			continue
		case syntax.RdrOut, syntax.AppOut, syntax.RdrAll, syntax.RdrIn, syntax.RdrClob:
			to, err := x.word(d.Word)
			if err != nil {
				return err
			}
			if to.known && (to.text == "/dev/null" || strings.HasPrefix(to.text, "/var/log/") && d.Op != syntax.RdrIn) {
				continue
			}
		}
		return refuseAt(s, "it reads or writes a file")
	}
	return nil
}

// pipeline takes only commands that read. What comes of it is not known.
func (x expander) pipeline(c *syntax.BinaryCmd) error {
	for _, s := range []*syntax.Stmt{c.X, c.Y} {
		if b, ok := s.Cmd.(*syntax.BinaryCmd); ok && b.Op == syntax.Pipe {
			if err := x.pipeline(b); err != nil {
				return err
			}
			continue
		}
		if !reads(s) {
			return refuseAt(s, "a pipeline with %s", firstWord(s))
		}
		if err := x.readsOnly(s); err != nil {
			return err
		}
	}
	return nil
}

// substitute takes commands that only read. Their output is not known, except that of command -v and which, and that of
// dpkg-query about a package that is not there.
func (x expander) substitute(p *syntax.CmdSubst) (value, error) {
	if len(p.Stmts) != 1 {
		return value{}, refuseAt(p, "a command in a value")
	}
	s := p.Stmts[0]
	if b, ok := s.Cmd.(*syntax.BinaryCmd); ok && b.Op == syntax.OrStmt && harmless(b.Y) {
		s = b.X // what a message adds is not asked for
		if firstWord(b.Y) != "true" && firstWord(b.Y) != ":" {
			return value{}, refuseAt(p, "a message in a value")
		}
	}
	if out, ok := x.output(s); ok {
		return value{out, true}, x.redirects(s)
	}
	if b, ok := s.Cmd.(*syntax.BinaryCmd); ok && b.Op == syntax.Pipe {
		return value{}, x.pipeline(b)
	}
	if !reads(s) {
		return value{}, refuseAt(p, "%s in a value", firstWord(s))
	}
	return value{}, x.readsOnly(s)
}

// output returns what a command prints, if that is known.
func (x expander) output(s *syntax.Stmt) (string, bool) {
	c, ok := s.Cmd.(*syntax.CallExpr)
	if !ok || s.Negated {
		return "", false
	}
	args, err := x.fields(c.Args)
	if err != nil {
		return "", false
	}
	if x.sys.lacksPackage(args) {
		return "", true
	}
	if name, asks := programAsked(args); asks {
		path, _ := x.sys.program(name)
		return path, true
	}
	return "", false
}
