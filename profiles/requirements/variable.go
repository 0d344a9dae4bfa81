package requirements

import (
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/pypi"
)

// variable is one of the environment that pip and uv put into the lines of a requirements file (pip, "Requirements File Format", "Using environment variables").
var variable = lazyregexp.New(`\$\{[A-Za-z_][A-Za-z0-9_]*\}`)

// variableUser is a user of a URL, or its password, that is one.
var variableUser = lazyregexp.New(`//[^/@\s]*\$\{[A-Za-z_][A-Za-z0-9_]*\}[^/@\s]*@`)

// variable refuses a line with a variable of the environment, which no step of a build has, and reports whether it did.
func (q *reader) variable(l pypi.Line, at fault.Position) bool {
	name := variable.FindString(l.Text)
	if name == "" {
		return false
	}
	f := q.Specf(at, "%s is not expanded: no step of a build has the environment of this shell", name)
	switch url := l.Required.URL; {
	case strings.Contains(l.Text, "git+"):
		f.Hint("a private repository is reached by ssh: git+ssh://git@host/…, and --ssh default")
	case strings.Contains(url, "://"):
		f.Hint("a file behind a login comes from an index with a secret: python: {indexes: [{name: …, url: …, secret: id}]}, and --secret id=…")
	}
	f.Hint("what is no secret can be written out")
	return true
}
