package session

import (
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// indexCredentials makes what the steps get for an index of its secret: the pair for uv, the header for downloads. The secret holds user:password, a token,
// or a netrc file.
func (s Store) indexCredentials(ix recipe.Index) *fault.Fault {
	v, ok := s[ix.Secret]
	if !ok {
		return fault.New(fault.Secret, "index %q needs the secret %q, which was not given", ix.Name, ix.Secret).
			Hint("add --secret id=%s,env=VARIABLE or --secret id=%s,src=FILE with user:password, a token or a netrc file", ix.Secret, ix.Secret)
	}
	pair := accountOf(v)
	if isNetrc(v) {
		host := ix.URL
		if u, err := url.Parse(ix.URL); err == nil {
			host = u.Hostname()
		}
		if pair = netrcAccount(string(v), host); pair == "" {
			return fault.New(fault.Secret, "index %q: the netrc file of the secret %q has no login for %s", ix.Name, ix.Secret, host).
				Hint("add a line to it: machine %s login USER password PASSWORD", host)
		}
	}
	s[ops.IndexSecret(ix.Name)] = []byte(pair)
	s[ops.HeaderSecret(ix.Name)] = basicAuth([]byte(pair))
	return nil
}

// accountOf returns "user:password"; a bare token is the password of __token__, as package indexes have it.
func accountOf(v []byte) string {
	pair := strings.TrimSpace(string(v))
	if !strings.Contains(pair, ":") {
		pair = "__token__:" + pair
	}
	return pair
}

// basicAuth makes the Authorization header (RFC 7617) of "user:password" or of a token.
func basicAuth(v []byte) []byte {
	return []byte("Basic " + base64.StdEncoding.EncodeToString([]byte(accountOf(v))))
}

var netrcStart = lazyregexp.New(`^(?:\s*#.*\n|\s)*(?:machine\s+\S+|default)\s+\w`)

// isNetrc tells a netrc file from credentials: it starts with a machine or with the default entry.
func isNetrc(v []byte) bool { return netrcStart.Match(v) }

// netrcAccount finds the login for a host in a netrc file (inetutils' manual, "The .netrc file"): that of its machine, else the default. "" = there is none.
func netrcAccount(text, host string) string {
	var machine, login, password, fallback string
	found := ""
	keep := func() {
		switch {
		case login == "" && password == "" || found != "":
		case machine == host:
			found = login + ":" + password
		case machine == "default":
			fallback = login + ":" + password
		}
	}
	words := netrcWords(text)
	for i := 0; i < len(words); i++ {
		value := ""
		if i+1 < len(words) {
			value = words[i+1]
		}
		switch words[i] {
		case "machine":
			keep()
			machine, login, password = value, "", ""
			i++
		case "default":
			keep()
			machine, login, password = "default", "", ""
		case "login":
			login = value
			i++
		case "password":
			password = value
			i++
		case "account":
			i++
		}
	}
	keep()
	if found == "" {
		return fallback
	}
	return found
}

// netrcWords splits a netrc file. Comments are lines that start with #; a macro ends at an empty line.
func netrcWords(text string) []string {
	var words []string
	macro := false
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
			macro = false
		case macro || strings.HasPrefix(fields[0], "#"):
		case fields[0] == "macdef":
			macro = true
		default:
			words = append(words, fields...)
		}
	}
	return words
}
