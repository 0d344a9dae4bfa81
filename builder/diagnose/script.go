package diagnose

import (
	"strings"
	"unicode/utf8"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// command is how BuildKit quotes the command of a step that failed, as Go writes a string.
var command = lazyregexp.New(`process "((?:[^"\\]|\\.)*)" did not complete successfully`)

// mostOfCommand is how many bytes of a step's command are shown: a step of mlbuild's own may be a whole script.
const mostOfCommand = 200

// Brief returns what the daemon says of a step without the most of a long command.
func Brief(text string) string {
	return command.ReplaceAllStringFunc(text, func(s string) string {
		said := command.FindStringSubmatch(s)[1]
		if len(said) <= mostOfCommand {
			return s
		}
		cut := said[:mostOfCommand]
		for !utf8.ValidString(cut) {
			cut = cut[:len(cut)-1]
		}
		return `process "` + strings.TrimRight(cut, `\`) + `…" did not complete successfully`
	})
}
