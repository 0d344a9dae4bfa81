package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"

	"github.com/mlbuild/mlbuild/builder/limits"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// maxCA is BuildKit's limit for a secret, in bytes (session/secrets/secretsprovider): steps get the bundle as one.
const maxCA = 500 << 10

// beginCertificate starts a certificate in PEM (RFC 7468).
const beginCertificate = "-----BEGIN CERTIFICATE-----"

// readCA reads a CA bundle and returns its certificates in PEM, without what stands between them. Every step with network gets it, so a private key in it is refused.
func readCA(ctx context.Context, path string) ([]byte, error) {
	data, err := limits.ReadFile(ctx, path, maxText)
	if err != nil {
		return nil, fault.New(fault.CA, "cannot read the CA bundle %s: %w", path, pathCause(err))
	}
	if bytes.Contains(data, []byte("PRIVATE KEY-----")) {
		return nil, fault.New(fault.CA, "the CA bundle %s holds a private key, which every step with network could read", path).
			Hint("give a file with the certificates alone: openssl x509 -in %s -out ca.pem", quoted(path))
	}
	kept, err := certificates(data)
	switch {
	case err != nil:
		return nil, fault.New(fault.CA, "the CA bundle %s: %w", path, err).Hint("copy the file anew; openssl x509 -in %s -text shows what is wrong", quoted(path))
	case len(kept) == 0:
		return nil, fault.New(fault.CA, "%s holds no PEM certificate", path).Hint("it must start with " + beginCertificate)
	case len(kept) > maxCA:
		return nil, fault.New(fault.CA, "the CA bundle %s has %d bytes, more than the %d that BuildKit passes on", path, len(kept), maxCA).
			Hint("give a file with the company's own certificates alone: --ca-cert")
	}
	return kept, nil
}

// certificates returns those of a PEM text. One that is damaged is an error; one of a form that Go does not take, as with a negative serial number, may be
// among the system's, but not all may be.
func certificates(text []byte) ([]byte, error) {
	var kept bytes.Buffer
	kept.Grow(len(text))
	begun, found, understood := bytes.Count(text, []byte(beginCertificate)), 0, false
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		found++
		var whole asn1.RawValue
		if more, err := asn1.Unmarshal(block.Bytes, &whole); err != nil || len(more) > 0 {
			return nil, errors.New("one of its certificates is damaged")
		}
		if !understood { // one is enough, and a system has some 150
			_, err := x509.ParseCertificate(block.Bytes)
			understood = err == nil
		}
		_ = pem.Encode(&kept, &pem.Block{Type: block.Type, Bytes: block.Bytes}) // neither a buffer nor a block without headers fails
	}
	if found < begun || found > 0 && !understood {
		return nil, errors.New("one of its certificates is damaged")
	}
	return kept.Bytes(), nil
}
