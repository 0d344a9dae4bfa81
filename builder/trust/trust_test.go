package trust

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
)

func made(name string) Layer {
	return Layer{Key: digest.FromString(name).String(), Digest: digest.FromString("blob of " + name), Size: 7, Diff: digest.FromString("files of " + name)}
}

// TestOpen: a record is believed with the key's own signature and with nothing else.
func TestOpen(t *testing.T) {
	key, other := KeyOf([32]byte{1}), KeyOf([32]byte{2})
	r := Record{Layers: []Layer{made("numpy"), made("rich")}}.WithCache("buildcache-cpu", digest.FromString("cache"))
	data, sig, err := key.Sign(r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := key.Public().Open(data, sig)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(r, got); d != "" {
		t.Error(d)
	}
	_, foreign, err := other.Sign(r)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string][2]string{
		"a changed record":         {strings.Replace(data, made("numpy").Digest.Encoded(), made("forged").Digest.Encoded(), 1), sig},
		"another key's":            {data, foreign},
		"no signature":             {data, ""},
		"no base64":                {data, "%"},
		"an empty record":          {"", sig},
		"the signature of another": {data + " ", sig},
	} {
		if r, err := key.Open(test[0], test[1]); err == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if _, _, err := key.Public().Sign(r); err == nil {
		t.Error("a public key signs")
	}
	if r, err := (Key{}).Open(data, sig); err == nil {
		t.Errorf("no key opens %+v", r)
	}
	for _, l := range []Layer{{}, {Key: "numpy", Digest: made("a").Digest, Size: 1, Diff: made("a").Diff}, {Key: made("a").Key, Digest: "sha256:../../x", Size: 1, Diff: made("a").Diff}} {
		data, sig, _ := key.Sign(Record{Layers: []Layer{l}})
		if _, err := key.Open(data, sig); err == nil {
			t.Errorf("%+v is taken for a layer", l)
		}
	}
}

func TestParseKey(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, data []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data})
	}
	data, err := x509.MarshalPKCS8PrivateKey(private)
	signer, err := ParseKey(encode("PRIVATE KEY", data, err))
	if err != nil || !signer.Signs() {
		t.Fatalf("%v, %v", signer, err)
	}
	data, err = x509.MarshalPKIXPublicKey(public)
	reader, err := ParseKey(encode("PUBLIC KEY", data, err))
	if err != nil || reader.Signs() || reader.ID() != signer.ID() || len(reader.ID()) != 12 {
		t.Fatalf("%v, %v", reader, err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	data, err = x509.MarshalPKCS8PrivateKey(curve)
	for name, bad := range map[string][]byte{
		"nothing": nil, "text": []byte("secret"), "another kind": encode("PRIVATE KEY", data, err), "a certificate": encode("CERTIFICATE", data, nil), "damaged": encode("PUBLIC KEY", data, nil),
	} {
		if k, err := ParseKey(bad); err == nil {
			t.Errorf("%s: %v", name, k)
		}
	}
}

// TestWith: the newest layers come first, and a key has one layer.
func TestWith(t *testing.T) {
	newer := made("rich")
	newer.Digest = digest.FromString("made again")
	r := Record{Layers: []Layer{made("numpy"), made("rich")}}.WithCache("a", digest.FromString("a"))
	next := r.With([]Layer{newer, made("torch")})
	if d := cmp.Diff(Record{Layers: []Layer{newer, made("torch"), made("numpy")}, Caches: r.Caches}, next); d != "" {
		t.Error(d)
	}
	if !next.Holds([]Layer{newer, made("numpy")}) || next.Holds([]Layer{made("rich")}) || next.Holds([]Layer{made("x")}) {
		t.Error("Holds does not compare")
	}
	var many []Layer
	for i := range 2 * maxLayers {
		many = append(many, made(strconv.Itoa(i)))
	}
	if got := next.With(many); len(got.Layers) != maxLayers || got.Layers[0] != many[0] {
		t.Errorf("%d layers", len(got.Layers))
	}
	if l, ok := next.Find(newer.Key); !ok || l != newer {
		t.Errorf("found %v", l)
	}
}

// TestLocal: a record is of one daemon and one name, and a file that others may write is not believed.
func TestLocal(t *testing.T) {
	l := Local{Dir: filepath.Join(t.TempDir(), "layers"), Daemon: "unix:///a"}
	r := Record{Layers: []Layer{made("numpy")}}
	if err := l.Write("repo:buildcache-cpu", r); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(r, l.Read("repo:buildcache-cpu")); d != "" {
		t.Error(d)
	}
	for name, got := range map[string]Record{
		"another name": l.Read("repo:buildcache-gpu"), "another daemon": Local{l.Dir, "unix:///b"}.Read("repo:buildcache-cpu"), "no state": Local{}.Read("repo:buildcache-cpu"),
	} {
		if len(got.Layers) > 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
	file := l.file("repo:buildcache-cpu")
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	if got := l.Read("repo:buildcache-cpu"); len(got.Layers) > 0 {
		t.Error("a file that everybody may write is believed")
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := l.Read("repo:buildcache-cpu"); len(got.Layers) > 0 {
		t.Error("a damaged file is believed")
	}
	if err := (Local{}).Write("x", r); err != nil {
		t.Error(err)
	}
	if err := (Local{Dir: "/proc/nowhere"}).Write("x", r); err == nil {
		t.Error("written nowhere")
	}
	if all, _ := filepath.Glob(filepath.Join(l.Dir, ".record-*")); len(all) > 0 {
		t.Errorf("left: %v", all)
	}
}
