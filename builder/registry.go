package builder

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/errdefs"
	"github.com/containerd/log"
	"github.com/distribution/reference"
	"github.com/moby/buildkit/session/auth/authprovider"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/sirupsen/logrus"
)

// maxManifest bounds what is read of a manifest, in bytes (the distribution spec asks registries to take 4 MiB).
const maxManifest = 4 << 20

// registry is the client's own view of the registries: it reads manifests, puts tags, and brings small layers. Large ones never pass through it.
type registry struct {
	options docker.ResolverOptions
}

// newRegistry takes the credentials of the docker config and the CA bundle (PEM, nil = the system's). Loopback is plain HTTP.
func newRegistry(auth authprovider.AuthConfigProvider, ca []byte) *registry {
	client := &http.Client{Transport: &transports{plain: transport(nil), secure: sync.OnceValue(func() *http.Transport { return transport(ca) })}}
	authorizer := docker.NewDockerAuthorizer(docker.WithAuthClient(client), docker.WithAuthCreds(credentials(auth)))
	return &registry{docker.ResolverOptions{Hosts: docker.ConfigureDefaultRegistries(
		docker.WithClient(client), docker.WithAuthorizer(authorizer), docker.WithPlainHTTP(docker.MatchLocalhost))}}
}

// resolver is a new one each time: containerd's remembers by digest what it pushed, and would not put a second tag on the same manifest.
func (r *registry) resolver() remotes.Resolver { return docker.NewResolver(r.options) }

// transports keeps plain HTTP from the certificates: parsing the system's takes longer than a request to a registry nearby.
type transports struct {
	plain  *http.Transport
	secure func() *http.Transport
}

// RoundTrip implements http.RoundTripper.
func (t *transports) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "https" {
		return t.secure().RoundTrip(req)
	}
	return t.plain.RoundTrip(req)
}

// transport is the standard library's own, trusting the CA bundle too.
func transport(ca []byte) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone() //nolint:errcheck,forcetypeassert // the standard library's own
	if pool := caPool(ca); pool != nil {
		t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return t
}

func caPool(ca []byte) *x509.CertPool {
	if ca == nil {
		return nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	pool.AppendCertsFromPEM(ca)
	return pool
}

func credentials(auth authprovider.AuthConfigProvider) func(string) (string, string, error) {
	return func(host string) (string, string, error) {
		if auth == nil {
			return "", "", nil
		}
		c, err := auth(context.Background(), host, nil, nil)
		if err != nil {
			return "", "", err
		}
		if c.IdentityToken != "" {
			return "", c.IdentityToken, nil
		}
		return c.Username, c.Password, nil
	}
}

// manifest reads what a reference names: its descriptor and bytes. A reference that does not exist gives errdefs.ErrNotFound.
func (r *registry) manifest(ctx context.Context, ref string) (ocispecs.Descriptor, []byte, error) {
	ctx = silent(ctx)
	ref, err := fullRef(ref)
	if err != nil {
		return ocispecs.Descriptor{}, nil, err
	}
	name, desc, err := r.resolver().Resolve(ctx, ref)
	if err != nil {
		return desc, nil, fmt.Errorf("resolve %s: %w", ref, err)
	}
	data, err := r.blob(ctx, name, desc)
	return desc, data, err
}

func (r *registry) blob(ctx context.Context, name string, desc ocispecs.Descriptor) ([]byte, error) {
	fetcher, err := r.resolver().Fetcher(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("fetch from %s: %w", name, err)
	}
	body, err := fetcher.Fetch(ctx, desc)
	if err != nil {
		return nil, fmt.Errorf("fetch %s of %s: %w", desc.Digest, name, err)
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, maxManifest))
	if err != nil {
		return nil, fmt.Errorf("read %s of %s: %w", desc.Digest, name, err)
	}
	if got := digest.FromBytes(data); got != desc.Digest {
		return nil, fmt.Errorf("%s of %s: the registry sent %s", desc.Digest, name, got)
	}
	return data, nil
}

// tag puts a manifest whose blobs the repository holds under a tag. It is no error if it is there.
func (r *registry) tag(ctx context.Context, ref string, desc ocispecs.Descriptor, data []byte) error {
	return r.put(silent(ctx), ref, desc, bytes.NewReader(data))
}

// put sends a manifest, which the reference then names, or a blob of its repository. It is no error if it is there.
func (r *registry) put(ctx context.Context, ref string, desc ocispecs.Descriptor, data io.Reader) error {
	ref, err := fullRef(ref)
	if err != nil {
		return err
	}
	pusher, err := r.resolver().Pusher(ctx, ref)
	if err != nil {
		return fmt.Errorf("push to %s: %w", ref, err)
	}
	w, err := pusher.Push(ctx, desc)
	if errdefs.IsAlreadyExists(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("push %s to %s: %w", desc.Digest, ref, err)
	}
	defer w.Close()
	if _, err := io.Copy(w, data); err != nil {
		return fmt.Errorf("push %s to %s: %w", desc.Digest, ref, err)
	}
	if err := w.Commit(ctx, desc.Size, desc.Digest); err != nil && !errdefs.IsAlreadyExists(err) {
		return fmt.Errorf("push %s to %s: %w", desc.Digest, ref, err)
	}
	return nil
}

// silent keeps the resolver's own log lines off the user's terminal: what they say comes back as errors.
func silent(ctx context.Context) context.Context {
	l := logrus.New()
	l.SetOutput(io.Discard)
	return log.WithLogger(ctx, logrus.NewEntry(l))
}

// layersOf lists the layers below a manifest that was read, those of every platform and of a cache included.
func (r *registry) layersOf(ctx context.Context, name string, desc ocispecs.Descriptor, data []byte) ([]ocispecs.Descriptor, error) {
	if !images.IsIndexType(desc.MediaType) {
		var m ocispecs.Manifest
		if err := json.Unmarshal(data, &m); err != nil {
			return nil, fmt.Errorf("manifest %s: %w", desc.Digest, err)
		}
		return m.Layers, nil
	}
	var index ocispecs.Index
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, fmt.Errorf("index %s: %w", desc.Digest, err)
	}
	var all []ocispecs.Descriptor
	for _, m := range index.Manifests {
		if !images.IsManifestType(m.MediaType) {
			all = append(all, m)
			continue
		}
		child, err := r.blob(ctx, name, m)
		if err != nil {
			return nil, err
		}
		layers, err := r.layersOf(ctx, name, m, child)
		if err != nil {
			return nil, err
		}
		all = append(all, layers...)
	}
	return all, nil
}

// fullRef writes a reference with its registry and tag.
func fullRef(ref string) (string, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return "", fmt.Errorf("image reference %q: %w", ref, err)
	}
	return reference.TagNameOnly(named).String(), nil
}
