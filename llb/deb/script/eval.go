package script

import (
	"errors"
	"path"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// evaluator follows the statements of one script.
type evaluator struct {
	all     *scripts
	vars    *variables
	funcs   map[string]*syntax.Stmt
	errexit bool
	tested  int // depth of conditions, in which errors do not end the script
	depth   int // of function calls and subshells
}

// expand is what expands the script's words as its variables are now.
func (e *evaluator) expand() expander { return expander{e.vars, e.all.sys} }

// stmts follows statements one after another; the status is that of the last.
func (e *evaluator) stmts(all []*syntax.Stmt) (status, error) {
	last := yes
	for _, s := range all {
		var err error
		if last, err = e.stmt(s); err != nil {
			return last, err
		}
		if last != yes && e.errexit && e.tested == 0 && !excused(s) {
			return last, refuseAt(s, "the script may end with an error here")
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
func (e *evaluator) cond(all []*syntax.Stmt) (status, error) {
	e.tested++
	defer func() { e.tested-- }()
	return e.stmts(all)
}

func (e *evaluator) stmt(s *syntax.Stmt) (status, error) {
	if err := e.all.sys.spent.step(1); err != nil {
		return unknown, at(s, err)
	}
	if s.Background || s.Coprocess {
		return unknown, refuseAt(s, "it starts a process in the background")
	}
	if err := e.expand().redirects(s); err != nil {
		return unknown, err
	}
	if s.Negated {
		st, err := e.cond([]*syntax.Stmt{{Position: s.Position, Cmd: s.Cmd}})
		return st.not(), err
	}
	return e.command(s)
}

func (e *evaluator) command(s *syntax.Stmt) (status, error) {
	switch c := s.Cmd.(type) {
	case nil:
		return yes, nil
	case *syntax.CallExpr:
		return e.call(c, s)
	case *syntax.BinaryCmd:
		return e.binary(c)
	case *syntax.IfClause:
		return e.ifClause(c)
	case *syntax.CaseClause:
		return e.caseClause(c)
	case *syntax.ForClause:
		return e.forClause(c)
	case *syntax.WhileClause:
		st, err := e.cond(c.Cond)
		if err == nil && (st == unknown || (st == yes) != c.Until) {
			err = refuseAt(s, "a loop whose end is not known")
		}
		return yes, err
	case *syntax.Block:
		return e.stmts(c.Stmts)
	case *syntax.Subshell:
		st, err := e.subshell(c.Stmts)
		return st, at(c, err)
	case *syntax.FuncDecl:
		e.funcs[c.Name.Value] = c.Body
		return yes, nil
	case *syntax.DeclClause:
		return yes, e.assign(c.Args)
	case *syntax.TestClause: // bash's [[ … ]]
		return unknown, refuseAt(c, "a test of bash")
	}
	return unknown, refuseAt(s, "a statement of an unknown kind")
}

// subshell follows statements in a copy of the variables.
func (e *evaluator) subshell(all []*syntax.Stmt) (status, error) {
	inner := *e
	if inner.depth++; inner.depth > maxDepth {
		return unknown, refuse("subshells within each other without end")
	}
	for range e.vars.values { // each is copied
		if _, err := e.all.sys.spent.add(0, 32); err != nil {
			return unknown, err
		}
	}
	inner.vars = e.vars.copy()
	st, err := inner.stmts(all)
	if x, ok := errors.AsType[exit](err); ok {
		return x.status, nil
	}
	return st, err
}

func (e *evaluator) binary(c *syntax.BinaryCmd) (status, error) {
	if c.Op != syntax.AndStmt && c.Op != syntax.OrStmt {
		return unknown, e.expand().pipeline(c)
	}
	left, err := e.cond([]*syntax.Stmt{c.X})
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
		return unknown, refuseAt(c, "whether this succeeds is not known")
	}
	return e.stmts([]*syntax.Stmt{c.Y})
}

func (e *evaluator) ifClause(c *syntax.IfClause) (status, error) {
	for ; c != nil; c = c.Else {
		if len(c.Cond) == 0 {
			return e.stmts(c.Then)
		}
		st, err := e.cond(c.Cond)
		switch {
		case err != nil:
			return unknown, err
		case st == unknown:
			return unknown, refuseAt(c, "the condition is not known")
		case st == yes:
			return e.stmts(c.Then)
		}
	}
	return yes, nil
}

func (e *evaluator) caseClause(c *syntax.CaseClause) (status, error) {
	word, err := e.expand().word(c.Word)
	if err != nil {
		return unknown, err
	}
	if !word.known {
		return unknown, refuseAt(c, "the word of this case is not known")
	}
	for _, item := range c.Items {
		for _, p := range item.Patterns {
			ok, err := e.expand().matches(p, word.text)
			if err != nil {
				return unknown, err
			}
			if !ok {
				continue
			}
			if item.Op != syntax.Break {
				return unknown, refuseAt(c, "a case that falls through")
			}
			return e.stmts(item.Stmts)
		}
	}
	return yes, nil
}

func (e *evaluator) forClause(c *syntax.ForClause) (status, error) {
	iter, ok := c.Loop.(*syntax.WordIter)
	if !ok || c.Select {
		return unknown, refuseAt(c, "a loop of an unknown kind")
	}
	items := e.vars.args
	if iter.InPos.IsValid() {
		var err error
		if items, err = e.expand().fields(iter.Items); err != nil {
			return unknown, err
		}
	}
	last := yes
	for _, item := range items {
		e.vars.set(iter.Name.Value, item)
		var err error
		if last, err = e.stmts(c.Do); err != nil {
			return last, err
		}
	}
	return last, nil
}

// assign sets variables.
func (e *evaluator) assign(all []*syntax.Assign) error {
	for _, a := range all {
		if err := e.all.sys.spent.step(1); err != nil {
			return at(a, err)
		}
		if a.Naked && a.Name != nil {
			e.vars.declare(a.Name.Value)
			continue
		}
		if a.Name == nil {
			continue // an option of declare
		}
		v, err := e.expand().word(a.Value)
		if err != nil {
			return err
		}
		if a.Append || a.Array != nil || a.Index != nil {
			v = value{}
		}
		e.vars.values[a.Name.Value] = v
	}
	return nil
}

// call follows a simple command.
func (e *evaluator) call(c *syntax.CallExpr, s *syntax.Stmt) (status, error) {
	if len(c.Args) == 0 {
		return yes, e.assign(c.Assigns)
	}
	if e.prints(c) {
		return yes, e.expand().readsOnly(s) // what it says does not matter
	}
	args, err := e.expand().fields(c.Args)
	if err != nil || len(args) == 0 {
		return yes, err
	}
	if body, ok := e.funcs[args[0]]; ok {
		return e.function(body, args[1:])
	}
	st, err := e.run(args)
	return st, at(s, err)
}

// prints reports whether a command is echo or printf, and not a function of this name or printf -v.
func (e *evaluator) prints(c *syntax.CallExpr) bool {
	name := c.Args[0].Lit()
	if e.funcs[name] != nil || len(c.Assigns) > 0 {
		return false
	}
	return name == "echo" || name == "printf" && (len(c.Args) < 2 || c.Args[1].Lit() != "-v")
}

// function follows a function of the script.
func (e *evaluator) function(body *syntax.Stmt, args []string) (status, error) {
	if e.depth++; e.depth > maxDepth {
		return unknown, refuseAt(body, "functions that call each other without end")
	}
	leave := e.vars.enter(args)
	defer func() {
		leave()
		e.depth--
	}()
	st, err := e.stmt(body)
	if r, ok := errors.AsType[ret](err); ok {
		return r.status, nil
	}
	return st, err
}

// run does what a known command does. A program may be called by its path in a usual directory, one that makes a cache also
// by a path of its own.
func (e *evaluator) run(args []string) (status, error) {
	called := args[0]
	for _, dir := range []string{"/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/"} {
		args[0] = strings.TrimPrefix(args[0], dir)
	}
	if args[0] == "." {
		return e.source(args)
	}
	if do, ok := builtins[args[0]]; ok {
		return do(e, args)
	}
	if do, ok := programs[args[0]]; ok {
		return do(e.all.sys, args)
	}
	if _, name := path.Split(called); caches[name] != nil {
		return caches[name](e.all.sys, args)
	}
	return unknown, refuse("it calls %s", called)
}

// source reads debconf's functions, which are known; the questions were answered before.
func (e *evaluator) source(args []string) (status, error) {
	if len(args) != 2 || args[1] != "/usr/share/debconf/confmodule" {
		return unknown, refuse("it reads %s", strings.Join(args[1:], " "))
	}
	if e.vars.script == "config" {
		return yes, nil
	}
	return yes, e.all.configure()
}
