package service

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/llb/check"
)

// mostOfAnswer is how much of an answer is read, in bytes.
const mostOfAnswer = 10 << 20

// answer is what a service answered.
type answer struct {
	status int
	kind   string // Content-Type
	body   []byte
	cut    bool // there is more
}

// errNotHTTP is what is said of an answer that begins as none does.
var errNotHTTP = errors.New("what came is not HTTP")

// exchange makes one request over a connection of its own, as HTTP/1.1 has it (RFC 9112). The client of the standard library brings TLS, HTTP/2 and proxies, more than all else in the program,
// which is sent to every daemon.
func exchange(ctx context.Context, q check.Request) (a answer, err error) {
	host, path, err := splitURL(q.URL)
	if err != nil {
		return a, err
	}
	conn, err := dialLoopback(ctx, host)
	if err != nil {
		return a, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	sent := make(chan error, 1)
	go func() { // a service may answer before it has read all
		_, err := conn.Write(requestBytes(q, host, path))
		sent <- err
	}()
	a, err = readAnswer(conn, q.Method)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		select {
		case wrong := <-sent:
			err = errors.Join(err, wrong)
		default:
		}
	}
	return a, err
}

// splitURL returns the host with its port and the path of an http URL.
func splitURL(url string) (host, path string, err error) {
	rest, ok := strings.CutPrefix(url, "http://")
	host, path, _ = strings.Cut(rest, "/")
	if _, _, wrong := net.SplitHostPort(host); !ok || wrong != nil {
		return "", "", fmt.Errorf("%s is no http URL with a port", url)
	}
	return host, "/" + path, nil
}

// dialLoopback connects to a port of this container, whichever loopback address is listened on.
func dialLoopback(ctx context.Context, address string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", address)
	if host, port, _ := net.SplitHostPort(address); err != nil && host == "127.0.0.1" {
		if other, wrong := d.DialContext(ctx, "tcp", net.JoinHostPort("::1", port)); wrong == nil {
			return other, nil
		}
	}
	return c, err
}

// requestBytes is a request as it is sent. Headers of the project's own stand in place of those that it would have.
func requestBytes(q check.Request, host, path string) []byte {
	headers := [][2]string{{"Host", host}, {"User-Agent", "mlbuild-check"}, {"Accept", "*/*"}, {"Connection", "close"}}
	if len(q.Body) > 0 || q.Method != "GET" && q.Method != "HEAD" {
		headers = append(headers, [2]string{"Content-Length", strconv.Itoa(len(q.Body))})
	}
	for _, own := range q.Headers {
		at := 0
		for at < len(headers) && !strings.EqualFold(headers[at][0], own[0]) {
			at++
		}
		headers = append(headers[:at], append([][2]string{own}, headers[min(at+1, len(headers)):]...)...)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", q.Method, path)
	for _, h := range headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	b.WriteString("\r\n")
	b.Write(q.Body)
	return b.Bytes()
}

// What the status line and the headers of an answer may have.
const (
	mostOfLine = 64 << 10 // bytes
	mostLines  = 1000
)

// head is what is read of an answer before its body.
type head struct {
	status  int
	kind    string // Content-Type
	length  int64  // Content-Length, -1 = it has none
	chunked bool
}

// readAnswer reads an answer: the status, the headers, and the beginning of the body.
func readAnswer(conn io.Reader, method string) (a answer, err error) {
	r := bufio.NewReaderSize(conn, mostOfLine)
	h := head{status: 100}
	for h.status >= 100 && h.status < 200 && h.status != 101 { // these come before the answer
		if h, err = readHead(r); err != nil {
			return a, err
		}
	}
	a.status, a.kind = h.status, h.kind
	if method == "HEAD" || h.status == 101 || h.status == 204 || h.status == 304 {
		return a, nil
	}
	a.body, err = io.ReadAll(io.LimitReader(h.body(r), mostOfAnswer+1))
	if a.cut = len(a.body) > mostOfAnswer; a.cut {
		a.body = a.body[:mostOfAnswer]
	}
	return a, err
}

// readHead reads a status line and headers, to the empty line behind them.
func readHead(r *bufio.Reader) (h head, err error) {
	line, err := readLine(r)
	if err != nil {
		return h, err
	}
	h.length = -1
	words := strings.SplitN(line, " ", 3)
	if !strings.HasPrefix(words[0], "HTTP/1.") || len(words) < 2 {
		return h, errNotHTTP
	}
	if h.status, err = strconv.Atoi(words[1]); err != nil || h.status < 100 || h.status > 999 {
		return h, errNotHTTP
	}
	for range mostLines {
		if line, err = readLine(r); err != nil || line == "" {
			return h, err
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(name) {
		case "content-type":
			h.kind = value
		case "transfer-encoding":
			h.chunked = strings.EqualFold(value, "chunked")
		case "content-length":
			if h.length, err = strconv.ParseInt(value, 10, 64); err != nil || h.length < 0 {
				return h, fmt.Errorf("its Content-Length is %q", value)
			}
		}
	}
	return h, fmt.Errorf("it has more than %d headers", mostLines)
}

// readLine reads a line without its end. The end of the connection in one is io.ErrUnexpectedEOF.
func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", fmt.Errorf("a line of its head is longer than %d bytes", mostOfLine)
	case errors.Is(err, io.EOF) && len(line) > 0:
		return "", io.ErrUnexpectedEOF
	case err != nil:
		return "", err
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}

// body is what comes behind the headers.
func (h head) body(r *bufio.Reader) io.Reader {
	switch {
	case h.chunked:
		return &chunks{r: r}
	case h.length >= 0:
		return &whole{r: r, left: h.length}
	}
	return r
}

// whole reads a number of bytes, and io.ErrUnexpectedEOF where the connection ends before.
type whole struct {
	r    *bufio.Reader
	left int64
}

// Read implements io.Reader.
func (w *whole) Read(p []byte) (int, error) {
	if w.left == 0 {
		return 0, io.EOF
	}
	n, err := w.r.Read(p[:min(int64(len(p)), w.left)])
	if w.left -= int64(n); errors.Is(err, io.EOF) && w.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// chunks reads a body that comes in chunks, each behind its size in hexadecimal (RFC 9112, 7.1).
type chunks struct {
	r    *bufio.Reader
	now  *whole
	last bool
}

// Read implements io.Reader.
func (c *chunks) Read(p []byte) (int, error) {
	for c.now == nil || c.now.left == 0 {
		if c.last {
			return 0, io.EOF
		}
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	return c.now.Read(p)
}

// next reads the size of the next chunk, behind the line end of the one before.
func (c *chunks) next() error {
	if c.now != nil {
		if line, err := readLine(c.r); err != nil || line != "" {
			return errors.Join(err, errors.New("a chunk is longer than its size"))
		}
	}
	line, err := readLine(c.r)
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	text, _, _ := strings.Cut(line, ";")
	n, err := strconv.ParseUint(strings.TrimSpace(text), 16, 62)
	if err != nil {
		return fmt.Errorf("%q is not the size of a chunk", text)
	}
	c.now, c.last = &whole{r: c.r, left: int64(n)}, n == 0
	return nil
}
