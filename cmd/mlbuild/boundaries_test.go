package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestWithoutHome: a user without a home directory has no docker configuration: that of the working directory may be anybody's, as of an unpacked project, and may name programs.
func TestWithoutHome(t *testing.T) {
	here, account := t.TempDir(), t.TempDir()
	t.Chdir(here)
	for dir, user := range map[string]string{here: "theirs", account: "mine"} {
		file := filepath.Join(dir, ".docker", "config.json")
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, fmt.Appendf(nil, `{"credsStore": %q, "auths": {"r.example": {"username": %q, "password": "x"}}}`, user, user), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ home, account, want string }{
		{"", "", ""}, {"", account, "mine"}, {"HOME=", account, "mine"}, {"HOME=.", "", ""}, {"HOME=.", account, "mine"}, {"HOME=" + account, "/nowhere", "mine"}, {"USERPROFILE=.", "", ""}, {"", ".", ""},
	} {
		e, _, _ := testEnv(c.home)
		e.account = c.account
		file, err := dockerLogins(t.Context(), e)
		if err != nil || file.CredentialsStore != c.want || file.AuthConfigs["r.example"].Username != c.want {
			t.Errorf("%+v: %v, %+v", c, err, file)
		}
		if hosts := e.inHome(".ssh", "known_hosts"); hosts != "" && !filepath.IsAbs(hosts) {
			t.Errorf("%+v: %s", c, hosts)
		}
	}
}

// certificate makes a CA's certificate and its key, in PEM.
func certificate(t *testing.T) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: text})
}

// TestCABundle: what every step with network gets holds certificates alone, and whole ones.
func TestCABundle(t *testing.T) {
	cert, key := certificate(t)
	second, _ := certificate(t)
	for _, c := range []struct {
		name string
		text []byte
		want string // the fault's message, "" for none
	}{
		{"one", cert, ""},
		{"two, with words between", bytes.Join([][]byte{cert, second}, []byte("# the company's\n")), ""},
		{"with its key", append(bytes.Clone(cert), key...), "holds a private key, which every step with network could read"},
		{"behind its key", append(bytes.Clone(key), cert...), "holds a private key"},
		{"an encrypted key", append(bytes.Clone(cert), "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"...), "holds a private key"},
		{"cut", cert[:len(cert)-60], "one of its certificates is damaged"},
		{"the second one cut", append(bytes.Clone(cert), second[:len(second)-60]...), "one of its certificates is damaged"},
		{"other bytes", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("not a certificate")}), "one of its certificates is damaged"},
		{"no certificate", []byte("hello\n"), "holds no PEM certificate"},
		{"too much", bytes.Repeat(cert, maxCA/len(cert)+1), "that BuildKit passes on"},
	} {
		path := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(path, c.text, 0o600); err != nil {
			t.Fatal(err)
		}
		kept, err := readCA(context.Background(), path)
		if c.want == "" && (err != nil || bytes.Count(kept, []byte(beginCertificate)) != bytes.Count(c.text, []byte(beginCertificate)) || bytes.Contains(kept, []byte("#"))) {
			t.Errorf("%s: %v, %s", c.name, err, kept)
		}
		if c.want != "" && (!fault.Is(err, fault.CA) || !strings.Contains(err.Error(), c.want) || kept != nil) {
			t.Errorf("%s: %v, %d bytes", c.name, err, len(kept))
		}
	}
}
