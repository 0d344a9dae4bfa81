package registry

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
)

// StatusError is an answer of a registry with another status than was wanted. It unwraps to containerd's type of the same.
type StatusError struct {
	remoteerrors.ErrUnexpectedStatus
	Wait string // the header Retry-After (RFC 9110, section 10.2.3), "" = none
}

// Error names the request, the status and what the registry said.
func (e *StatusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s: %s %s", e.RequestMethod, e.RequestURL, e.Status, strings.TrimSpace(string(e.Body))))
}

// RetryAfter returns when the registry wants to be asked again, in its own form, "" = it does not say.
func (e *StatusError) RetryAfter() string { return e.Wait }

// Unwrap returns containerd's error.
func (e *StatusError) Unwrap() error { return e.ErrUnexpectedStatus }

// Refuses reports whether an error is a registry's, or its token service's, that the account is missing, wrong, or not allowed what was asked for.
func Refuses(err error) bool {
	if errors.Is(err, docker.ErrInvalidAuthorization) {
		return true
	}
	status, ok := errors.AsType[remoteerrors.ErrUnexpectedStatus](err)
	return ok && (status.StatusCode == http.StatusUnauthorized || status.StatusCode == http.StatusForbidden)
}

// maxSaid bounds what is kept of an answer that was not wanted, in bytes.
const maxSaid = 4 << 10

// statusError reads an answer that was not wanted. The caller closes its body.
func statusError(resp *http.Response) *StatusError {
	said, _ := io.ReadAll(io.LimitReader(resp.Body, maxSaid)) // what there is of it
	return &StatusError{remoteerrors.ErrUnexpectedStatus{
		Status: resp.Status, StatusCode: resp.StatusCode, Body: said, RequestURL: resp.Request.URL.Redacted(), RequestMethod: resp.Request.Method,
	}, resp.Header.Get("Retry-After")}
}
