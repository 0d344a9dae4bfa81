package daemon

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority is a CA made for one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // its certificate as PEM
	dir  string
}

func newCA(t *testing.T, name string) authority {
	t.Helper()
	key := newKey(t)
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	ca := authority{cert: cert, key: key, dir: t.TempDir()}
	ca.file = ca.write(t, name+"-ca.pem", ca.sign(t, cert, key))
	return ca
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (ca authority) sign(t *testing.T, cert *x509.Certificate, key *ecdsa.PrivateKey) *pem.Block {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	return &pem.Block{Type: "CERTIFICATE", Bytes: der}
}

func (ca authority) write(t *testing.T, name string, block *pem.Block) string {
	t.Helper()
	path := filepath.Join(ca.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// pair is a certificate with its key, as files.
type pair struct{ cert, key string }

// issue makes a certificate for both sides of TLS, for 127.0.0.1 and the names, that ends at end.
func (ca authority) issue(t *testing.T, name string, end time.Time, hosts ...string) pair {
	t.Helper()
	key := newKey(t)
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: hosts,
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: end,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if len(hosts) == 0 {
		cert.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{
		cert: ca.write(t, name+".pem", ca.sign(t, cert, key)),
		key:  ca.write(t, name+"-key.pem", &pem.Block{Type: "EC PRIVATE KEY", Bytes: der}),
	}
}

func nextYear() time.Time  { return time.Now().Add(365 * 24 * time.Hour) }
func yesterday() time.Time { return time.Now().Add(-24 * time.Hour) }

// tlsServer accepts TLS with p and, if clients is given, wants client certificates of that CA. It answers
// each connection with first, as a gRPC server its SETTINGS.
func tlsServer(t *testing.T, p pair, clients *authority, first string) string {
	t.Helper()
	cert, err := tls.LoadX509KeyPair(p.cert, p.key)
	if err != nil {
		t.Fatal(err)
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12}
	if clients != nil {
		pool, err := loadCA(clients.file, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		cfg.ClientAuth, cfg.ClientCAs = tls.RequireAndVerifyClientCert, pool
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", cfg)
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, l, first)
}

// serve answers each connection with first; if that is empty, with silence.
func serve(t *testing.T, l net.Listener, first string) string {
	t.Helper()
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				if first == "" {
					_, _ = io.Copy(io.Discard, conn) // silent until the other side gives up
					return
				}
				if _, err := conn.Write([]byte(first)); err != nil {
					return
				}
				_, _ = conn.Read(make([]byte, 100))
			}()
		}
	}()
	return "tcp://" + l.Addr().String()
}
