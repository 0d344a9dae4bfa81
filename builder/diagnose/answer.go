package diagnose

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
	"github.com/distribution/reference"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// What a registry answers comes typed where the client itself has asked. Where the daemon has, only a text is left: containerd's, in which names of the user's stand beside
// what the registry said, so that a word or a number in it says nothing by itself. The forms below are those of containerd v2.4 (core/remotes) and BuildKit v0.33
// (util/errutil, util/push, cache/remotecache, session/auth); a test holds them to texts of a real daemon.

// answer is how a registry, or the service that makes its tokens, took a request that failed.
type answer struct {
	status int    // of HTTP; 0 = none came, or it is not known
	method string // of the request, "" = not known
	host   string // that was asked, "" = not known
	path   string // that was asked for
	said   string // in the server's own words
	broken string // why no answer came, in Go's words; "" = one came
	token  bool   // a login failed: the account or its token
	anon   bool   // it was tried without an account
	wait   string // the header Retry-After, "" = none
}

var (
	statusForm  = lazyregexp.New(`(?s)unexpected status from ([A-Z]+) request to (\S+): (\d{3})[^\n:]*:?(.*)`)
	requestForm = lazyregexp.New(`(?s)\b(Get|Head|Post|Put|Patch|Delete) \\?"([^"\\]+)\\?": (.*)`)
	pushForm    = lazyregexp.New(`(?s)\b(?:failed to push \S+|error writing (?:layer|config|manifest) blob): (.*)`)
	tokenForm   = lazyregexp.New(`(?s)\b(?:log in at (\S+): |failed to fetch (oauth|anonymous) token: |failed to authorize: )(.*)`)
	codeForm    = lazyregexp.New(`(?s)^(?:errors:\n)?(unknown|unsupported|unauthorized|denied|unavailable|toomanyrequests)(?:: (.*)|\n.*)?$`)
	refusedForm = lazyregexp.New(`(?s)(?:server message: (\w+): )?authorization failed(: no basic auth credentials)?\s*$`)
	networkForm = lazyregexp.New(`(?s)\b(?:(?:dial|read|write) (?:tcp|udp)[46]? .*|(?:unexpected )?EOF|i/o timeout|connection reset by peer|broken pipe)\s*$`)
	waitedForm  = lazyregexp.New(`(?s)\bwaited \d[\w.µ]* for (?:(?:the end of )?(\S+)'s answer to ([A-Z]+) (\S+)|(?:a connection to|the log-in at|the token service of|what|whether) (\S+)|)`) // package limits
	retriedForm = lazyregexp.New(`(?m)^error: (unexpected status from [A-Z]+ request to \S+: 5\d\d .*)$`)
)

// readAnswer reads off an error what a registry answered. The zero value says that no registry is behind it.
func readAnswer(err error) answer {
	read := answerIn(err.Error())
	if a, ok := typedAnswer(err); ok {
		if read.token {
			a.token, a.anon, a.host = true, read.anon, cmp.Or(read.host, a.host)
		}
		return a
	}
	return read
}

// typedAnswer is that of an error of this process.
func typedAnswer(err error) (a answer, ok bool) {
	status, ok := errors.AsType[remoteerrors.ErrUnexpectedStatus](err)
	if !ok {
		return a, false
	}
	a = answer{status: status.StatusCode, method: status.RequestMethod, said: saidIn(status.Body)}
	a.host, a.path = partsOf(status.RequestURL)
	if full, ok := errors.AsType[interface {
		error
		RetryAfter() string
	}](err); ok {
		a.wait = full.RetryAfter()
	}
	return a, true
}

// answerIn reads a text of the daemon's.
func answerIn(text string) (a answer) {
	rest := text
	for m := tokenForm.FindStringSubmatch(rest); m != nil; m = tokenForm.FindStringSubmatch(rest) { // one's words stand within another's
		a.token, a.host, a.anon, rest = true, cmp.Or(m[1], a.host), a.anon || m[2] == "anonymous", m[3]
	}
	switch status, request := statusForm.FindStringSubmatchIndex(rest), requestForm.FindStringSubmatchIndex(rest); {
	case status != nil && (request == nil || status[0] < request[0]):
		m := statusForm.FindStringSubmatch(rest)
		a.status, a.method, a.said = number(m[3]), m[1], saidIn([]byte(strings.TrimSpace(m[4])))
		a.ask(m[2])
	case request != nil:
		m := requestForm.FindStringSubmatch(rest)
		a.method, a.broken = strings.ToUpper(m[1]), m[3]
		a.ask(m[2])
	default:
		if m := waitedForm.FindStringSubmatch(rest); m != nil {
			a.method, a.path, a.host, a.broken = m[2], m[3], cmp.Or(a.host, m[1], m[4]), rest[strings.Index(rest, m[0]):]
			return a
		}
		a.readCode(rest)
	}
	return a
}

// ask notes the server that was asked. Of a token the registry counts, where it is known.
func (a *answer) ask(to string) {
	host, path := partsOf(to)
	if a.path = path; a.host == "" && !a.token {
		a.host = host
	}
}

// readCode reads an error of the distribution spec, whose code stands alone or before the registry's words. What has no code of containerd's is "unknown", whatever its
// status was.
func (a *answer) readCode(text string) {
	m := pushForm.FindStringSubmatch(text)
	if m != nil {
		text = m[1]
	}
	if m := refusedForm.FindStringSubmatch(text); m != nil {
		a.status, a.said, a.anon = 401, m[1], a.anon || m[2] != ""
		return
	}
	if m := codeForm.FindStringSubmatch(text); m != nil {
		a.status, a.said = statusOf(m[1]), strings.TrimSpace(m[2])
		if a.said == "" {
			a.said = strings.TrimSpace(text)
		}
		return
	}
	if m != nil && networkForm.MatchString(text) {
		a.broken = text
	}
}

// statusOf returns the status of a code as containerd prints it, 0 for "unknown".
func statusOf(code string) int {
	c := docker.ParseErrorCode(strings.ToUpper(code))
	if c == docker.ErrorCodeUnknown {
		return 0
	}
	return c.Descriptor().HTTPStatusCode
}

// retried returns the answer that the daemon noted before it tried a push again, which it does after errors of the server (util/resolver/retryhandler).
func retried(output string) (a answer, ok bool) {
	m := retriedForm.FindStringSubmatch(output)
	if m == nil {
		return a, false
	}
	return answerIn(m[1]), true
}

// saidIn returns the messages of a body of the distribution spec ("Error Codes"), and another one as it is.
func saidIn(body []byte) string {
	var spec struct {
		Errors []struct {
			Code, Message string
			Detail        json.RawMessage
		}
	}
	if json.Unmarshal(body, &spec) != nil || len(spec.Errors) == 0 {
		return string(body)
	}
	all := make([]string, len(spec.Errors))
	for i, e := range spec.Errors {
		all[i] = e.Code + ": " + e.Message
		var detail string
		if json.Unmarshal(e.Detail, &detail) == nil && detail != "" {
			all[i] += " - " + detail
		}
	}
	return strings.Join(all, "\n")
}

func partsOf(to string) (host, path string) {
	u, err := url.Parse(to)
	if err != nil {
		return "", ""
	}
	return u.Host, u.Path
}

// number reads three digits.
func number(s string) (n int) {
	for _, c := range s {
		n = 10*n + int(c-'0')
	}
	return n
}

// without takes the names of a reference out of what the registry said, so that they are not read as its words.
func (a answer) without(ref string) answer {
	host, path, tag := partsOfRef(ref)
	for _, name := range []string{ref, host + "/" + path, path, tag} {
		if len(name) > 1 {
			a.said = strings.ReplaceAll(a.said, name, "…")
		}
	}
	return a
}

// partsOfRef takes a reference apart: its registry, the path of its repository and its tag, "" for what it does not have.
func partsOfRef(ref string) (host, path, tag string) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return "", "", ""
	}
	if tagged, ok := named.(reference.Tagged); ok {
		tag = tagged.Tag()
	}
	return reference.Domain(named), reference.Path(named), tag
}

// host returns the registry that a build pushes to, "" if it pushes nothing.
func (t Target) host() string {
	host, _, _ := partsOfRef(t.Ref)
	return host
}

// fullForm is how registries word that they take no more: of a storage, a number of images or a size. It is held against their own words alone.
var fullForm = lazyregexp.New(`(?i)\bexceed\w*\b.*\b(quota|limit|maximum)|\b(quota|limit)\b[^.]*\b(exceeded|reached)|\bmaximum (allowed )?(number|size)|no space left on device|disk quota|insufficient storage|SIZE_INVALID: `)

// full reports whether the registry takes no more data.
func (a answer) full() bool {
	switch a.status {
	case 413, 507:
		return true
	case 0, 400, 403, 500:
		return fullForm.MatchString(a.said)
	}
	return false
}

// plainHTTP reports whether the server speaks http where https was expected.
func (a answer) plainHTTP() bool {
	return strings.Contains(a.broken, "http: server gave HTTP response to HTTPS client")
}

// untrusted reports whether the server's certificate was not accepted.
func (a answer) untrusted() bool { return strings.Contains(a.broken, "x509: ") }

// passes reports whether the server failed or did not answer, which may pass.
func (a answer) passes() bool { return a.status >= 500 || a.broken != "" && !a.plainHTTP() }

// sends reports whether the request was to change a repository.
func (a answer) sends() bool {
	return !a.token && (a.method == "PUT" || a.method == "POST" || a.method == "PATCH")
}

// pulls reports whether the request was to read an image, by the endpoints of the distribution spec.
func (a answer) pulls() bool {
	return !a.token && (a.method == "GET" || a.method == "HEAD") && strings.HasPrefix(a.path, "/v2/")
}

// loginHost is what docker login is to be given for a host.
func loginHost(host string) string {
	switch host {
	case "registry-1.docker.io", "index.docker.io", "auth.docker.io":
		return "docker.io"
	}
	return host
}
