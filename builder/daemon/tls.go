package daemon

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"time"

	bkclient "github.com/moby/buildkit/client"

	"github.com/mlbuild/mlbuild/builder/limits"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// expirySoon is how long before its end a client certificate gets a notice.
const expirySoon = 14 * 24 * time.Hour

// TLS names the files that prove both sides of a tcp:// connection, with the meaning that buildctl's
// --tlscacert, --tlscert, --tlskey, --tlsservername and --tlsdir have.
type TLS struct {
	CACert     string // PEM file; "" = the system's pool
	Cert, Key  string // PEM files of the client, both or none
	ServerName string // name in the server's certificate; "" = the address's host
	Dir        string // holds ca.pem, cert.pem, key.pem or ca.crt, tls.crt, tls.key; excludes the first three
}

func (t TLS) given() bool { return t != TLS{} }

// files resolves Dir into the three files. Files that Dir lacks stay empty.
func (t TLS) files() (TLS, error) {
	if t.Dir == "" {
		return t, nil
	}
	if t.CACert != "" || t.Cert != "" || t.Key != "" {
		return t, fault.New(fault.TLS, "--tlsdir and --tlscacert, --tlscert or --tlskey exclude each other")
	}
	if _, err := os.ReadDir(t.Dir); err != nil {
		return t, fault.New(fault.TLS, "cannot read the directory of --tlsdir: %w", err)
	}
	t.CACert = firstFile(t.Dir, "ca.pem", "ca.crt")
	t.Cert = firstFile(t.Dir, "cert.pem", "tls.crt")
	t.Key = firstFile(t.Dir, "key.pem", "tls.key")
	if t.CACert == "" && t.Cert == "" && t.Key == "" {
		return t, fault.New(fault.TLS, "no certificate in %s", t.Dir).
			Hint("--tlsdir expects ca.pem, cert.pem and key.pem, or ca.crt, tls.crt and tls.key")
	}
	t.Dir = ""
	return t, nil
}

func firstFile(dir string, names ...string) string {
	for _, name := range names {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}

// config loads and checks the files, their dates only if now is not zero. It returns the TLS configuration for a connection to host and every
// fault of the files at once, each fault.TLS.
func (t TLS) config(host string, now time.Time, log func(string, ...any)) (*tls.Config, error) {
	cfg := &tls.Config{ServerName: t.ServerName, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"}}
	if cfg.ServerName == "" {
		cfg.ServerName = host
	}
	var faults fault.List
	if t.CACert != "" {
		pool, err := loadCA(t.CACert, now)
		faults = append(faults, fault.All(err)...)
		cfg.RootCAs = pool
	}
	if t.Cert != "" || t.Key != "" {
		pair, err := t.loadPair(now, log)
		faults = append(faults, fault.All(err)...)
		cfg.Certificates = []tls.Certificate{pair}
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return cfg, nil
}

// maxPEM bounds a file with certificates or a key, in bytes.
const maxPEM = 16 << 20

func loadCA(path string, now time.Time) (*x509.CertPool, error) {
	data, err := limits.ReadFile(context.Background(), path, maxPEM)
	if err != nil {
		return nil, fault.New(fault.TLS, "cannot read the CA file: %w", err)
	}
	pool := x509.NewCertPool()
	valid, last := 0, time.Time{}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			continue
		}
		pool.AddCert(cert)
		if now.IsZero() || now.Before(cert.NotAfter) {
			valid++
		}
		last = cert.NotAfter
	}
	switch {
	case last.IsZero():
		return nil, fault.New(fault.TLS, "no certificate in the CA file %s", path).Hint("--tlscacert takes a PEM file")
	case valid == 0:
		return nil, fault.New(fault.TLS, "the CA certificate in %s expired on %s", path, day(last)).
			Hint("ask the daemon's operator for the current CA file")
	}
	return pool, nil
}

// loadPair reads the client's certificate and key and checks that they belong together and are in date.
func (t TLS) loadPair(now time.Time, log func(string, ...any)) (tls.Certificate, error) {
	if t.Cert == "" || t.Key == "" {
		return tls.Certificate{}, fault.New(fault.TLS, "a client certificate needs its key and a key its certificate").
			Hint("give both --tlscert and --tlskey")
	}
	certPEM, certErr := limits.ReadFile(context.Background(), t.Cert, maxPEM)
	keyPEM, keyErr := limits.ReadFile(context.Background(), t.Key, maxPEM)
	if err := errors.Join(certErr, keyErr); err != nil {
		return tls.Certificate{}, fault.New(fault.TLS, "cannot read the client certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return tls.Certificate{}, fault.New(fault.TLS, "the client certificate %s and the key %s do not work together: %w", t.Cert, t.Key, err).
			Hint("--tlscert and --tlskey must be made together")
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return pair, fault.New(fault.TLS, "the client certificate %s is malformed: %w", t.Cert, err)
	}
	if now.IsZero() {
		return pair, nil
	}
	if err := inDate(t.Cert, leaf, now); err != nil {
		return pair, err
	}
	if now.Add(expirySoon).After(leaf.NotAfter) {
		log("the client certificate %s expires on %s", t.Cert, day(leaf.NotAfter))
	}
	return pair, nil
}

func inDate(path string, cert *x509.Certificate, now time.Time) error {
	switch {
	case now.After(cert.NotAfter):
		return fault.New(fault.TLS, "the client certificate %s expired on %s", path, day(cert.NotAfter)).Hint("renew it")
	case now.Before(cert.NotBefore):
		return fault.New(fault.TLS, "the client certificate %s is not valid before %s", path, day(cert.NotBefore)).
			Hint("check this machine's clock")
	}
	return nil
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// clientOpts gives BuildKit's client the same files that config checked.
func (t TLS) clientOpts(host string) []bkclient.ClientOpt {
	name := t.ServerName
	if name == "" {
		name = host
	}
	opts := []bkclient.ClientOpt{bkclient.WithServerConfig(name, t.CACert)}
	if t.CACert == "" {
		opts = []bkclient.ClientOpt{bkclient.WithServerConfigSystem(name)}
	}
	if t.Cert != "" {
		opts = append(opts, bkclient.WithCredentials(t.Cert, t.Key))
	}
	return opts
}
