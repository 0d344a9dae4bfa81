package scaffold

import (
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

var plainWord = lazyregexp.New(`^[A-Za-z_./-][A-Za-z0-9_./=-]*$`)

// yamlWord quotes a text where YAML would read something else.
func yamlWord(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n", "-", ".", "..":
		return strconv.Quote(s)
	}
	if plainWord.MatchString(s) {
		return s
	}
	return strconv.Quote(s)
}

// yamlList is a list on one line.
func yamlList(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = yamlWord(w)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
