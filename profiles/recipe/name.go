package recipe

import (
	"strings"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

var notInName = lazyregexp.New(`[^a-z0-9]+`)

// CleanName makes a project name of any text, "" if nothing is left.
func CleanName(s string) string {
	clean := strings.Trim(notInName.ReplaceAllString(strings.ToLower(s), "-"), "-")
	return strings.Trim(clean[:min(63, len(clean))], "-")
}
