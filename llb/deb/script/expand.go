package script

import (
	"regexp"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/pattern"
	"mvdan.cc/sh/v3/syntax"
)

// environment are variables that a script may ask for without setting them. dpkg sets the first ones; the others are unknown.
var environment = map[string]value{
	"DPKG_ROOT": {"", true}, "IFS": {" \t\n", true},
	"PATH": {"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", true},
	"HOME": {}, "USER": {}, "PWD": {}, "SHELL": {}, "TERM": {}, "LANG": {}, "LC_ALL": {}, "TZ": {}, "0": {}, "?": {}, "$": {}, "!": {}, "-": {},
	"DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT": {}, "DPKG_ADMINDIR": {"/var/lib/dpkg", true},
}

// variable returns the value of a parameter. One that nobody sets is empty.
func (r *reader) variable(name string) value {
	if n, err := strconv.Atoi(name); err == nil && n > 0 {
		if n <= len(r.args) {
			return value{r.args[n-1], true}
		}
		return value{"", true}
	}
	switch name {
	case "#":
		return value{strconv.Itoa(len(r.args)), true}
	case "@", "*":
		return value{strings.Join(r.args, " "), true}
	case "DPKG_MAINTSCRIPT_PACKAGE":
		return value{r.info.Package, true}
	case "DPKG_MAINTSCRIPT_NAME":
		return value{r.script, true}
	case "DPKG_MAINTSCRIPT_ARCH":
		return value{r.info.Architecture, true}
	}
	if v, ok := r.vars[name]; ok {
		return v
	}
	if v, ok := environment[name]; ok {
		return v
	}
	return value{"", true}
}

// word expands a word to one text, as an assignment does.
func (r *reader) word(w *syntax.Word) (value, error) {
	if w == nil {
		return value{"", true}, nil
	}
	if first, ok := w.Parts[0].(*syntax.Lit); ok && strings.HasPrefix(first.Value, "~") {
		return value{}, nil
	}
	return r.parts(w.Parts, false)
}

func (r *reader) parts(parts []syntax.WordPart, quoted bool) (value, error) {
	all := value{"", true}
	for _, p := range parts {
		v, err := r.part(p, quoted)
		if err != nil {
			return value{}, err
		}
		all.text += v.text
		all.known = all.known && v.known
	}
	return all, nil
}

func (r *reader) part(p syntax.WordPart, quoted bool) (value, error) {
	switch p := p.(type) {
	case *syntax.Lit:
		return value{unescape(p.Value, quoted), true}, nil
	case *syntax.SglQuoted:
		return value{p.Value, !p.Dollar}, nil
	case *syntax.DblQuoted:
		return r.parts(p.Parts, true)
	case *syntax.ParamExp:
		return r.param(p)
	case *syntax.CmdSubst:
		return r.substitute(p)
	case *syntax.ArithmExp:
		return value{}, r.refuse(p, "arithmetic") // it may set variables
	}
	return value{}, nil
}

// unescape takes the backslashes out of a literal.
func unescape(s string, quoted bool) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && (!quoted || strings.IndexByte("$`\"\\\n", s[i+1]) >= 0) {
			i++
			if s[i] == '\n' {
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func (r *reader) param(p *syntax.ParamExp) (value, error) {
	if p.Param == nil || p.Excl || p.Width || p.IsSet || p.Index != nil || p.Slice != nil || p.Repl != nil || p.Names != 0 || len(p.Modifiers) > 0 {
		return value{}, nil
	}
	v := r.variable(p.Param.Value)
	if p.Length {
		return value{strconv.Itoa(len(v.text)), v.known}, nil
	}
	if p.Exp == nil {
		return v, nil
	}
	switch p.Exp.Op {
	case syntax.DefaultUnset, syntax.DefaultUnsetOrNull, syntax.AlternateUnset, syntax.AlternateUnsetOrNull:
		return r.alternate(p, v)
	case syntax.RemSmallPrefix, syntax.RemLargePrefix, syntax.RemSmallSuffix, syntax.RemLargeSuffix:
		return r.trim(p, v)
	}
	return value{}, r.refuse(p, "an expansion of an unknown kind") // it may set variables, or end the script
}

// alternate is ${x-word}, ${x:-word}, ${x+word} and ${x:+word}.
func (r *reader) alternate(p *syntax.ParamExp, v value) (value, error) {
	if !v.known {
		_, err := r.word(p.Exp.Word)
		return v, err
	}
	_, set := r.vars[p.Param.Value]
	if n, err := strconv.Atoi(p.Param.Value); err == nil {
		set = n <= len(r.args)
	}
	if strings.HasPrefix(p.Param.Value, "DPKG_") {
		set = true
	}
	colon := p.Exp.Op == syntax.DefaultUnsetOrNull || p.Exp.Op == syntax.AlternateUnsetOrNull
	set = set && (!colon || v.text != "")
	if wantsSet := p.Exp.Op == syntax.AlternateUnset || p.Exp.Op == syntax.AlternateUnsetOrNull; wantsSet == set {
		return r.word(p.Exp.Word)
	} else if wantsSet {
		return value{"", true}, nil
	}
	return v, nil
}

// trim is ${x#pattern} and its like.
func (r *reader) trim(p *syntax.ParamExp, v value) (value, error) {
	pat, err := r.pattern(p.Exp.Word)
	if err != nil || !v.known {
		return value{}, err
	}
	suffix := p.Exp.Op == syntax.RemSmallSuffix || p.Exp.Op == syntax.RemLargeSuffix
	large := p.Exp.Op == syntax.RemLargeSuffix || p.Exp.Op == syntax.RemLargePrefix
	for i := range len(v.text) + 1 {
		n := i // how many bytes go, few or many first
		if large {
			n = len(v.text) - i
		}
		cut, rest := v.text[:n], v.text[n:]
		if suffix {
			rest, cut = v.text[:len(v.text)-n], v.text[len(v.text)-n:]
		}
		ok, err := match(pat, cut)
		if err != nil {
			return value{}, nil
		}
		if ok {
			return value{rest, true}, nil
		}
	}
	return v, nil
}

// match holds a text against a whole pattern of the shell.
func match(pat, text string) (bool, error) {
	expr, err := pattern.Regexp(pat, pattern.EntireString)
	if err != nil {
		return false, err
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return false, err
	}
	return re.MatchString(text), nil
}

// pattern expands a pattern: what is quoted stands for itself.
func (r *reader) pattern(w *syntax.Word) (string, error) {
	if w == nil {
		return "", nil
	}
	var b strings.Builder
	for _, p := range w.Parts {
		if lit, ok := p.(*syntax.Lit); ok {
			b.WriteString(lit.Value)
			continue
		}
		v, err := r.part(p, false)
		if err != nil {
			return "", err
		}
		if !v.known {
			return "", r.refuse(w, "the pattern is not known")
		}
		if _, plain := p.(*syntax.ParamExp); plain {
			b.WriteString(v.text)
		} else {
			b.WriteString(pattern.QuoteMeta(v.text, 0))
		}
	}
	return b.String(), nil
}

// fields expands words to arguments: unquoted values are split at IFS. Patterns of file names stay as they are, which is
// what the shell does where no file matches.
func (r *reader) fields(words []*syntax.Word) ([]string, error) {
	var all []string
	for _, w := range words {
		some, err := r.split(w)
		if err != nil {
			return nil, err
		}
		for _, f := range some {
			if own := r.ownMatches(f); own != "" {
				return nil, r.refuse(w, "the pattern %s means %s", f, own)
			}
		}
		all = append(all, some...)
	}
	return all, nil
}

func (r *reader) split(w *syntax.Word) ([]string, error) {
	if isAll(w) {
		return r.args, nil
	}
	fields, open := []string(nil), false // open: the last field goes on
	add := func(s string) {
		if open {
			fields[len(fields)-1] += s
		} else {
			fields = append(fields, s)
		}
		open = true
	}
	for _, p := range w.Parts {
		v, err := r.part(p, false)
		if err != nil {
			return nil, err
		}
		if lit, ok := p.(*syntax.Lit); !v.known || ok && len(fields) == 0 && strings.HasPrefix(lit.Value, "~") {
			return nil, r.refuse(w, "a value that is not known")
		}
		if !unquoted(p) {
			add(v.text)
			continue
		}
		ifs := r.variable("IFS")
		if !ifs.known {
			return nil, r.refuse(w, "IFS is not known")
		}
		cut := func(c rune) bool { return strings.ContainsRune(ifs.text, c) }
		if strings.IndexFunc(v.text, cut) == 0 {
			open = false
		}
		for i, f := range strings.FieldsFunc(v.text, cut) {
			open = open && i == 0
			add(f)
		}
		if strings.LastIndexFunc(v.text, cut) == len(v.text)-1 && v.text != "" {
			open = false
		}
	}
	return fields, nil
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

// substitute takes commands that only read. Their output is not known, except that of command -v and which.
func (r *reader) substitute(p *syntax.CmdSubst) (value, error) {
	if len(p.Stmts) != 1 {
		return value{}, r.refuse(p, "a command in a value")
	}
	s := p.Stmts[0]
	if b, ok := s.Cmd.(*syntax.BinaryCmd); ok && b.Op == syntax.OrStmt && harmless(b.Y) {
		s = b.X // what a message adds is not asked for
		if firstWord(b.Y) != "true" && firstWord(b.Y) != ":" {
			return value{}, r.refuse(p, "a message in a value")
		}
	}
	if c, ok := s.Cmd.(*syntax.CallExpr); ok && !s.Negated {
		args, err := r.fields(c.Args)
		if err == nil && r.asksAbsentPackage(args) {
			return value{"", true}, r.redirects(s)
		}
		if name, asks := programAsked(args); err == nil && asks {
			if path, st := r.program(name); st == yes {
				return value{path, true}, r.redirects(s)
			}
			return value{"", true}, r.redirects(s)
		}
	}
	if b, ok := s.Cmd.(*syntax.BinaryCmd); ok && b.Op == syntax.Pipe {
		_, err := r.pipeline(b)
		return value{}, err
	}
	if !reads(s) {
		return value{}, r.refuse(p, "%s in a value", firstWord(s))
	}
	return value{}, r.readsOnly(s)
}

// asksAbsentPackage takes dpkg-query -W of one other package, which is taken as not installed.
func (r *reader) asksAbsentPackage(args []string) bool {
	if len(args) < 3 || args[0] != "dpkg-query" || args[1] != "-W" && args[1] != "--show" {
		return false
	}
	name := args[len(args)-1]
	rest := args[2 : len(args)-1]
	if !packageName.MatchString(name) || name == r.info.Package || len(rest) > 2 || len(rest) > 0 && !strings.HasPrefix(rest[0], "-f") {
		return false
	}
	for _, p := range []string{"info/" + name + ".list", "info/" + name + ":*.list", "status.d/" + name} {
		r.assumeAbsent("/var/lib/dpkg/" + p)
	}
	return true
}

var packageName = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+$`)

// assign sets variables.
func (r *reader) assign(all []*syntax.Assign) error {
	for _, a := range all {
		if a.Naked && a.Name != nil {
			if _, ok := r.vars[a.Name.Value]; !ok {
				r.vars[a.Name.Value] = value{"", true}
			}
			continue
		}
		if a.Name == nil {
			continue // an option of declare
		}
		v, err := r.word(a.Value)
		if err != nil {
			return err
		}
		if a.Append || a.Array != nil || a.Index != nil {
			v = value{}
		}
		r.vars[a.Name.Value] = v
	}
	return nil
}
