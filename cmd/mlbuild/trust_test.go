package main

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

func TestReadTrust(t *testing.T) {
	dir := t.TempDir()
	data, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	key, text := filepath.Join(dir, "key"), filepath.Join(dir, "text")
	if err := os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: data}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(text, []byte("a secret text"), 0o600); err != nil {
		t.Fatal(err)
	}
	plain := &env{}
	if got, err := readTrustKeys(t.Context(), plain, nil); err != nil || len(got) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := readTrustKeys(t.Context(), plain, []string{key}); err != nil || len(got) != 1 || !got[0].Signs() {
		t.Errorf("%+v, %v", got, err)
	}
	fromEnv := &env{environ: append(plain.environ, "MLBUILD_TRUST_KEY="+key+":"+key)}
	if got, err := readTrustKeys(t.Context(), fromEnv, nil); err != nil || len(got) != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = readTrustKeys(t.Context(), plain, []string{text, dir, filepath.Join(dir, "gone"), "/dev/zero"})
	all := fault.All(err)
	if len(all) != 4 {
		t.Fatalf("%v", err)
	}
	for _, f := range all {
		if f.Code != fault.Usage || strings.Contains(f.Error(), "a secret text") {
			t.Errorf("%v", f)
		}
	}
}
