package registry

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/opencontainers/go-digest"
)

// Contact is the first that a registry says to whoever asks it.
type Contact struct {
	Host   string // that was asked: registry-1.docker.io for docker.io
	Status int    // 200, or 401 where it wants a login
	Date   time.Time
	Secure bool // on TLS
}

// Contact asks the registry of a reference for its version (distribution spec, end-1), without a login. The error is that of the network.
func (r *Client) Contact(ctx context.Context, ref string) (Contact, error) {
	p, err := r.repo(ref, false)
	if err != nil {
		return Contact{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.host.Scheme+"://"+p.host.Host+p.host.Path+"/", http.NoBody)
	if err != nil {
		return Contact{}, fmt.Errorf("registry of %s: %w", ref, err)
	}
	resp, err := p.do(req)
	if err != nil {
		return Contact{Host: p.host.Host}, err
	}
	_ = resp.Body.Close()
	c := Contact{Host: p.host.Host, Status: resp.StatusCode, Secure: p.host.Scheme == "https"}
	c.Date, _ = http.ParseTime(resp.Header.Get("Date")) // zero where it says none
	return c, nil
}

// Mounts reports whether the registry of a reference takes a blob from one of its repositories for another without an upload (distribution spec, end-11). It is asked for one that the
// repository has, so nothing changes; an upload that is begun instead is given up.
func (r *Client) Mounts(ctx context.Context, ref string, blob digest.Digest) (bool, error) {
	p, err := r.repo(ref, true)
	if err != nil {
		return false, err
	}
	resp, err := p.send(ctx, http.MethodPost, p.base+"/blobs/uploads/?mount="+blob.String()+"&from="+url.QueryEscape(p.path), nil, nil)
	if err != nil {
		return false, err
	}
	if resp.StatusCode == http.StatusCreated {
		_ = resp.Body.Close()
		return true, nil
	}
	return false, p.giveUp(ctx, resp)
}

// giveUp ends an upload that was begun. The error is a StatusError where none was.
func (p repo) giveUp(ctx context.Context, begun *http.Response) error {
	at, none := begun.Location()
	if err := wantStatus(begun, http.StatusAccepted); err != nil || none != nil {
		return err
	}
	if resp, err := p.send(ctx, http.MethodDelete, at.String(), nil, nil); err == nil {
		_ = resp.Body.Close() // registries that cannot give it up forget it in time
	}
	return nil
}
