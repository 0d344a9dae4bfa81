package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/containerd/v2/core/remotes/docker/auth"
	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/builder/limits"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// containerd's resolver asks for a thing (HEAD) before it reads or writes it. Where a registry is 50 ms away, each such question takes longer than the build of an
// edit. So what a build needs of every registry is asked for directly (distribution spec, endpoints 2 to 4 and 6 to 7), with containerd's hosts and credentials.

// repo is a repository of a registry, to talk to.
type repo struct {
	host     docker.RegistryHost
	base     string // URL without a slash at its end
	path     string // of the repository in the registry
	scope    string // of a token
	what     string // the tag or digest of the reference
	insecure bool   // the host is also believed on plain HTTP
	waits    waits
	silent   *silentHosts
	login    *sync.Mutex
}

func (r *Client) repo(ref string, push bool) (repo, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return repo{}, fmt.Errorf("image reference %q: %w", ref, err)
	}
	need, actions := docker.HostCapabilityPull|docker.HostCapabilityResolve, ":pull"
	if push {
		need, actions = docker.HostCapabilityPush, ":pull,push"
	}
	hosts, err := r.hosts(reference.Domain(named))
	if err != nil {
		return repo{}, fmt.Errorf("registry of %s: %w", ref, err)
	}
	p := repo{path: reference.Path(named), scope: "repository:" + reference.Path(named) + actions, waits: r.waits, silent: &r.silent, login: &r.login}
	switch named := reference.TagNameOnly(named).(type) {
	case reference.Digested:
		p.what = named.Digest().String()
	case reference.Tagged:
		p.what = named.Tag()
	}
	for _, h := range hosts {
		if h.Capabilities.Has(need) {
			p.host, p.base = h, h.Scheme+"://"+h.Host+h.Path+"/"+reference.Path(named)
			p.insecure = slices.Contains(r.insecure, h.Host)
			return p, nil
		}
	}
	return repo{}, fmt.Errorf("registry of %s: no host takes such a request", ref)
}

// send sends a request, with credentials if the registry wants some. The caller closes the answer's body.
func (p repo) send(ctx context.Context, method, to string, header map[string]string, body []byte) (*http.Response, error) {
	return p.stream(ctx, method, to, header, bytes.NewReader(body), int64(len(body)))
}

// stream sends a request with a body of a size, which is read again where the registry asks for credentials.
func (p repo) stream(ctx context.Context, method, to string, header map[string]string, body io.ReaderAt, size int64) (*http.Response, error) {
	ctx = docker.WithScope(silent(ctx), p.scope)
	for try := 0; ; try++ {
		req, err := http.NewRequestWithContext(ctx, method, to, http.NoBody)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, to, err)
		}
		if size > 0 {
			req.ContentLength = size
			req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(io.NewSectionReader(body, 0, size)), nil } // for redirects too
			req.Body, _ = req.GetBody()
		}
		for name, value := range p.host.Header {
			req.Header[name] = value
		}
		for name, value := range header {
			req.Header.Set(name, value)
		}
		known := p.host.Authorizer != nil && p.isHost(req.URL)
		if known {
			if err := p.authorize(ctx, func(ctx context.Context) error { return p.host.Authorizer.Authorize(ctx, req) }); err != nil {
				return nil, err
			}
		}
		resp, err := p.do(req)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode != http.StatusUnauthorized || !known || try > 0 {
			return resp, nil
		}
		if err := p.safeRealm(resp); err != nil {
			_ = resp.Body.Close()
			return nil, err
		}
		err = p.authorize(ctx, func(ctx context.Context) error { return p.host.Authorizer.AddResponses(ctx, []*http.Response{resp}) })
		if errdefs.IsNotImplemented(err) { // it names no way to log in
			return resp, nil
		}
		_ = resp.Body.Close()
		if err != nil {
			return nil, err
		}
	}
}

// isHost reports whether a URL is of the registry itself, which alone is given credentials: another scheme is another server, unless the registry is insecure.
func (p repo) isHost(u *url.URL) bool {
	return u.Host == p.host.Host && (u.Scheme == p.host.Scheme || p.insecure)
}

// authorize runs a part of the log-in, which may ask a credential helper and a token service. One runs at a time: the authorizer reads when a token ends while another request
// still fetches it.
func (p repo) authorize(ctx context.Context, f func(context.Context) error) error {
	if err := p.silent.of(p.host.Host); err != nil {
		return fmt.Errorf("log in at %s: %w", p.host.Host, err)
	}
	_, err := limits.Wait(ctx, p.waits.whole, "the log-in at "+p.host.Host, func(ctx context.Context) (struct{}, error) {
		p.login.Lock()
		defer p.login.Unlock()
		return struct{}{}, f(ctx)
	})
	if limits.IsTimedOut(err) {
		p.silent.note(p.host.Host, err)
	}
	if err != nil {
		return fmt.Errorf("log in at %s: %w", p.host.Host, err)
	}
	return nil
}

// safeRealm refuses a token service on plain HTTP of a registry that is on TLS: the password would go there. Of an insecure registry that was said to be all right.
func (p repo) safeRealm(resp *http.Response) error {
	if p.host.Scheme != "https" || p.insecure {
		return nil
	}
	for _, c := range auth.ParseAuthHeader(resp.Header) {
		if u, err := url.Parse(c.Parameters["realm"]); c.Scheme == auth.BearerAuth && err == nil && u.Scheme != "https" {
			return fault.New(fault.Auth, "%s wants the login sent to %s, which is not on TLS; nothing was sent", p.host.Host, u.Redacted()).
				Hint("the registry must name its token service by https: behind a proxy it needs X-Forwarded-Proto")
		}
	}
	return nil
}

// wantStatus closes an answer, and returns a StatusError unless it has the status.
func wantStatus(resp *http.Response, want ...int) error {
	defer resp.Body.Close()
	for _, s := range want {
		if resp.StatusCode == s {
			return nil
		}
	}
	return statusError(resp)
}

// manifestTypes are the media types that an answer may have.
var manifestTypes = strings.Join([]string{
	ocispecs.MediaTypeImageManifest, ocispecs.MediaTypeImageIndex, images.MediaTypeDockerSchema2Manifest, images.MediaTypeDockerSchema2ManifestList,
}, ", ")

// Manifest reads what a reference names: its descriptor and bytes. A reference that does not exist is an errdefs.ErrNotFound.
func (r *Client) Manifest(ctx context.Context, ref string) (desc ocispecs.Descriptor, data []byte, err error) {
	p, err := r.repo(ref, false)
	if err != nil {
		return desc, nil, err
	}
	resp, err := p.send(ctx, http.MethodGet, p.base+"/manifests/"+p.what, map[string]string{"Accept": manifestTypes}, nil)
	if err != nil {
		return desc, nil, err
	}
	if resp.StatusCode == http.StatusNotFound {
		_ = resp.Body.Close()
		return desc, nil, fmt.Errorf("%s: %w", ref, errdefs.ErrNotFound)
	}
	if data, err = read(resp); err != nil {
		return desc, nil, err
	}
	desc = ocispecs.Descriptor{MediaType: mediaType(resp.Header.Get("Content-Type"), data), Digest: digest.FromBytes(data), Size: int64(len(data))}
	return desc, data, checkDigest(ref, desc.Digest, p.what, resp.Header.Get("Docker-Content-Digest"))
}

// Blob reads a small blob or manifest of the repository of a reference. One that is not there is an errdefs.ErrNotFound.
func (r *Client) Blob(ctx context.Context, ref string, desc ocispecs.Descriptor) ([]byte, error) {
	p, err := r.repo(ref, false)
	if err != nil {
		return nil, err
	}
	kind := "/blobs/"
	if images.IsManifestType(desc.MediaType) || images.IsIndexType(desc.MediaType) {
		kind = "/manifests/"
	}
	resp, err := p.send(ctx, http.MethodGet, p.base+kind+desc.Digest.String(), map[string]string{"Accept": desc.MediaType + ", */*"}, nil)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusNotFound {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%s of %s: %w", desc.Digest, ref, errdefs.ErrNotFound)
	}
	data, err := read(resp)
	if err != nil {
		return nil, err
	}
	return data, checkDigest(ref, digest.FromBytes(data), desc.Digest.String())
}

// read returns the body of an answer that is 200 OK.
func read(resp *http.Response) ([]byte, error) {
	if resp.StatusCode != http.StatusOK {
		return nil, wantStatus(resp)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxManifest))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", resp.Request.URL.Redacted(), err)
	}
	return data, nil
}

// mediaType is what the answer says, or where it says nothing of use the manifest itself.
func mediaType(header string, data []byte) string {
	said, _, _ := mime.ParseMediaType(header)
	var m struct {
		MediaType string `json:"mediaType"`
	}
	if !images.IsManifestType(said) && !images.IsIndexType(said) && json.Unmarshal(data, &m) == nil && m.MediaType != "" {
		return m.MediaType
	}
	return said
}

// ErrOtherContent is that a registry sent something else than what it was asked for.
var ErrOtherContent = errors.New("this is other content")

// checkDigest holds what came against the digests by which it was asked for and announced; names that are no sha256 digest say nothing.
func checkDigest(ref string, got digest.Digest, names ...string) error {
	for _, n := range names {
		if d := digest.Digest(n); d.Validate() == nil && d.Algorithm() == digest.SHA256 && d != got {
			return fmt.Errorf("%s: the registry sent %s, and not %s: %w", ref, got, d, ErrOtherContent)
		}
	}
	return nil
}

// Has reports whether the repository of a reference has a blob.
func (r *Client) Has(ctx context.Context, ref string, blob digest.Digest) (bool, error) {
	p, err := r.repo(ref, false)
	if err != nil {
		return false, err
	}
	resp, err := p.send(ctx, http.MethodHead, p.base+"/blobs/"+blob.String(), nil, nil)
	if err != nil {
		return false, err
	}
	if resp.StatusCode == http.StatusNotFound {
		_ = resp.Body.Close()
		return false, nil
	}
	return true, wantStatus(resp, http.StatusOK)
}

// Tag puts a manifest whose blobs the repository holds under a tag. It is no error if it is there.
func (r *Client) Tag(ctx context.Context, ref string, desc ocispecs.Descriptor, data []byte) error {
	_, err := r.putManifest(ctx, ref, desc.MediaType, data)
	return err
}

// putManifest puts a manifest where a reference says, under a tag or by its digest. It returns the answer's header.
func (r *Client) putManifest(ctx context.Context, ref, mediaType string, data []byte) (http.Header, error) {
	p, err := r.repo(ref, true)
	if err != nil {
		return nil, err
	}
	resp, err := p.send(ctx, http.MethodPut, p.base+"/manifests/"+p.what, map[string]string{"Content-Type": mediaType}, data)
	if err != nil {
		return nil, err
	}
	return resp.Header, wantStatus(resp, http.StatusCreated, http.StatusOK, http.StatusAccepted)
}

// put sends a blob to the repository of a reference.
func (r *Client) put(ctx context.Context, ref string, blob digest.Digest, data io.ReaderAt, size int64) error {
	p, err := r.repo(ref, true)
	if err != nil {
		return err
	}
	resp, err := p.send(ctx, http.MethodPost, p.base+"/blobs/uploads/", nil, nil)
	if err != nil {
		return err
	}
	if err := wantStatus(resp, http.StatusAccepted); err != nil {
		return err
	}
	to, err := uploadURL(resp, blob)
	if err != nil {
		return err
	}
	if resp, err = p.stream(ctx, http.MethodPut, to, map[string]string{"Content-Type": "application/octet-stream"}, data, size); err != nil {
		return err
	}
	return wantStatus(resp, http.StatusCreated, http.StatusNoContent)
}

// MayPush asks whether the repository of a reference takes an upload, and gives the upload up again. The error is a StatusError where the registry refuses, or that of a login.
func (r *Client) MayPush(ctx context.Context, ref string) error {
	p, err := r.repo(ref, true)
	if err != nil {
		return err
	}
	resp, err := p.send(ctx, http.MethodPost, p.base+"/blobs/uploads/", nil, nil)
	if err != nil {
		return err
	}
	return p.giveUp(ctx, resp)
}

// Copy brings a blob from a store to the repository of ref. It is read as it is sent.
func (r *Client) Copy(ctx context.Context, ref string, desc ocispecs.Descriptor, from content.Provider) error {
	data, err := from.ReaderAt(ctx, desc)
	if err != nil {
		return fmt.Errorf("read %s from the daemon: %w", desc.Digest, err)
	}
	defer data.Close()
	return r.put(ctx, ref, desc.Digest, data, data.Size())
}

// uploadURL is where an upload that was begun is to be sent.
func uploadURL(begun *http.Response, d digest.Digest) (string, error) {
	to, err := begun.Location()
	if err != nil {
		return "", fmt.Errorf("%s does not say where to upload to: %w", begun.Request.URL.Host, err)
	}
	query, err := url.ParseQuery(to.RawQuery)
	if err != nil {
		return "", fmt.Errorf("%s says to upload to %q: %w", begun.Request.URL.Host, to.Redacted(), err)
	}
	query.Set("digest", d.String())
	to.RawQuery = query.Encode()
	return to.String(), nil
}
