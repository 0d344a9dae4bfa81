package recipe

import (
	"regexp"
	"strings"
)

// IsGlob reports whether the name is a pattern.
func IsGlob(name string) bool { return strings.ContainsAny(name, "*?[") }

// GlobRegexp translates a pattern: * and ? stop at slashes, ** does not, [a-z] is a class.
func GlobRegexp(pattern string) (*regexp.Regexp, error) {
	var b strings.Builder
	b.WriteString("^")
	for i := 0; i < len(pattern); i++ {
		switch rest := pattern[i:]; {
		case strings.HasPrefix(rest, "**/"):
			b.WriteString("(?:.*/)?")
			i += 2
		case strings.HasPrefix(rest, "**"):
			b.WriteString(".*")
			i++
		case rest[0] == '*':
			b.WriteString("[^/]*")
		case rest[0] == '?':
			b.WriteString("[^/]")
		case rest[0] == '[' && strings.IndexByte(rest, ']') > 1:
			end := strings.IndexByte(rest, ']')
			b.WriteString("[" + strings.Replace(strings.ReplaceAll(rest[1:end], `\`, `\\`), "!", "^", 1) + "]")
			i += end
		default:
			b.WriteString(regexp.QuoteMeta(rest[:1]))
		}
	}
	return regexp.Compile(b.String() + "$")
}
