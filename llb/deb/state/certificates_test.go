package state

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// newCert makes a certificate of a subject, as PEM.
func newCert(t *testing.T, subject pkix.Name) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: subject, NotAfter: time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// Names and hashes are those of openssl x509 -subject_hash.
func TestFilesCertificates(t *testing.T) {
	one := newCert(t, pkix.Name{Country: []string{"DE"}, Organization: []string{"  Example   Örg "}, CommonName: "Root CA"})
	same := newCert(t, pkix.Name{Country: []string{"de"}, Organization: []string{"example Örg"}, CommonName: "ROOT ca"})
	two := newCert(t, pkix.Name{CommonName: "Two"})
	packages := map[string]string{
		"usr/share/ca-certificates/mozilla/One (x),y.crt": strings.TrimSuffix(one, "\n"),
		"usr/share/ca-certificates/mozilla/Same.crt":      same,
		"usr/share/ca-certificates/mozilla/Twice.crt":     same,
		"usr/share/ca-certificates/README":                "no certificate",
	}
	made := files(t, Effects{CACertificates: true}, packages, map[string]string{"usr/local/share/ca-certificates/corp.crt": two})
	want := []string{
		"/etc/ca-certificates.conf file 644 0:0",
		"/etc/ssl/certs/22de2a57.0 -> One_=x=_y.pem",
		"/etc/ssl/certs/22de2a57.1 -> Same.pem",
		"/etc/ssl/certs/57978b99.0 -> corp.pem",
		"/etc/ssl/certs/One_=x=_y.pem -> /usr/share/ca-certificates/mozilla/One (x),y.crt",
		"/etc/ssl/certs/Same.pem -> /usr/share/ca-certificates/mozilla/Same.crt",
		"/etc/ssl/certs/Twice.pem -> /usr/share/ca-certificates/mozilla/Twice.crt",
		"/etc/ssl/certs/ca-certificates.crt file 644 0:0",
		"/etc/ssl/certs/corp.pem -> /usr/local/share/ca-certificates/corp.crt",
	}
	if diff := cmp.Diff(want, lines(t, made)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := text(t, made, "/etc/ssl/certs/ca-certificates.crt"); got != one+same+same+two {
		t.Errorf("bundle:\n%s", got)
	}
	if got := text(t, made, "/etc/ca-certificates.conf"); !strings.HasSuffix(got, "\n#\nmozilla/One (x),y.crt\nmozilla/Same.crt\nmozilla/Twice.crt\n") {
		t.Errorf("configuration:\n%s", got)
	}
	_, err := Files(Effects{CACertificates: true}, Image{Base: mapFS(nil), Packages: mapFS(map[string]string{
		"usr/share/ca-certificates/x.crt": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}))})})
	if err == nil || !strings.Contains(err.Error(), "x.pem: it is no certificate") {
		t.Error(err)
	}
}
