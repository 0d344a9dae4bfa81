package yamldoc

import "github.com/goccy/go-yaml/token"

// wholeScalars puts plain scalars together which the lexer takes apart at a colon: in a list in braces, {command: [uvicorn, app.main:app]}, it sees a mapping in app.main:app. A colon
// ends a key only before a space (YAML 1.2.2, section 7.3.3).
func wholeScalars(tokens token.Tokens) token.Tokens {
	var all token.Tokens
	var open []token.Type // the brackets that a token stands in
	for i := 0; i < len(tokens); i++ {
		switch t := tokens[i]; {
		case t.Type == token.MappingStartType, t.Type == token.SequenceStartType:
			open = append(open, t.Type)
		case (t.Type == token.MappingEndType || t.Type == token.SequenceEndType) && len(open) > 0:
			open = open[:len(open)-1]
		case len(open) > 0 && open[len(open)-1] == token.SequenceStartType && takenApart(tokens[i:]):
			text := t.Value + ":" + tokens[i+2].Value
			all.Add(token.String(text, text, t.Position))
			i += 2
			continue
		}
		all.Add(tokens[i])
	}
	return all
}

// takenApart reports whether tokens begin with a plain scalar, a colon and another one that follows it at once.
func takenApart(tokens token.Tokens) bool {
	if len(tokens) < 3 || !isPlain(tokens[0]) || tokens[1].Type != token.MappingValueType || !isPlain(tokens[2]) {
		return false
	}
	colon, next := tokens[1].Position, tokens[2].Position
	return colon.Line == next.Line && next.Column == colon.Column+1
}

func isPlain(t *token.Token) bool {
	switch t.Type {
	case token.StringType, token.IntegerType, token.BinaryIntegerType, token.OctetIntegerType, token.HexIntegerType, token.FloatType, token.BoolType, token.NullType, token.InfinityType, token.NanType:
		return t.Indicator == token.NotIndicator
	}
	return false
}
