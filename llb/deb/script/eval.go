package script

import (
	"errors"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// stmts follows statements one after another; the status is that of the last.
func (r *reader) stmts(all []*syntax.Stmt) (status, error) {
	last := yes
	for _, s := range all {
		var err error
		if last, err = r.stmt(s); err != nil {
			return last, err
		}
		if last != yes && r.errexit && r.tested == 0 && !excused(s) {
			return last, r.refuse(s, "the script may end with an error here")
		}
	}
	return last, nil
}

// excused reports whether set -e passes over an error of the statement: of a list, or a negated command. The last command of
// such a list does end the script, but then its status is known to be that of a test that is false.
func excused(s *syntax.Stmt) bool {
	b, ok := s.Cmd.(*syntax.BinaryCmd)
	return s.Negated || ok && b.Op == syntax.AndStmt
}

// cond follows statements whose status is asked for.
func (r *reader) cond(all []*syntax.Stmt) (status, error) {
	r.tested++
	defer func() { r.tested-- }()
	return r.stmts(all)
}

func (r *reader) stmt(s *syntax.Stmt) (status, error) {
	if r.steps++; r.steps > maxSteps {
		return unknown, r.refuse(s, "the script is too long to follow")
	}
	if s.Background || s.Coprocess {
		return unknown, r.refuse(s, "it starts a process in the background")
	}
	if err := r.redirects(s); err != nil {
		return unknown, err
	}
	if s.Negated {
		st, err := r.cond([]*syntax.Stmt{{Position: s.Position, Cmd: s.Cmd}})
		return st.not(), err
	}
	return r.command(s)
}

func (r *reader) command(s *syntax.Stmt) (status, error) {
	switch c := s.Cmd.(type) {
	case nil:
		return yes, nil
	case *syntax.CallExpr:
		return r.call(c, s)
	case *syntax.BinaryCmd:
		return r.binary(c)
	case *syntax.IfClause:
		return r.ifClause(c)
	case *syntax.CaseClause:
		return r.caseClause(c)
	case *syntax.ForClause:
		return r.forClause(c)
	case *syntax.WhileClause:
		st, err := r.cond(c.Cond)
		if err == nil && (st == unknown || (st == yes) != c.Until) {
			err = r.refuse(s, "a loop whose end is not known")
		}
		return yes, err
	case *syntax.Block:
		return r.stmts(c.Stmts)
	case *syntax.Subshell:
		return r.subshell(c.Stmts)
	case *syntax.FuncDecl:
		r.funcs[c.Name.Value] = c.Body
		return yes, nil
	case *syntax.DeclClause:
		return yes, r.assign(c.Args)
	case *syntax.TestClause:
		return r.testClause(c)
	}
	return unknown, r.refuse(s, "a statement of an unknown kind")
}

// subshell follows statements in a copy of the variables.
func (r *reader) subshell(all []*syntax.Stmt) (status, error) {
	inner := *r.frame
	inner.vars = copyOf(r.vars)
	outer := r.frame
	r.frame = &inner
	defer func() { r.frame = outer }()
	st, err := r.stmts(all)
	if e, ok := errors.AsType[exit](err); ok {
		return e.status, nil
	}
	return st, err
}

func copyOf(vars map[string]value) map[string]value {
	out := make(map[string]value, len(vars))
	for name, v := range vars { // a copy: the order does not matter
		out[name] = v
	}
	return out
}

func (r *reader) binary(c *syntax.BinaryCmd) (status, error) {
	if c.Op != syntax.AndStmt && c.Op != syntax.OrStmt {
		return r.pipeline(c)
	}
	left, err := r.cond([]*syntax.Stmt{c.X})
	if err != nil {
		return unknown, err
	}
	stop := no
	if c.Op == syntax.OrStmt {
		stop = yes
	}
	switch left {
	case stop:
		return left, nil
	case unknown:
		if c.Op == syntax.OrStmt && harmless(c.Y) {
			return yes, nil
		}
		return unknown, r.refuse(c, "whether this succeeds is not known")
	}
	return r.stmts([]*syntax.Stmt{c.Y})
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

// pipeline takes only commands that read.
func (r *reader) pipeline(c *syntax.BinaryCmd) (status, error) {
	for _, s := range []*syntax.Stmt{c.X, c.Y} {
		if b, ok := s.Cmd.(*syntax.BinaryCmd); ok && b.Op == syntax.Pipe {
			if _, err := r.pipeline(b); err != nil {
				return unknown, err
			}
			continue
		}
		if !reads(s) {
			return unknown, r.refuse(s, "a pipeline with %s", firstWord(s))
		}
		if err := r.readsOnly(s); err != nil {
			return unknown, err
		}
	}
	return unknown, nil
}

// readers are commands that change nothing, whatever their arguments are.
const readers = " : true false echo printf cat cut tr grep egrep head tail wc sort basename dirname readlink realpath stat id uname expr seq ls test [ dpkg-query dpkg-architecture cmp diff getent "

// reads reports whether a statement is such a command.
func reads(s *syntax.Stmt) bool {
	w := firstWord(s)
	return w != "" && strings.Contains(readers, " "+w+" ") && !writesFile(s)
}

// readsOnly follows what the arguments of a command that reads hold, and where its output goes.
func (r *reader) readsOnly(s *syntax.Stmt) error {
	for _, w := range s.Cmd.(*syntax.CallExpr).Args {
		if _, err := r.word(w); err != nil {
			return err
		}
	}
	return r.redirects(s)
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

func (r *reader) ifClause(c *syntax.IfClause) (status, error) {
	for ; c != nil; c = c.Else {
		if len(c.Cond) == 0 {
			return r.stmts(c.Then)
		}
		st, err := r.cond(c.Cond)
		switch {
		case err != nil:
			return unknown, err
		case st == unknown:
			return unknown, r.refuse(c, "the condition is not known")
		case st == yes:
			return r.stmts(c.Then)
		}
	}
	return yes, nil
}

func (r *reader) caseClause(c *syntax.CaseClause) (status, error) {
	word, err := r.word(c.Word)
	if err != nil {
		return unknown, err
	}
	if !word.known {
		return unknown, r.refuse(c, "the word of this case is not known")
	}
	for _, item := range c.Items {
		for _, p := range item.Patterns {
			ok, err := r.matches(p, word.text)
			if err != nil {
				return unknown, err
			}
			if !ok {
				continue
			}
			if item.Op != syntax.Break {
				return unknown, r.refuse(c, "a case that falls through")
			}
			return r.stmts(item.Stmts)
		}
	}
	return yes, nil
}

// matches holds a word against a pattern of case.
func (r *reader) matches(p *syntax.Word, text string) (bool, error) {
	pat, err := r.pattern(p)
	if err != nil {
		return false, err
	}
	ok, err := match(pat, text)
	if err != nil {
		return false, r.refuse(p, "a pattern that cannot be read")
	}
	return ok, nil
}

func (r *reader) forClause(c *syntax.ForClause) (status, error) {
	iter, ok := c.Loop.(*syntax.WordIter)
	if !ok || c.Select {
		return unknown, r.refuse(c, "a loop of an unknown kind")
	}
	items := r.args
	if iter.InPos.IsValid() {
		var err error
		if items, err = r.fields(iter.Items); err != nil {
			return unknown, err
		}
	}
	last := yes
	for _, item := range items {
		r.vars[iter.Name.Value] = value{item, true}
		var err error
		if last, err = r.stmts(c.Do); err != nil {
			return last, err
		}
	}
	return last, nil
}

// redirects takes output to nowhere, to another descriptor, or to a log, which is left out.
func (r *reader) redirects(s *syntax.Stmt) error {
	for _, d := range s.Redirs {
		switch d.Op {
		case syntax.DplOut, syntax.DplIn:
			continue
		case syntax.RdrOut, syntax.AppOut, syntax.RdrAll, syntax.RdrIn, syntax.RdrClob:
			to, err := r.word(d.Word)
			if err != nil {
				return err
			}
			if to.known && (to.text == "/dev/null" || strings.HasPrefix(to.text, "/var/log/") && d.Op != syntax.RdrIn) {
				continue
			}
		}
		return r.refuse(s, "it reads or writes a file")
	}
	return nil
}
