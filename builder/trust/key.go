package trust

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
)

// signedAs begins what is signed, so that a signature is good for nothing else.
const signedAs = "mlbuild layers 1\n"

// Key is an Ed25519 key whose signature on a record is believed. One with its private half signs too.
type Key struct {
	public  ed25519.PublicKey
	private ed25519.PrivateKey // nil = records are read alone
}

// ParseKey reads a key as OpenSSL writes it: PKCS 8 for a private one (openssl genpkey -algorithm ed25519), SubjectPublicKeyInfo for a public one
// (openssl pkey -pubout), both in PEM.
func ParseKey(data []byte) (Key, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return Key{}, errors.New("it is no PEM file")
	}
	switch block.Type {
	case "PRIVATE KEY":
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return Key{}, fmt.Errorf("read the private key: %w", err)
		}
		if private, ok := parsed.(ed25519.PrivateKey); ok {
			return newKey(private), nil
		}
	case "PUBLIC KEY":
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return Key{}, fmt.Errorf("read the public key: %w", err)
		}
		if public, ok := parsed.(ed25519.PublicKey); ok {
			return Key{public: public}, nil
		}
	}
	return Key{}, errors.New("it is no Ed25519 key")
}

func newKey(private ed25519.PrivateKey) Key {
	return Key{public: ed25519.PublicKey(private[ed25519.SeedSize:]), private: private}
}

// KeyOf returns the key of a seed of 32 bytes.
func KeyOf(seed [ed25519.SeedSize]byte) Key { return newKey(ed25519.NewKeyFromSeed(seed[:])) }

// Public returns the half that signs nothing.
func (k Key) Public() Key { return Key{public: k.public} }

// Signs reports whether the key has its private half.
func (k Key) Signs() bool { return k.private != nil }

// ID returns a short name of the key, which it shares with its other half.
func (k Key) ID() string {
	sum := sha256.Sum256(k.public)
	return hex.EncodeToString(sum[:6])
}

// Sign returns the record and its signature as texts. The key must be one that signs.
func (k Key) Sign(r Record) (record, signature string, err error) {
	if !k.Signs() {
		return "", "", errors.New("a public key signs nothing")
	}
	data, err := r.encode()
	if err != nil {
		return "", "", err
	}
	return string(data), base64.StdEncoding.EncodeToString(ed25519.Sign(k.private, append([]byte(signedAs), data...))), nil
}

// Open returns a record that the key has signed.
func (k Key) Open(record, signature string) (Record, error) {
	sig, err := base64.StdEncoding.DecodeString(signature)
	if err != nil || len(k.public) != ed25519.PublicKeySize || !ed25519.Verify(k.public, append([]byte(signedAs), record...), sig) {
		return Record{}, fmt.Errorf("the record of layers is not signed with the key %s", k.ID())
	}
	return decode([]byte(record))
}
