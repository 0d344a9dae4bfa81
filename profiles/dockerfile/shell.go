package dockerfile

import (
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// commandsOf takes a script apart: the commands that run one after another. source are the Dockerfile's lines from first on that the script is written in.
func commandsOf(script string, source []string, first int) []Command {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(script), "")
	if err != nil {
		return []Command{{Line: first, Text: oneLine(script)}}
	}
	var all []Command
	for _, s := range file.Stmts {
		all = append(all, statements(script, s)...)
	}
	at := 0
	for i := range all {
		at = findLine(source, at, all[i].Text)
		all[i].Line = first + at
	}
	return all
}

// statements are the commands of a statement, one after another.
func statements(script string, s *syntax.Stmt) []Command {
	text := oneLine(script[s.Pos().Offset():s.End().Offset()])
	if both, ok := s.Cmd.(*syntax.BinaryCmd); ok && both.Op == syntax.AndStmt && !s.Negated {
		return append(statements(script, both.X), statements(script, both.Y)...)
	}
	call, ok := s.Cmd.(*syntax.CallExpr)
	if !ok || s.Negated || s.Background || !onlyQuiet(s.Redirs) {
		return []Command{{Text: text}}
	}
	c := Command{Text: text}
	for _, a := range call.Assigns {
		value := ""
		if a.Value != nil {
			value, _ = literal(a.Value.Parts)
		}
		c.Env = append(c.Env, Pair{Name: a.Name.Value, Value: value, Given: true})
	}
	for _, w := range call.Args {
		word, ok := literal(w.Parts)
		if !ok {
			return []Command{{Text: text}}
		}
		c.Words = append(c.Words, word)
	}
	return []Command{c}
}

// onlyQuiet reports whether redirections only take output away.
func onlyQuiet(list []*syntax.Redirect) bool {
	for _, r := range list {
		if r.Word == nil || r.Hdoc != nil {
			return false
		}
		if to, ok := literal(r.Word.Parts); !ok || to != "/dev/null" && to != "1" && to != "2" {
			return false
		}
	}
	return true
}

// literal is the text of a word, with ${NAME} for a variable; ok is false where only a shell knows it.
func literal(parts []syntax.WordPart) (text string, ok bool) {
	var b strings.Builder
	for _, p := range parts {
		switch p := p.(type) {
		case *syntax.Lit:
			b.WriteString(unescaped(p.Value))
		case *syntax.SglQuoted:
			b.WriteString(p.Value)
		case *syntax.DblQuoted:
			inner, ok := literal(p.Parts)
			if !ok {
				return "", false
			}
			b.WriteString(inner)
		case *syntax.ParamExp:
			if p.Param == nil || p.Exp != nil || p.Length || p.Index != nil || p.Slice != nil || p.Repl != nil {
				return "", false
			}
			b.WriteString("${" + p.Param.Value + "}")
		default:
			return "", false
		}
	}
	return b.String(), true
}

// unescaped takes the backslashes before characters away.
func unescaped(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// findLine is the index of the first line from at on in which a command begins, at if none is seen.
func findLine(source []string, at int, text string) int {
	words := strings.Fields(text)
	for n := min(5, len(words)); n > 0; n-- { // a command may go on on the next line
		start := strings.Join(words[:n], " ")
		for i := at; i < len(source); i++ {
			if strings.Contains(strings.Join(strings.Fields(source[i]), " "), start) {
				return i
			}
		}
	}
	return at
}

// oneLine is a text without line breaks and runs of blanks.
func oneLine(s string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(s, "\\\n", " ")), " ")
}

// plainWords are the words of a line that is one command without variables; ok is false for other lines.
func plainWords(line string) (words []string, ok bool) {
	if strings.ContainsAny(line, "$`*?~") {
		return nil, false
	}
	list := commandsOf(line, nil, 0)
	if len(list) != 1 || len(list[0].Words) == 0 || len(list[0].Env) > 0 || strings.ContainsAny(list[0].Text, "<>") {
		return nil, false
	}
	return list[0].Words, true
}
