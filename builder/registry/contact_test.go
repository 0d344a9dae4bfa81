package registry

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
)

// TestContact: the first question is one request without a login, whatever the answer.
func TestContact(t *testing.T) {
	date := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	a := askedRegistry(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("it came with credentials")
		}
		w.Header().Set("Date", date.Format(http.TimeFormat))
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		w.WriteHeader(http.StatusUnauthorized)
	})
	c, err := New(nil, nil).Contact(t.Context(), a.ref)
	if err != nil || !c.Date.Equal(date) {
		t.Errorf("%+v, %v", c, err)
	}
	c.Date = time.Time{}
	if diff := cmp.Diff(Contact{Host: a.host, Status: http.StatusUnauthorized}, c); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"GET /v2/"}, *a.log); diff != "" {
		t.Error(diff)
	}
	if c, err := New(nil, nil).Contact(t.Context(), "127.0.0.1:1/app"); err == nil || c.Host != "127.0.0.1:1" {
		t.Errorf("a closed port: %+v, %v", c, err)
	}
}

// TestMounts: a mount that is taken leaves nothing to do, and an upload that is begun instead is given up.
func TestMounts(t *testing.T) {
	blob := digest.FromString("blob")
	for _, test := range []struct {
		status int
		yes    bool
		err    string
		log    []string
	}{
		{http.StatusCreated, true, "", []string{"POST /v2/team/app/blobs/uploads/"}},
		{http.StatusAccepted, false, "", []string{"POST /v2/team/app/blobs/uploads/", "DELETE /v2/team/app/blobs/uploads/7"}},
		{http.StatusForbidden, false, "403", []string{"POST /v2/team/app/blobs/uploads/"}},
	} {
		a := askedRegistry(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodDelete {
				w.WriteHeader(http.StatusNoContent)
				return
			}
			if q := r.URL.Query(); q.Get("mount") != blob.String() || q.Get("from") != "team/app" {
				t.Errorf("asked for %s", r.URL.RawQuery)
			}
			w.Header().Set("Location", "/v2/team/app/blobs/uploads/7")
			w.WriteHeader(test.status)
		})
		yes, err := New(nil, nil).Mounts(t.Context(), a.ref, blob)
		if yes != test.yes || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%d: %v, %v", test.status, yes, err)
		}
		if diff := cmp.Diff(test.log, *a.log); diff != "" {
			t.Errorf("%d:\n%s", test.status, diff)
		}
	}
}
