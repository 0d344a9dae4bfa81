package yamldoc

import (
	"strings"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// URLWithUser finds a URL with a user or a password in it: its first group is the scheme, its second what stands before the @.
var URLWithUser = lazyregexp.New(`([A-Za-z][A-Za-z0-9+.-]*)://([^/\s@"'?#]+)@`)

// secretShapes are values that are secrets whatever their name is.
var secretShapes = []struct {
	what    string
	pattern *lazyregexp.Regexp
}{
	{"an AWS access key", lazyregexp.New(`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`)},
	{"a GitHub token", lazyregexp.New(`\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})`)},
	{"a Hugging Face token", lazyregexp.New(`\bhf_[A-Za-z0-9]{30,}`)},
	{"a GitLab token", lazyregexp.New(`\bglpat-[A-Za-z0-9_-]{20,}`)},
	{"a JSON web token", lazyregexp.New(`\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+`)},
	{"a private key", lazyregexp.New(`-----BEGIN [A-Z ]*PRIVATE KEY-----`)},
	{"a URL with credentials", lazyregexp.New(`[A-Za-z][A-Za-z0-9+.-]*://[^/\s:@"']*:[^/\s@"']+@`)},
}

// HasUserInfo reports whether a text holds a URL with a user or password. The user of an ssh URL is no secret.
func HasUserInfo(s string) bool {
	for _, m := range URLWithUser.FindAllStringSubmatch(s, -1) {
		if !strings.HasSuffix(strings.ToLower(m[1]), "ssh") || strings.Contains(m[2], ":") {
			return true
		}
	}
	return false
}

// ShapeOf names the kind of secret that a text holds, "" if none is seen.
func ShapeOf(s string) string {
	for _, shape := range secretShapes {
		if shape.pattern.MatchString(s) {
			return shape.what
		}
	}
	if HasUserInfo(s) {
		return "a URL with credentials"
	}
	return ""
}
