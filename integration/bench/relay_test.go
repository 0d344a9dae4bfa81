package main

import (
	"io"
	"net"
	"os"
	"testing"
	"time"
)

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The relay brings over what was sent, both ways, and not before its time.
func TestRelay(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		data, _ := io.ReadAll(c)
		_, _ = c.Write(append(data, " back"...))
	}()
	const rtt = 20 * time.Millisecond
	r, err := startRelay(l.Addr().String(), rtt)
	if err != nil {
		t.Fatal(err)
	}
	defer r.stop()
	started := time.Now()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("there and")); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(c)
	if err != nil || string(data) != "there and back" {
		t.Errorf("%q, %v", data, err)
	}
	if took := time.Since(started); took < 2*rtt {
		t.Errorf("took %v, want a handshake and a round trip of %v", took, rtt)
	}
}
