package script

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// fields expands words to arguments: unquoted values are split at IFS. Patterns of file names stay as they are, which is
// what the shell does where no file matches.
func (x expander) fields(words []*syntax.Word) ([]string, error) {
	var all []string
	for _, w := range words {
		some, err := x.split(w)
		if err == nil {
			err = at(w, x.sys.spent.step(len(some)))
		}
		if err != nil {
			return nil, err
		}
		for _, f := range some {
			own, err := x.sys.matching(f)
			if err != nil {
				return nil, at(w, err)
			}
			if own != "" {
				return nil, refuseAt(w, "the pattern %s means %s", f, own)
			}
		}
		all = append(all, some...)
	}
	return all, nil
}

func (x expander) split(w *syntax.Word) ([]string, error) {
	if isAll(w) {
		return x.vars.args, nil
	}
	var f splitter
	size := 0
	for _, p := range w.Parts {
		v, err := x.part(p, false)
		if err == nil {
			size, err = x.sys.spent.add(size, len(v.text))
		}
		if err != nil {
			return nil, at(p, err)
		}
		if lit, ok := p.(*syntax.Lit); !v.known || ok && len(f.fields) == 0 && strings.HasPrefix(lit.Value, "~") {
			return nil, refuseAt(w, "a value that is not known")
		}
		if !unquoted(p) {
			f.add(v.text)
			continue
		}
		ifs := x.vars.get("IFS")
		if !ifs.known {
			return nil, refuseAt(w, "IFS is not known")
		}
		f.split(v.text, ifs.text)
	}
	return f.fields, nil
}

// splitter puts the parts of a word together to fields.
type splitter struct {
	fields []string
	open   bool // the last field goes on
}

// add adds a text that is not split.
func (f *splitter) add(s string) {
	if f.open {
		f.fields[len(f.fields)-1] += s
	} else {
		f.fields = append(f.fields, s)
	}
	f.open = true
}

// split adds a text that is split at every one of these characters.
func (f *splitter) split(text, ifs string) {
	cut := func(c rune) bool { return strings.ContainsRune(ifs, c) }
	if strings.IndexFunc(text, cut) == 0 {
		f.open = false
	}
	for i, s := range strings.FieldsFunc(text, cut) {
		f.open = f.open && i == 0
		f.add(s)
	}
	if strings.LastIndexFunc(text, cut) == len(text)-1 && text != "" {
		f.open = false
	}
}

func unquoted(p syntax.WordPart) bool {
	switch p.(type) {
	case *syntax.ParamExp, *syntax.CmdSubst, *syntax.ArithmExp:
		return true
	}
	return false
}

// isAll reports whether a word is "$@".
func isAll(w *syntax.Word) bool {
	if len(w.Parts) != 1 {
		return false
	}
	q, ok := w.Parts[0].(*syntax.DblQuoted)
	if !ok || len(q.Parts) != 1 {
		return false
	}
	p, ok := q.Parts[0].(*syntax.ParamExp)
	return ok && p.Exp == nil && p.Param != nil && p.Param.Value == "@"
}
