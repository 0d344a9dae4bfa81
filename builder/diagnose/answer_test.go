package diagnose

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
	gatewaypb "github.com/moby/buildkit/frontend/gateway/pb"

	"github.com/mlbuild/mlbuild/builder/buildertest"
	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

const (
	pushTo  = "failed to solve: failed to push 127.0.0.1:4040/team/quota/app:401: "
	pushURL = "http://127.0.0.1:4040/v2/team/quota/app/"
)

// TestReadAnswer holds the forms to texts of BuildKit v0.33.1, to which a registry answered each status with each kind of body.
func TestReadAnswer(t *testing.T) {
	for _, test := range []struct {
		text string
		want answer
	}{
		{pushTo + "unexpected status from HEAD request to " + pushURL + "blobs/sha256:404: 400 Bad Request", answer{status: 400, method: "HEAD"}},
		{pushTo + "unexpected status from POST request to " + pushURL + "blobs/uploads/: 403 Forbidden: <html>a proxy's page</html>", answer{status: 403, method: "POST", said: "<html>a proxy's page</html>"}},
		{pushTo + "unexpected status from PUT request to " + pushURL + "blobs/uploads/7?_state=DRcPDgHhvT%3D&digest=sha256%3A403: 429 Too Many Requests", answer{status: 429, method: "PUT"}},
		{pushTo + "unexpected status from PUT request to " + pushURL + "manifests/1: 500 Internal Server Error", answer{status: 500, method: "PUT"}},
		{pushTo + "unauthorized", answer{status: 401, said: "unauthorized"}},
		{pushTo + "unauthorized: own words of it", answer{status: 401, said: "own words of it"}},
		{pushTo + "errors:\nunauthorized\nunknown: own two\n", answer{status: 401, said: "errors:\nunauthorized\nunknown: own two"}},
		{pushTo + "denied", answer{status: 403, said: "denied"}},
		{pushTo + "denied: requested access to the resource is denied - filesystem: no space left on device", answer{status: 403, said: "requested access to the resource is denied - filesystem: no space left on device"}},
		{pushTo + "toomanyrequests", answer{status: 429, said: "toomanyrequests"}},
		{pushTo + "unsupported: The operation is unsupported.", answer{status: 405, said: "The operation is unsupported."}},
		{pushTo + "unavailable: own words of it", answer{status: 503, said: "own words of it"}},
		{pushTo + "unknown", answer{said: "unknown"}},
		{pushTo + "unknown: configured as immutable", answer{said: "configured as immutable"}},
		{pushTo + "server message: insufficient_scope: authorization failed", answer{status: 401, said: "insufficient_scope"}},
		{pushTo + "write tcp 10.0.0.1:5->10.0.0.2:443: write: broken pipe", answer{broken: "write tcp 10.0.0.1:5->10.0.0.2:443: write: broken pipe"}},
		{pushTo + `failed to do request: Head "https://127.0.0.1:4040/v2/x/blobs/sha256:401": http: server gave HTTP response to HTTPS client`,
			answer{method: "HEAD", broken: "http: server gave HTTP response to HTTPS client"}},
		{pushTo + "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to http://auth.example/token?scope=x&service=s: 401 Unauthorized", answer{status: 401, method: "GET", token: true, anon: true}},
		{pushTo + "failed to authorize: failed to fetch oauth token: unauthorized: incorrect username or password", answer{status: 401, said: "incorrect username or password", token: true}},
		{pushTo + "failed to authorize: rpc error: code = Unknown desc = log in at 127.0.0.1:4040: failed to fetch oauth token: unexpected status from GET request to http://auth.example/token: 403 Forbidden",
			answer{status: 403, method: "GET", token: true}},
		{`failed to authorize: rpc error: code = Unknown desc = log in at 127.0.0.1:4040: failed to fetch oauth token: Post "https://auth.example/token": tls: failed to verify certificate: x509: certificate signed by unknown authority`,
			answer{method: "POST", token: true, broken: "tls: failed to verify certificate: x509: certificate signed by unknown authority"}},
		{"unexpected status from HEAD request to https://127.0.0.1:4040/v2/a/manifests/1?ns=docker.io: 403 Forbidden\ndenied", answer{status: 403, method: "HEAD", said: "denied"}},
		{`failed to do request: Head "http://127.0.0.1:4040/v2/a/manifests/1": dial tcp 127.0.0.1:4040: connect: connection refused`, answer{method: "HEAD", broken: "dial tcp 127.0.0.1:4040: connect: connection refused"}},
		{"127.0.0.1:4040/a401/app:404: not found", answer{}},
		{"the image registry.example/x@sha256:" + strings.Repeat("404", 21) + "4 is not for linux", answer{}},
		{"something denied: unauthorized: 401", answer{}},
	} {
		got := readAnswer(errors.New(test.text))
		if got.host != "" && got.host != "127.0.0.1:4040" {
			t.Errorf("%s: answered by %s", test.text, got.host)
		}
		got.host, got.path = "", ""
		if got != test.want {
			t.Errorf("%s\n got %+v\nwant %+v", test.text, got, test.want)
		}
	}
}

// TestReadTypedAnswer: what the client itself has asked comes with its type.
func TestReadTypedAnswer(t *testing.T) {
	status := remoteerrors.ErrUnexpectedStatus{
		StatusCode: 429, Status: "429 Too Many Requests", RequestMethod: "GET", RequestURL: "https://reg.example/v2/a/manifests/1",
		Body: []byte(`{"errors":[{"code":"SLOW","message":"later","detail":"page 9"}]}`),
	}
	want := answer{status: 429, method: "GET", host: "reg.example", path: "/v2/a/manifests/1", said: "SLOW: later - page 9", wait: "30"}
	if got := readAnswer(fmt.Errorf("look: %w", &registry.StatusError{ErrUnexpectedStatus: status, Wait: "30"})); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	status.StatusCode, status.RequestURL, status.Body = 401, "https://auth.example/token", nil
	got := readAnswer(fmt.Errorf("log in at reg.example: failed to fetch anonymous token: %w", status))
	if !got.token || !got.anon || got.host != "reg.example" || got.status != 401 {
		t.Errorf("a token: %+v", got)
	}
	got = readAnswer(fmt.Errorf("log in at reg.example: %w: no basic auth credentials", docker.ErrInvalidAuthorization))
	if !got.token || !got.anon || got.host != "reg.example" || got.status != 401 {
		t.Errorf("no login: %+v", got)
	}
}

// TestWaitsThatCameToNothing: a server that did not answer in time is named with the request, as if the connection had broken, and the run may be tried again.
func TestWaitsThatCameToNothing(t *testing.T) {
	const ref = "reg.example/team/app:1"
	for _, test := range []struct {
		text string
		want answer
		push Target
		code fault.Code
		says string
	}{
		{"reg.example's answer to PUT /v2/team/app/manifests/1", answer{method: "PUT", host: "reg.example", path: "/v2/team/app/manifests/1"}, Target{Ref: ref}, fault.Registry, "the registry failed"},
		{"the end of reg.example's answer to GET /v2/team/app/manifests/1", answer{method: "GET", host: "reg.example", path: "/v2/team/app/manifests/1"}, Target{}, fault.Base, "does not answer as it should"},
		{"a connection to reg.example", answer{host: "reg.example"}, Target{Ref: ref}, fault.Registry, "the registry failed"},
		{"a connection to reg.example", answer{host: "reg.example"}, Target{}, fault.Base, "does not answer as it should"},
		{"what reg.example has of the image", answer{host: "reg.example"}, Target{Ref: ref}, fault.Registry, "the registry failed"},
	} {
		test.text = "waited 30s for " + test.text
		test.want.broken = test.text
		if got := readAnswer(fmt.Errorf("tag it: %w", errors.New(test.text))); got != test.want {
			t.Errorf("got %+v, want %+v", got, test.want)
		}
		buildertest.Expect(t, Build{Profile: "cpu", Logs: NewWatcher(nil), Push: test.push}.Explain(errors.New(test.text)), test.code, true, test.says, test.text)
	}
	for _, text := range []string{"the log-in at reg.example", "the token service of reg.example"} {
		err := fmt.Errorf("failed to authorize: log in at reg.example: waited 1m0s for %s", text)
		if a := readAnswer(err); !a.token || a.broken == "" || a.host != "reg.example" {
			t.Errorf("%v: %+v", err, a)
		}
		buildertest.Expect(t, Build{Profile: "cpu", Logs: NewWatcher(nil)}.Explain(err), fault.Base, true, "does not answer as it should", text)
		buildertest.Expect(t, Image(ref, "reg.example", "linux/amd64", err), fault.Base, true, "does not answer as it should", text)
	}
}

// TestPushFaults: the fault of a push by what the registry answered, whatever words and numbers the names have.
func TestPushFaults(t *testing.T) {
	noLonger := func(status int) func() error {
		return func() error {
			return &registry.StatusError{ErrUnexpectedStatus: remoteerrors.ErrUnexpectedStatus{StatusCode: status, RequestMethod: "POST", RequestURL: "http://127.0.0.1:4040/v2/x/blobs/uploads/"}, Wait: "7"}
		}
	}
	for _, test := range []struct {
		text  string
		push  Target
		code  fault.Code
		retry bool
		says  []string
	}{
		{"unexpected status from POST request to " + pushURL + "blobs/uploads/: 503 Service Unavailable", Target{}, fault.Registry, true, []string{"the registry failed"}},
		{"unexpected status from POST request to " + pushURL + "blobs/uploads/: 403 Forbidden", Target{}, fault.Denied, false, []string{"ask for the right"}},
		{"denied: team/quota/app exceeds nothing, ask for access", Target{}, fault.Denied, false, []string{"ask for the right"}},
		{"denied: The repository with name 'team/quota/app' already has the maximum allowed number of images", Target{}, fault.Registry, false, []string{"takes no more data", "quota"}},
		{"denied: adding 30 MiB of storage resource will exceed the configured upper limit", Target{}, fault.Registry, false, []string{"takes no more data"}},
		{"denied: quota exceeded", Target{}, fault.Registry, false, []string{"takes no more data"}},
		{"unexpected status from PUT request to " + pushURL + `blobs/uploads/7: 500 Internal Server Error: {"errors":[{"code":"UNKNOWN","message":"unknown error","detail":"filesystem: write /var/lib/registry/x: no space left on device"}]}`,
			Target{}, fault.Registry, false, []string{"the registry takes no more data"}},
		{"unknown: unknown error - filesystem: no space left on device", Target{}, fault.Registry, false, []string{"the registry takes no more data"}},
		{"unknown: invalid content range", Target{}, fault.Registry, false, []string{"the registry refuses it"}},
		{"toomanyrequests", Target{}, fault.Registry, true, []string{"slow down", "later"}},
		{"denied", Target{}, fault.Denied, false, []string{"docker login 127.0.0.1:4040"}},
		{"unauthorized", Target{}, fault.Auth, false, []string{"docker login 127.0.0.1:4040"}},
		{"unknown: own words", Target{Ask: noLonger(429)}, fault.Registry, true, []string{"slow down", "Retry-After: 7"}},
		{"unknown: own words", Target{Ask: noLonger(401)}, fault.Auth, false, []string{"docker login 127.0.0.1:4040"}},
		{"unknown: project x not found", Target{Ask: noLonger(404)}, fault.Registry, false, []string{"create the repository or its project"}},
		{"unknown: own words", Target{Ask: func() error { return nil }}, fault.Registry, false, []string{"the registry refuses it"}},
		{"unknown: cannot be overwritten because the repository is immutable", Target{Taken: true}, fault.Registry, false, []string{"because the tag is immutable", "push under a new one"}},
		{"unknown: manifest already exists", Target{}, fault.Registry, false, []string{"because the tag or digest is immutable"}},
		{"unsupported: The operation is disallowed on this registry, repository or image", Target{Taken: true}, fault.Registry, false, []string{"push under a new one"}},
		{"unexpected status from PUT request to " + pushURL + "manifests/1: 412 Precondition Failed", Target{Taken: true}, fault.Registry, false, []string{"because the tag is immutable", "push under a new one"}},
		{"unknown: manifest invalid - unsupported media type application/vnd.oci.image.layer.v1.tar+zstd", Target{}, fault.Registry, false, []string{"--compression gzip"}},
		{`failed to do request: Head "https://127.0.0.1:4040/v2/x/blobs/sha256:401": http: server gave HTTP response to HTTPS client`, Target{}, fault.Registry, false,
			[]string{"[registry.\"127.0.0.1:4040\"]\n  http = true", "--daemon-config", "registry.insecure=true"}},
		{`failed to do request: Head "https://127.0.0.1:4040/v2/x/blobs/sha256:401": dial tcp: lookup quota.example: no such host`, Target{}, fault.Registry, true, []string{"the registry failed"}},
		{"failed to authorize: failed to fetch anonymous token: unexpected status from GET request to http://auth.example/token: 401 Unauthorized", Target{}, fault.Auth, false, []string{"127.0.0.1:4040 wants a login, and there is none", "docker login 127.0.0.1:4040"}},
		{"failed to authorize: failed to fetch oauth token: denied", Target{}, fault.Auth, false, []string{"rejected the credentials for 127.0.0.1:4040", "docker login 127.0.0.1:4040"}},
		{"failed to authorize: log in at 127.0.0.1:4040: failed to fetch oauth token: unexpected status from GET request to http://auth.example/token: 503 Service Unavailable", Target{}, fault.Registry, true, []string{"the registry failed"}},
		{`failed to authorize: log in at 127.0.0.1:4040: failed to fetch oauth token: Post "https://auth.example/token": tls: failed to verify certificate: x509: certificate signed by unknown authority`,
			Target{}, fault.CA, false, []string{"mlbuild itself does not trust", "--ca-cert"}},
	} {
		test.push.Ref = "127.0.0.1:4040/team/quota/app:401"
		b := Build{Profile: "cpu", Logs: NewWatcher(nil), Push: test.push}
		buildertest.Expect(t, b.Explain(errors.New(pushTo+test.text)), test.code, test.retry, test.says...)
	}
}

// TestWhoseDisk: a path of this machine is not the daemon's.
func TestWhoseDisk(t *testing.T) {
	for text, code := range map[string]fault.Code{
		"error writing layer blob: write /home/me/cache/ingest/7/data: no space left on device":  fault.Output,
		"failed to solve: mkdir /home/me/cache/blobs: disk quota exceeded":                       fault.Output,
		"failed to solve: write /home/me/cache2/x: no space left on device":                      fault.Disk,
		"failed to solve: write /var/lib/buildkit/home/me/cache/x: no space left on device":      fault.Disk,
		"failed to solve: failed to copy files: copy file range failed: no space left on device": fault.Disk,
	} {
		b := Build{Profile: "cpu", Logs: NewWatcher(nil), Here: []string{"/home/me/cache"}}
		if got := fault.All(b.Explain(errors.New(text))); len(got) != 1 || got[0].Code != code {
			t.Errorf("%s: %v, want %s", text, got, code)
		}
	}
}

// TestWordsOfCommands: what a step's own command prints or is called is no answer of a registry.
func TestWordsOfCommands(t *testing.T) {
	for _, text := range []string{
		`process "/bin/sh -c echo failed to push a/b:1: denied" did not complete successfully: exit code: 1`,
		`process "/bin/sh -c echo unexpected status from PUT request to http://x/v2/a: 401 Unauthorized" did not complete successfully: exit code: 1`,
	} {
		b := Build{Profile: "cpu", Logs: NewWatcher(nil)}
		buildertest.Expect(t, b.Explain(fmt.Errorf("%s: %w", text, &gatewaypb.ExitError{ExitCode: 1})), fault.Step, false, "exit code 1")
	}
}

// TestBaseFaults: what became of a base is told by the answer, not by digits of its digest or port.
func TestBaseFaults(t *testing.T) {
	pinned := "127.0.0.1:57403/lib/python@sha256:" + strings.Repeat("404", 20) + "4010"
	at := func(host, status string) string {
		return "unexpected status from HEAD request to http://" + host + "/v2/lib/python/manifests/sha256:" + strings.Repeat("404", 20) + "4010: " + status
	}
	for _, test := range []struct {
		ref, text string
		code      fault.Code
		retry     bool
		says      []string
	}{
		{pinned, at("127.0.0.1:57403", "503 Service Unavailable"), fault.Base, true, []string{"127.0.0.1:57403 does not answer as it should"}},
		{pinned, at("127.0.0.1:57403", "500 Internal Server Error"), fault.Base, true, nil},
		{pinned, at("127.0.0.1:57403", "429 Too Many Requests"), fault.Base, true, []string{"slow down", "docker login 127.0.0.1:57403"}},
		{pinned, at("127.0.0.1:57403", "404 Not Found"), fault.BaseGone, false, []string{"name a tag"}},
		{pinned, pinned + ": not found", fault.BaseGone, false, nil},
		{pinned, at("127.0.0.1:57403", "401 Unauthorized"), fault.Base, false, []string{"docker login 127.0.0.1:57403"}},
		{pinned, at("127.0.0.1:57403", "418 I'm a teapot"), fault.Base, false, []string{"refuses to say"}},
		{pinned, `failed to do request: Head "http://127.0.0.1:57403/v2/lib/python/manifests/1": dial tcp 127.0.0.1:57403: connect: connection refused`, fault.Base, true, []string{"127.0.0.1:57403"}},
		{"127.0.0.1:4040/lib/python:1", `failed to do request: Head "https://127.0.0.1:4040/v2/lib/python/manifests/1": EOF`, fault.Base, true, nil},
		{"127.0.0.1:4040/lib/python:1", `failed to do request: Head "https://127.0.0.1:4040/v2/lib/python/manifests/1": http: server gave HTTP response to HTTPS client`, fault.Base, false, []string{"http = true"}},
		{"docker.io/library/python:3.11-slim", at("harbor.example", "401 Unauthorized"), fault.Base, false, []string{"harbor.example, which the daemon asks", "docker login harbor.example", "--registry-login harbor.example"}},
		{"docker.io/library/python:3.11-slim", at("registry-1.docker.io", "401 Unauthorized"), fault.Base, false, []string{"docker login docker.io"}},
		{"docker.io/library/python:3.11-slim", "failed to authorize: log in at registry-1.docker.io: failed to fetch oauth token: unexpected status from GET request to https://auth.docker.io/token: 401 Unauthorized", fault.Auth, false,
			[]string{"rejected the credentials for docker.io", "docker login docker.io"}},
		{"docker.io/library/python:3.11-slim", "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://auth.docker.io/token: 503 Service Unavailable", fault.Base, true, nil},
	} {
		buildertest.Expect(t, Image(test.ref, registry.Host(test.ref), "linux/amd64", errors.New(test.text)), test.code, test.retry, test.says...)
	}
}
