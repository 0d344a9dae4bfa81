package main

import (
	"io"
	"net"
	"sync"
	"time"
)

// relay forwards TCP connections and holds every chunk for half a round trip in each direction; a new connection waits for a whole
// one, as its handshake would. It limits no bandwidth.
type relay struct {
	addr string
	l    net.Listener
	to   string
	rtt  time.Duration
	mu   sync.Mutex
	open map[net.Conn]bool
}

func startRelay(to string, rtt time.Duration) (*relay, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &relay{addr: l.Addr().String(), l: l, to: to, rtt: rtt, open: map[net.Conn]bool{}}
	go r.serve()
	return r, nil
}

func (r *relay) serve() {
	for {
		in, err := r.l.Accept()
		if err != nil {
			return
		}
		go r.join(in)
	}
}

// join connects both sides until one of them closes.
func (r *relay) join(in net.Conn) {
	defer in.Close()
	time.Sleep(r.rtt)
	out, err := net.Dial("tcp", r.to)
	if err != nil {
		return
	}
	defer out.Close()
	r.hold(in, out, true)
	defer r.hold(in, out, false)
	done := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
		go func() {
			late(pair[1], pair[0], r.rtt/2)
			_ = pair[1].(*net.TCPConn).CloseWrite()
			done <- struct{}{}
		}()
	}
	<-done
	<-done
}

func (r *relay) hold(in, out net.Conn, open bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range []net.Conn{in, out} {
		if open {
			r.open[c] = true
		} else {
			delete(r.open, c)
		}
	}
}

func (r *relay) stop() {
	_ = r.l.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.open {
		_ = c.Close()
	}
}

type chunk struct {
	data []byte
	due  time.Time
}

// late copies with a delay that does not add up: chunks travel one behind the other.
func late(to io.Writer, from io.Reader, delay time.Duration) {
	queue := make(chan chunk, 4096)
	go func() {
		defer close(queue)
		for {
			buf := make([]byte, 32<<10)
			n, err := from.Read(buf)
			if n > 0 {
				queue <- chunk{buf[:n], time.Now().Add(delay)}
			}
			if err != nil {
				return
			}
		}
	}()
	broken := false
	for c := range queue {
		time.Sleep(time.Until(c.due))
		if !broken {
			_, err := to.Write(c.data)
			broken = err != nil
		}
	}
}
