package script

import (
	"regexp"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/pattern"
	"mvdan.cc/sh/v3/syntax"
)

// expander turns words into texts. The commands in a word may only read, so that nothing but absent files comes of it.
type expander struct {
	vars *variables
	sys  *system
}

// word expands a word to one text, as an assignment does.
func (x expander) word(w *syntax.Word) (value, error) {
	if w == nil {
		return value{"", true}, nil
	}
	if first, ok := w.Parts[0].(*syntax.Lit); ok && strings.HasPrefix(first.Value, "~") {
		return value{}, nil
	}
	return x.parts(w.Parts, false)
}

func (x expander) parts(parts []syntax.WordPart, quoted bool) (value, error) {
	all := value{"", true}
	for _, p := range parts {
		v, err := x.part(p, quoted)
		if err == nil {
			_, err = x.sys.spent.add(len(all.text), len(v.text))
		}
		if err != nil {
			return value{}, at(p, err)
		}
		all.text += v.text
		all.known = all.known && v.known
	}
	return all, nil
}

func (x expander) part(p syntax.WordPart, quoted bool) (value, error) {
	switch p := p.(type) {
	case *syntax.Lit:
		return value{unescape(p.Value, quoted), true}, nil
	case *syntax.SglQuoted:
		return value{p.Value, !p.Dollar}, nil
	case *syntax.DblQuoted:
		return x.parts(p.Parts, true)
	case *syntax.ParamExp:
		return x.param(p)
	case *syntax.CmdSubst:
		return x.substitute(p)
	case *syntax.ArithmExp:
		return value{}, refuseAt(p, "arithmetic") // it may set variables
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

func (x expander) param(p *syntax.ParamExp) (value, error) {
	if p.Param == nil || p.Excl || p.Width || p.IsSet || p.Index != nil || p.Slice != nil || p.Repl != nil || p.Names != 0 || len(p.Modifiers) > 0 {
		return value{}, nil
	}
	v := x.vars.get(p.Param.Value)
	if _, err := x.sys.spent.add(0, len(v.text)); err != nil {
		return value{}, at(p, err)
	}
	if p.Length {
		return value{strconv.Itoa(len(v.text)), v.known}, nil
	}
	if p.Exp == nil {
		return v, nil
	}
	switch p.Exp.Op {
	case syntax.DefaultUnset, syntax.DefaultUnsetOrNull, syntax.AlternateUnset, syntax.AlternateUnsetOrNull:
		return x.alternate(p, v)
	case syntax.RemSmallPrefix, syntax.RemLargePrefix, syntax.RemSmallSuffix, syntax.RemLargeSuffix:
		return x.trim(p, v)
	}
	return value{}, refuseAt(p, "an expansion of an unknown kind") // it may set variables, or end the script
}

// alternate is ${x-word}, ${x:-word}, ${x+word} and ${x:+word}.
func (x expander) alternate(p *syntax.ParamExp, v value) (value, error) {
	if !v.known {
		_, err := x.word(p.Exp.Word)
		return v, err
	}
	colon := p.Exp.Op == syntax.DefaultUnsetOrNull || p.Exp.Op == syntax.AlternateUnsetOrNull
	set := x.vars.isSet(p.Param.Value) && (!colon || v.text != "")
	if wantsSet := p.Exp.Op == syntax.AlternateUnset || p.Exp.Op == syntax.AlternateUnsetOrNull; wantsSet == set {
		return x.word(p.Exp.Word)
	} else if wantsSet {
		return value{"", true}, nil
	}
	return v, nil
}

// trim is ${x#pattern} and its like.
func (x expander) trim(p *syntax.ParamExp, v value) (value, error) {
	pat, err := x.pattern(p.Exp.Word)
	if err != nil || !v.known {
		return value{}, err
	}
	re, err := x.sys.spent.expression(pat)
	if err != nil || re == nil {
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
		if err := x.sys.spent.hold(len(pat), len(cut)); err != nil {
			return value{}, err
		}
		if re.MatchString(cut) {
			return value{rest, true}, nil
		}
	}
	return v, nil
}

// expression makes a pattern of the shell an expression for whole texts, nil if it cannot be read.
func (b *budget) expression(pat string) (*regexp.Regexp, error) {
	if err := b.compile(len(pat)); err != nil {
		return nil, err
	}
	expr, err := pattern.Regexp(pat, pattern.EntireString)
	if err != nil {
		return nil, nil
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, nil
	}
	return re, nil
}

// matches holds a text against a pattern of case.
func (x expander) matches(p *syntax.Word, text string) (bool, error) {
	pat, err := x.pattern(p)
	if err != nil {
		return false, err
	}
	re, err := x.sys.spent.expression(pat)
	if err == nil && re == nil {
		err = refuse("a pattern that cannot be read")
	}
	if err == nil {
		err = x.sys.spent.hold(len(pat), len(text))
	}
	if err != nil {
		return false, at(p, err)
	}
	return re.MatchString(text), nil
}

// pattern expands a pattern: what is quoted stands for itself.
func (x expander) pattern(w *syntax.Word) (string, error) {
	if w == nil {
		return "", nil
	}
	var b strings.Builder
	for _, p := range w.Parts {
		if lit, ok := p.(*syntax.Lit); ok {
			b.WriteString(lit.Value)
			continue
		}
		v, err := x.part(p, false)
		if err == nil {
			_, err = x.sys.spent.add(b.Len(), len(v.text))
		}
		if err != nil {
			return "", at(p, err)
		}
		if !v.known {
			return "", refuseAt(w, "the pattern is not known")
		}
		if _, plain := p.(*syntax.ParamExp); plain {
			b.WriteString(v.text)
		} else {
			b.WriteString(pattern.QuoteMeta(v.text, 0))
		}
	}
	return b.String(), nil
}
