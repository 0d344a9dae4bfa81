package registry

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/docker/cli/cli/config/types"
	"github.com/moby/buildkit/session/auth/authprovider"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// asked is a registry that answers as a test says, and what it was asked.
type asked struct {
	ref  string // of the repository team/app
	host string
	log  *[]string
}

func askedRegistry(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) asked {
	t.Helper()
	var log []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		log = append(log, r.Method+" "+r.URL.Path)
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	host := strings.TrimPrefix(s.URL, "http://")
	return asked{host + "/team/app:1", host, &log}
}

func TestManifestIsOneRequest(t *testing.T) {
	const body = `{"mediaType": "` + ocispecs.MediaTypeImageManifest + `"}`
	for _, test := range []struct {
		name     string
		answer   func(w http.ResponseWriter)
		mediaTyp string
		err      string
	}{
		{"as it should be", func(w http.ResponseWriter) { w.Header().Set("Content-Type", ocispecs.MediaTypeImageIndex) }, ocispecs.MediaTypeImageIndex, ""},
		{"a type that says nothing", func(w http.ResponseWriter) { w.Header().Set("Content-Type", "application/json; charset=utf-8") }, ocispecs.MediaTypeImageManifest, ""},
		{"another manifest than was announced", func(w http.ResponseWriter) {
			w.Header().Set("Docker-Content-Digest", digest.FromString("other").String())
		}, "", "the registry sent " + digest.FromString(body).String()},
		{"no such tag", func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) }, "", "not found"},
		{"a broken registry", func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }, "", "502 Bad Gateway " + body},
	} {
		a := askedRegistry(t, func(w http.ResponseWriter, _ *http.Request) {
			test.answer(w)
			_, _ = io.WriteString(w, body)
		})
		desc, data, err := New(nil, nil).Manifest(t.Context(), a.ref)
		if len(*a.log) != 1 || (*a.log)[0] != "GET /v2/team/app/manifests/1" {
			t.Errorf("%s: asked %q", test.name, *a.log)
		}
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) || errdefs.IsNotFound(err) != (test.err == "not found") {
				t.Errorf("%s: %v", test.name, err)
			}
			continue
		}
		if err != nil || string(data) != body || desc.MediaType != test.mediaTyp || desc.Digest != digest.FromString(body) || desc.Size != int64(len(body)) {
			t.Errorf("%s: %+v, %q, %v", test.name, desc, data, err)
		}
	}
}

func TestBlobIsChecked(t *testing.T) {
	a := askedRegistry(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "blob") })
	desc := ocispecs.Descriptor{MediaType: ocispecs.MediaTypeImageConfig, Digest: digest.FromString("blob"), Size: 4}
	if data, err := New(nil, nil).Blob(t.Context(), a.ref, desc); err != nil || string(data) != "blob" {
		t.Errorf("%q, %v", data, err)
	}
	desc.Digest = digest.FromString("another")
	if _, err := New(nil, nil).Blob(t.Context(), a.ref, desc); err == nil || !strings.Contains(err.Error(), "the registry sent") {
		t.Errorf("another blob: %v", err)
	}
}

// TestUpload: two requests, the second where the registry says, which may be a path or another host. That one gets no credentials.
func TestUpload(t *testing.T) {
	data := []byte("data")
	desc := ocispecs.Descriptor{Digest: digest.FromBytes(data), Size: 4}
	var got, credential string
	take := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got, credential = r.URL.RawQuery+" "+string(body), r.Header.Get("Authorization")
		w.WriteHeader(http.StatusCreated)
	}
	store := askedRegistry(t, take)
	to := "/upload/7?state=a%2Bb"
	a := askedRegistry(t, func(w http.ResponseWriter, r *http.Request) {
		if _, _, ok := r.BasicAuth(); !ok {
			w.Header().Set("WWW-Authenticate", `Basic realm="here"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.Method == http.MethodPut {
			take(w, r)
			return
		}
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusAccepted)
	})
	r := New(fixedLogin(a.host), nil)
	want := "digest=sha256%3A" + desc.Digest.Encoded() + "&state=a%2Bb data"
	if err := r.put(t.Context(), a.ref, desc.Digest, bytes.NewReader(data), int64(len(data))); err != nil || got != want || credential == "" {
		t.Errorf("a path: %q with %q, %v; want %q", got, credential, err, want)
	}
	if first := fmt.Sprint((*a.log)[:3]); first != "[POST /v2/team/app/blobs/uploads/ POST /v2/team/app/blobs/uploads/ PUT /upload/7]" {
		t.Errorf("asked %s", first)
	}
	to = "http://" + store.host + "/upload/8?state=a%2Bb"
	if err := r.put(t.Context(), a.ref, desc.Digest, bytes.NewReader(data), int64(len(data))); err != nil || got != want || credential != "" {
		t.Errorf("another host: %q with %q, %v; want %q", got, credential, err, want)
	}
	to = ""
	if err := r.put(t.Context(), a.ref, desc.Digest, bytes.NewReader(data), int64(len(data))); err == nil {
		t.Error("nowhere to upload to: no error")
	}
}

// TestTagWithToken: a registry that wants a token gets one for pushing, and a refusal comes back in its words.
func TestTagWithToken(t *testing.T) {
	status, scope := http.StatusCreated, ""
	var a asked
	a = askedRegistry(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/token":
			scope = r.URL.Query().Get("scope")
			if scope == "" {
				_ = r.ParseForm()
				scope = r.Form.Get("scope")
			}
			_, _ = io.WriteString(w, `{"token": "t", "access_token": "t"}`)
		case r.Header.Get("Authorization") != "Bearer t":
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+a.host+`/token",service="s",scope="repository:team/app:pull,push"`)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "no room")
		}
	})
	desc := ocispecs.Descriptor{MediaType: ocispecs.MediaTypeImageManifest, Digest: digest.FromString("{}"), Size: 2}
	r := New(fixedLogin(a.host), nil)
	if err := r.Tag(t.Context(), a.ref, desc, []byte("{}")); err != nil || !strings.Contains(scope, "repository:team/app:pull,push") {
		t.Errorf("scope %q, %v", scope, err)
	}
	status = http.StatusInsufficientStorage
	if err := r.Tag(t.Context(), a.ref, desc, []byte("{}")); err == nil || !strings.Contains(err.Error(), "507 Insufficient Storage no room") {
		t.Errorf("a full registry: %v", err)
	}
}

// fixedLogin has a name and a password for one host.
func fixedLogin(host string) authprovider.AuthConfigProvider {
	return func(_ context.Context, h string, _ []string, _ authprovider.ExpireCachedAuthCheck) (types.AuthConfig, error) {
		if h != host {
			return types.AuthConfig{}, fmt.Errorf("asked for the login of %s", h)
		}
		return types.AuthConfig{Username: "u", Password: "p"}, nil
	}
}
