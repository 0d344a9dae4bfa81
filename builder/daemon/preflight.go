package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"time"
)

const (
	dialTimeout = 10 * time.Second
	// firstWait is how long the server may speak first: gRPC servers send SETTINGS unasked, and a refused
	// client certificate comes as an alert.
	firstWait = 250 * time.Millisecond
)

// http2Hello is the HTTP/2 client preface with an empty SETTINGS frame (RFC 9113, section 3.4).
const http2Hello = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// preflight connects, shakes hands and reads the first bytes, because gRPC later turns every failure into
// one text. It returns nil if an HTTP/2 server answers, else an error for explainPreflight.
func preflight(ctx context.Context, a address, cfg *tls.Config) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, a.network, a.target)
	if err != nil {
		return &dialError{err}
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if cfg == nil {
		return readHello(ctx, conn)
	}
	secure := tls.Client(conn, cfg)
	if err := secure.HandshakeContext(ctx); err != nil {
		return &tlsError{err}
	}
	if err := readHello(ctx, secure); err != nil {
		if alert, ok := errors.AsType[*net.OpError](err); ok && alert.Op == "remote error" {
			return &tlsError{err}
		}
		return err
	}
	return nil
}

// readHello waits for the first HTTP/2 frame, which must be SETTINGS. The preface is sent when the server
// does not speak first.
func readHello(ctx context.Context, conn net.Conn) error {
	speak := time.AfterFunc(firstWait, func() { _, _ = io.WriteString(conn, http2Hello) })
	defer speak.Stop()
	head := make([]byte, 9)
	n, err := io.ReadFull(conn, head)
	if n == len(head) && head[3] == 4 && head[0] == 0 {
		return nil
	}
	if n > 0 {
		return &strangerError{first: head[:n]}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func timeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

// dialError: nothing listens, or the name does not resolve.
type dialError struct{ error }

func (e *dialError) Unwrap() error { return e.error }

// tlsError: the two sides do not accept each other.
type tlsError struct{ error }

func (e *tlsError) Unwrap() error { return e.error }

// strangerError: something answers that speaks no HTTP/2.
type strangerError struct{ first []byte }

func (e *strangerError) Error() string {
	switch text := string(e.first); {
	case strings.HasPrefix(text, "HTTP/"):
		return "an HTTP/1 server answers"
	case strings.HasPrefix(text, "SSH-"):
		return "an SSH server answers"
	}
	return "something else answers"
}

// wantsTLS reports whether the answer is a TLS alert or handshake record (RFC 8446, section 5.1). Go's TLS
// servers answer plain text with the HTTP/1 error that starts "HTTP/1.0 400"; those count as HTTP.
func (e *strangerError) wantsTLS() bool {
	return len(e.first) > 2 && (e.first[0] == 0x15 || e.first[0] == 0x16) && e.first[1] == 3
}
