package registry

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
)

// TestMayPush: one question, given up again; a refusal has its status, also where the registry names no way to log in.
func TestMayPush(t *testing.T) {
	status := http.StatusAccepted
	a := askedRegistry(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.Header().Set("Location", "/v2/team/app/blobs/uploads/7")
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "own words")
		}
	})
	if err := New(nil, nil).MayPush(t.Context(), a.ref); err != nil {
		t.Error(err)
	}
	if got := fmt.Sprint(*a.log); got != "[POST /v2/team/app/blobs/uploads/ DELETE /v2/team/app/blobs/uploads/7]" {
		t.Errorf("asked %s", got)
	}
	for _, status = range []int{401, 403, 404, 429, 500} {
		err := New(nil, nil).MayPush(t.Context(), a.ref)
		full, ok := errors.AsType[*StatusError](err)
		if !ok || full.StatusCode != status || full.RetryAfter() != "30" || string(full.Body) != "own words" {
			t.Errorf("%d: %v", status, err)
		}
		if plain, ok := errors.AsType[remoteerrors.ErrUnexpectedStatus](err); !ok || plain.StatusCode != status {
			t.Errorf("%d is not containerd's: %v", status, err)
		}
		if Refuses(err) != (status == 401 || status == 403) {
			t.Errorf("%d refuses the account: %t", status, Refuses(err))
		}
	}
	if Refuses(nil) || Refuses(errors.New("401 denied")) {
		t.Error("what is no answer refuses the account")
	}
}

// TestNoLogin: a registry that wants one, and nobody has given any.
func TestNoLogin(t *testing.T) {
	a := askedRegistry(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Basic realm="here"`)
		w.WriteHeader(http.StatusUnauthorized)
	})
	if _, _, err := New(nil, nil).Manifest(t.Context(), a.ref); !Refuses(err) {
		t.Errorf("got %v", err)
	}
}
