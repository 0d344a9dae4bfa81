package yamldoc

import (
	"net/url"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// What several keys of a project file have in common.
var (
	// SecretID is the id by which a build is given a secret.
	SecretID = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)
	// SHA256 is a sum in lower-case hexadecimal digits.
	SHA256 = lazyregexp.New(`^[0-9a-f]{64}$`)
)

// Leakf adds an E-SECRET-LEAK fault at a place and returns it for hints. The message must not hold the secret.
func (r *Report) Leakf(at fault.Position, format string, args ...any) *fault.Fault {
	f := fault.New(fault.SecretLeak, format, args...).In(at)
	r.Add(f)
	return f
}

// CheckURL refuses what is no http or https URL (E-SPEC), and one with credentials (E-SECRET-LEAK); what names it in the message. It reports whether the
// URL is good.
func (r *Report) CheckURL(s String, what string) bool {
	if HasUserInfo(s.Value) {
		r.Leakf(s.At, "the URL of %s holds credentials", what).
			Hint("write the URL without them and secret: id beside it; give --secret id=… with user:password")
		return false
	}
	u, err := url.Parse(s.Value)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		r.Specf(s.At, "%q is not an http or https URL", s.Value)
		return false
	}
	return true
}
