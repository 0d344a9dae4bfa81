package scaffold

import (
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

var plainWord = lazyregexp.New(`^[A-Za-z_./-][A-Za-z0-9_./=-]*$`)

// Word quotes a text where YAML would read something else.
func Word(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n", "-", ".", "..":
		return strconv.Quote(s)
	}
	if plainWord.MatchString(s) {
		return s
	}
	return strconv.Quote(s)
}

// List is a list on one line.
func List(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = Word(w)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
