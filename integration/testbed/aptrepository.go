package testbed

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// AptRepository is a Debian repository on a free port of 127.0.0.1, flat (suite "./"), with a key of its own. Changes are served at once.
type AptRepository struct {
	*AccessLog
	URL string
	// Key is the public key, armoured; BinaryKey the same without armour.
	Key, BinaryKey []byte

	srv    *http.Server
	entity *openpgp.Entity
	mu     sync.Mutex
	signed bool
	pkgs   map[string]string // name and version → paragraph of Packages
	files  map[string][]byte // path → contents
}

// NewAptRepository serves a signed, empty repository until the test ends.
func NewAptRepository(t testing.TB) *AptRepository {
	t.Helper()
	r := &AptRepository{AccessLog: newAccessLog(), signed: true, pkgs: map[string]string{}, files: map[string][]byte{}}
	var err error
	if r.entity, err = openpgp.NewEntity("testbed", "", "testbed@example.com", keyConfig()); err != nil {
		t.Fatal(err)
	}
	var key, binary bytes.Buffer
	w, err := armor.Encode(&key, openpgp.PublicKeyType, nil)
	if err == nil {
		err = r.entity.Serialize(io.MultiWriter(w, &binary))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	r.Key, r.BinaryKey, r.files["key.asc"] = key.Bytes(), binary.Bytes(), key.Bytes()
	srv, addr, err := serve(r.handler(http.HandlerFunc(r.serve)), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	r.srv, r.URL = srv, "http://"+addr
	return r
}

// keyConfig makes keys that every verifier takes. The key is an hour old: clocks differ.
func keyConfig() *packet.Config {
	return &packet.Config{DefaultHash: crypto.SHA256, Algorithm: packet.PubKeyAlgoRSA, RSABits: 2048, Time: func() time.Time { return time.Now().Add(-time.Hour) }}
}

// Add puts a package of the architecture all or amd64 into the repository and returns its URL. Fields are more lines of its paragraph, each with a newline.
func (r *AptRepository) Add(name, version, architecture, fields string, deb []byte) string {
	file := strings.ReplaceAll(fmt.Sprintf("%s_%s_%s.deb", name, version, architecture), ":", "%3a")
	sum := sha256.Sum256(deb)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files[file] = deb
	r.pkgs[name+" "+version] = fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: testbed\nDescription: of the testbed\n%sFilename: ./%s\nSize: %d\nSHA256: %s\n",
		name, version, architecture, fields, file, len(deb), hex.EncodeToString(sum[:]))
	return r.URL + "/./" + file
}

// Remove takes a version out of the lists and deletes its file, as mirrors do.
func (r *AptRepository) Remove(name, version, architecture string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.pkgs, name+" "+version)
	delete(r.files, fmt.Sprintf("%s_%s_%s.deb", name, version, architecture))
}

// Tamper serves other bytes for a package's file than the lists promise.
func (r *AptRepository) Tamper(name, version, architecture string, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files[fmt.Sprintf("%s_%s_%s.deb", name, version, architecture)] = data
}

// Unsign stops to sign the lists.
func (r *AptRepository) Unsign() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.signed = false
}

func (r *AptRepository) serve(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := strings.TrimPrefix(strings.TrimPrefix(req.URL.Path, "/"), "./")
	data, ok := r.files[name]
	switch {
	case name == "Packages":
		data, ok = r.packages(), true
	case name == "Release":
		data, ok = r.release(), true
	case name == "InRelease" && r.signed:
		data, ok = r.inRelease(), true
	}
	if !ok {
		http.NotFound(w, req)
		return
	}
	_, _ = w.Write(data)
}

func (r *AptRepository) packages() []byte {
	var b bytes.Buffer
	for _, key := range slices.Sorted(maps.Keys(r.pkgs)) {
		b.WriteString(r.pkgs[key] + "\n")
	}
	return b.Bytes()
}

// release lists the one index with its hash. It is an hour old, like the key.
func (r *AptRepository) release() []byte {
	data := r.packages()
	sum := sha256.Sum256(data)
	return fmt.Appendf(nil, "Origin: testbed\nLabel: testbed\nDate: %s\nSHA256:\n %s %d Packages\n", time.Now().Add(-30*time.Minute).UTC().Format(time.RFC1123), hex.EncodeToString(sum[:]), len(data))
}

func (r *AptRepository) inRelease() []byte {
	var b bytes.Buffer
	w, err := clearsign.Encode(&b, r.entity.PrivateKey, &packet.Config{DefaultHash: crypto.SHA256})
	if err == nil {
		_, err = w.Write(r.release())
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil
	}
	return b.Bytes()
}

// NewServer serves h on a free port of 127.0.0.1 until the test ends, and returns its URL.
func NewServer(t testing.TB, h http.Handler) string {
	t.Helper()
	srv, addr, err := serve(h, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	return "http://" + addr
}
