package testbed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Buckets is a stand-in for a server of S3. It gives an object to whoever signs the request as AWS's own signer would, in the headers or in the URL, and to
// whoever shows its bearer token, as the server of Google's buckets does.
type Buckets struct {
	*AccessLog
	URL     string
	Account aws.Credentials
	Bearer  string // "" = no token opens anything
	mu      sync.Mutex
	objects map[string][]byte // "bucket/key"
}

// NewBuckets starts a server without objects that ends with the test.
func NewBuckets(t testing.TB, account aws.Credentials) *Buckets {
	t.Helper()
	b := &Buckets{AccessLog: newAccessLog(), Account: account, objects: map[string][]byte{}}
	srv, addr, err := serve(b.handler(http.HandlerFunc(b.serve)), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	b.URL = "http://" + addr
	return b
}

// Put keeps an object under "bucket/key".
func (b *Buckets) Put(name string, data []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.objects[name] = data
}

// Presigned is a URL that opens one object to whoever has it.
func (b *Buckets) Presigned(name, region string) (string, error) {
	at := url.URL{Scheme: "http", Host: strings.TrimPrefix(b.URL, "http://"), Path: "/" + name, RawQuery: "X-Amz-Expires=600"}
	return b.presign(at, region, time.Now())
}

func (b *Buckets) serve(w http.ResponseWriter, req *http.Request) {
	b.mu.Lock()
	data, ok := b.objects[strings.TrimPrefix(req.URL.Path, "/")]
	b.mu.Unlock()
	switch err := b.check(req); {
	case err != nil:
		refuse(w, http.StatusForbidden, err.Error())
	case !ok:
		refuse(w, http.StatusNotFound, "NoSuchKey")
	default:
		http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(data))
	}
}

// refuse answers as S3 does, with its code.
func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>no</Message></Error>`, code)
}

// The errors of check, by S3's codes.
var (
	errDenied    = errors.New("AccessDenied")
	errUnknown   = errors.New("InvalidAccessKeyId")
	errSignature = errors.New("SignatureDoesNotMatch")
	errSkewed    = errors.New("RequestTimeTooSkewed")
)

func (b *Buckets) check(req *http.Request) error {
	given := req.Header.Get("Authorization")
	switch {
	case b.Bearer != "" && given == "Bearer "+b.Bearer:
		return nil
	case strings.HasPrefix(given, "AWS4-HMAC-SHA256 "):
		return b.checkHeader(req, given)
	case req.URL.Query().Get("X-Amz-Signature") != "":
		return b.checkQuery(req)
	}
	return errDenied
}

var credential = regexp.MustCompile(`Credential=([^/]+)/\d{8}/([^/]+)/s3/aws4_request, SignedHeaders=([a-z0-9;-]+), `)

// signedAt is the form of x-amz-date.
const signedAt = "20060102T150405Z"

// checkHeader has AWS's signer sign the request anew, with the headers that it says are signed.
func (b *Buckets) checkHeader(req *http.Request, given string) error {
	m := credential.FindStringSubmatch(given)
	if m == nil {
		return errSignature
	}
	at, err := time.Parse(signedAt, req.Header.Get("X-Amz-Date"))
	if err != nil || time.Since(at).Abs() > 15*time.Minute {
		return errSkewed
	}
	if m[1] != b.Account.AccessKeyID {
		return errUnknown
	}
	again, err := http.NewRequestWithContext(req.Context(), req.Method, b.URL+req.URL.EscapedPath(), http.NoBody)
	if err != nil {
		return err
	}
	again.Host = req.Host
	for _, name := range strings.Split(m[3], ";") {
		if v := req.Header.Get(name); v != "" {
			again.Header.Set(name, v)
		}
	}
	if err := newSigner().SignHTTP(req.Context(), b.Account, again, req.Header.Get("X-Amz-Content-Sha256"), "s3", m[2], at); err != nil {
		return err
	}
	if again.Header.Get("Authorization") != given {
		return errSignature
	}
	return nil
}

func (b *Buckets) checkQuery(req *http.Request) error {
	q := req.URL.Query()
	at, err := time.Parse(signedAt, q.Get("X-Amz-Date"))
	parts := strings.Split(q.Get("X-Amz-Credential"), "/")
	if err != nil || len(parts) != 5 {
		return errSignature
	}
	bare := *req.URL
	bare.Scheme, bare.Host, bare.RawQuery = "http", req.Host, "X-Amz-Expires="+q.Get("X-Amz-Expires")
	again, err := b.presign(bare, parts[2], at)
	if err != nil {
		return err
	}
	if u, err := url.Parse(again); err != nil || u.Query().Get("X-Amz-Signature") != q.Get("X-Amz-Signature") {
		return errSignature
	}
	return nil
}

func (b *Buckets) presign(u url.URL, region string, at time.Time) (string, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return "", err
	}
	signed, _, err := newSigner().PresignHTTP(req.Context(), b.Account, req, "UNSIGNED-PAYLOAD", "s3", region, at)
	return signed, err
}

// newSigner signs as for S3, which does not escape a path twice.
func newSigner() *v4.Signer {
	return v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
}
