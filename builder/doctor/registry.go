package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"

	"github.com/containerd/errdefs"
	"github.com/moby/buildkit/session/auth/authprovider"
	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/builder/limits"
	"github.com/mlbuild/mlbuild/builder/registry"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Registry is what the probes of registries ask. *registry.Client is one.
type Registry interface {
	Contact(ctx context.Context, ref string) (registry.Contact, error)
	MayPush(ctx context.Context, ref string) error
	Mounts(ctx context.Context, ref string, blob digest.Digest) (bool, error)
	Find(ctx context.Context, ref string, isImage bool) (*registry.Found, error)
}

// Registries looks at the repositories of a project from this machine.
type Registries struct {
	Client Registry
	Auth   authprovider.AuthConfigProvider
	Clock  *Clock
}

// Push looks at a repository to which images go: its registry answers, there is a login, and it takes an upload, which is given up. tags are references in it that may name an image.
func (r Registries) Push(ctx context.Context, repository string, tags []string) []Check {
	name := "push " + repository
	who, err := r.account(ctx, repository)
	if err != nil {
		return []Check{ofFault(name, Wrong, err)}
	}
	contact, err := r.Client.Contact(ctx, repository)
	if err != nil {
		return []Check{unreachable(name, Wrong, contact.Host, err)}
	}
	r.Clock.saw(contact.Host, contact.Date)
	if err := r.Client.MayPush(ctx, repository); err != nil {
		return []Check{refused(name, repository, who, err)}
	}
	c := Check{Name: name, State: OK, Found: "takes an upload, " + who}
	if mounts, known := r.mounts(ctx, repository, tags); known && mounts {
		c.Found += "; mounts blobs of its other repositories"
	} else if known {
		c.Found += "; mounts no blobs: what another repository has is uploaded again"
	}
	return []Check{c}
}

// Pull looks from this machine at an image that a build starts from. It is the daemon that pulls it, perhaps from a mirror: what this machine cannot reach is a warning.
func (r Registries) Pull(ctx context.Context, ref string) []Check {
	name := "base " + ref
	contact, err := r.Client.Contact(ctx, ref)
	if err != nil {
		c := unreachable(name, Warning, contact.Host, err)
		c.Found += "; the daemon may reach it, or have a mirror"
		return []Check{c}
	}
	r.Clock.saw(contact.Host, contact.Date)
	who, err := r.account(ctx, ref)
	if err != nil {
		return []Check{ofFault(name, Wrong, err)}
	}
	switch found, err := r.Client.Find(ctx, ref, false); {
	case err != nil:
		c := refused(name, ref, who, err)
		c.State = Warning
		return []Check{c}
	case found == nil:
		return []Check{{Name: name, State: Warning, Found: "does not exist, or is private, " + who, Fix: "check the name and the tag; docker login " + registry.Host(ref) + ", if it is private", Code: fault.Base}}
	}
	return []Check{{Name: name, State: OK, Found: "is there, " + who}}
}

// account says as whom a registry is asked.
func (r Registries) account(ctx context.Context, ref string) (string, error) {
	if r.Auth == nil {
		return "without a login", nil
	}
	login, err := r.Auth(ctx, registry.Host(ref), nil, nil)
	switch {
	case err != nil && !fault.Is(err, fault.Auth):
		return "", fault.New(fault.Auth, "the login for %s cannot be found: %w", registry.Host(ref), err).Hint("docker login %s", registry.Host(ref))
	case err != nil:
		return "", err
	case login.Username != "":
		return "as " + login.Username, nil
	case login.IdentityToken != "" || login.RegistryToken != "":
		return "with a token", nil
	}
	return "without a login", nil
}

// mounts asks whether a registry mounts blobs, where an image is there that has some.
func (r Registries) mounts(ctx context.Context, repository string, tags []string) (yes, known bool) {
	for _, tag := range tags {
		found, err := r.Client.Find(ctx, tag, false)
		if err != nil || found == nil || len(found.Layers) == 0 {
			continue
		}
		yes, err := r.Client.Mounts(ctx, repository, found.Layers[0].Digest)
		return yes, err == nil
	}
	return false, false
}

// unreachable says why a registry cannot be talked to.
func unreachable(name string, state State, host string, err error) Check {
	c := Check{Name: name, State: state, Code: fault.Registry}
	dns := new(net.DNSError)
	unknown := x509.UnknownAuthorityError{}
	wrongName := x509.HostnameError{}
	invalid := x509.CertificateInvalidError{}
	switch {
	case errors.As(err, &unknown):
		c.Code, c.Found = fault.CA, "the certificate of "+host+" is signed by "+issuer(unknown)+", which this machine does not trust"
		c.Fix = "give the CA with --ca-cert FILE or SSL_CERT_FILE, and to a daemon that runs elsewhere in its buildkitd.toml"
	case errors.As(err, &wrongName):
		c.Code, c.Found, c.Fix = fault.CA, "the certificate of "+host+" is for another name: "+OneLine(wrongName.Error()), "use a name that stands in the certificate"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		c.Code, c.Fix = fault.CA, "renew the certificate, and check this machine's clock"
		c.Found = fmt.Sprintf("the certificate of %s is valid from %s to %s alone", host, invalid.Cert.NotBefore.Format("2006-01-02"), invalid.Cert.NotAfter.Format("2006-01-02"))
	case errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, new(tls.RecordHeaderError)):
		c.Found, c.Fix = host+" speaks plain http, and is asked by https", "for a push: --output type=registry,registry.insecure=true; for the daemon: http = true in its buildkitd.toml"
	case errors.As(err, &dns):
		c.Found, c.Fix = "the name "+dns.Name+" does not resolve", "check the name, and this machine's DNS"
	case errors.Is(err, syscall.ECONNREFUSED):
		c.Found, c.Fix = host+" refuses connections: nothing listens there", "check host and port"
	case limits.IsTimedOut(err) || errors.Is(err, context.DeadlineExceeded):
		c.Found, c.Fix = host+" does not answer", "check the network, a proxy (HTTPS_PROXY, NO_PROXY) and the firewall between"
	default:
		c.Found, c.Fix = OneLine(err.Error()), "check the network and a proxy (HTTPS_PROXY, NO_PROXY)"
	}
	return c
}

// issuer names who signed a certificate that is not trusted.
func issuer(err x509.UnknownAuthorityError) string {
	if err.Cert == nil {
		return "an unknown CA"
	}
	return err.Cert.Issuer.String()
}

// refused says what a registry that answers does not allow.
func refused(name, ref, who string, err error) Check {
	host := registry.Host(ref)
	c := Check{Name: name, State: Wrong, Code: fault.Registry, Found: OneLine(err.Error())}
	status := new(registry.StatusError)
	known := errors.As(err, &status)
	switch {
	case registry.Refuses(err) && who == "without a login":
		c.Code, c.Found, c.Fix = fault.Auth, host+" wants a login, and there is none", "docker login "+host
	case known && status.StatusCode == http.StatusForbidden:
		c.Code, c.Found, c.Fix = fault.Denied, host+" does not allow it "+who, "ask for the right to push to this repository, which may have to be created first"
	case registry.Refuses(err):
		c.Code, c.Found, c.Fix = fault.Auth, host+" rejects the credentials, "+who, "docker login "+host
	case errdefs.IsNotFound(err) || known && status.StatusCode == http.StatusNotFound:
		c.Found, c.Fix = host+" has no such repository", "create the repository or its project first, or check its name"
	case known && status.StatusCode == http.StatusTooManyRequests:
		c.State, c.Found, c.Fix = Warning, host+" asks to slow down", "try again later, or log in: docker login "+host
	case !known:
		return unreachable(name, Wrong, host, err)
	}
	return c
}

// Index looks at a package index that the project names. It is the daemon that downloads from it: what this machine cannot reach is a warning.
func (r Registries) Index(ctx context.Context, client *http.Client, name, url string) []Check {
	check := "index " + name
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return []Check{{Name: check, State: Warning, Found: OneLine(err.Error())}}
	}
	resp, err := client.Do(req)
	if err != nil {
		c := unreachable(check, Warning, req.URL.Host, err)
		c.Found += "; the daemon may reach it"
		return []Check{c}
	}
	_ = resp.Body.Close()
	date, _ := http.ParseTime(resp.Header.Get("Date")) // zero where it says none
	r.Clock.saw(req.URL.Host, date)
	if resp.StatusCode >= http.StatusInternalServerError {
		return []Check{{Name: check, State: Warning, Found: req.URL.Redacted() + " answers " + resp.Status}}
	}
	return []Check{{Name: check, State: OK, Found: req.URL.Redacted() + " answers"}}
}
