package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mlbuild/mlbuild/profiles/pylock"
)

// wheelServer serves a directory of wheels on loopback, so that every contender fetches the same files equally fast.
type wheelServer struct {
	dir  string
	url  string // without a slash at the end
	srv  *http.Server
	sent atomic.Int64 // bytes of bodies since the last reset
}

func startWheelServer(dir string) (*wheelServer, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &wheelServer{dir: dir, url: "http://" + l.Addr().String()}
	files := http.FileServer(http.Dir(dir))
	s.srv = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		files.ServeHTTP(&counted{ResponseWriter: w, sent: &s.sent}, req)
	})}
	go func() { _ = s.srv.Serve(l) }()
	return s, nil
}

func (s *wheelServer) stop() { _ = s.srv.Close() }

// counted counts a response's bytes and keeps the way by which the kernel copies a file to the socket itself.
type counted struct {
	http.ResponseWriter
	sent *atomic.Int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.sent.Add(int64(n))
	return n, err
}

// ReadFrom is called by http.ServeContent.
func (c *counted) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(c.ResponseWriter, r)
	c.sent.Add(n)
	return n, err
}

// fetch downloads the wheels that the directory lacks, each checked against its hash.
func (s *wheelServer) fetch(ctx context.Context, wheels []pylock.Wheel) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, w := range wheels {
		if info, err := os.Stat(filepath.Join(s.dir, w.Filename)); err == nil && (w.Size == 0 || info.Size() == w.Size) {
			continue
		}
		g.Go(func() error { return s.download(ctx, w) })
	}
	return g.Wait()
}

// warm reads files, so that no contender waits for the disk more than another.
func (s *wheelServer) warm(names []string) error {
	for _, name := range names {
		if err := readThrough(filepath.Join(s.dir, name)); err != nil {
			return err
		}
	}
	return nil
}

func readThrough(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(io.Discard, f)
	return err
}

func (s *wheelServer) download(ctx context.Context, w pylock.Wheel) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("download %s: %s", w.Filename, resp.Status)
	}
	part := filepath.Join(s.dir, "."+w.Filename)
	f, err := os.Create(part)
	if err != nil {
		return err
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, sum), resp.Body)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != w.SHA256 {
		return fmt.Errorf("download %s: sha256 %s, the lock promises %s", w.Filename, got, w.SHA256)
	}
	return os.Rename(part, filepath.Join(s.dir, w.Filename))
}
