package testbed

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	bkclient "github.com/moby/buildkit/client"
)

// DaemonOptions is what a buildkitd can be asked to be. The zero value is a daemon on a unix socket that
// knows no registry.
type DaemonOptions struct {
	// Mirror serves docker.io and gcr.io; it is always tried before these themselves.
	Mirror *Registry
	// Registries are reachable by their address, plain or with their own authority.
	Registries []*Registry
	// Frontends leaves the Dockerfile and gateway frontends on.
	Frontends bool
	// Entitlements that builds may ask for: "network.host", "security.insecure".
	Entitlements []string
	// TLS makes the daemon listen on tcp with a certificate of the authority and ask for a client's.
	TLS *CA
	// Root keeps the state of an earlier daemon; "" = a new one, removed by Stop.
	Root string
	// Env is added to the environment: "SSL_CERT_FILE=…".
	Env []string
	// Config is added to the end of buildkitd.toml.
	Config string
}

// Daemon is a real buildkitd.
type Daemon struct {
	opt  DaemonOptions
	dir  string // socket, config, log and, if not given, the state
	addr string
	proc *process
}

// StartDaemon starts the buildkitd of bin/ with a state of its own and returns when it answers. Only root
// can: others get a *MissingError.
func StartDaemon(ctx context.Context, opt DaemonOptions) (*Daemon, error) {
	if err := daemonPossible(); err != nil {
		return nil, err
	}
	dir, err := tempDir("bkd")
	if err != nil {
		return nil, err
	}
	d := &Daemon{opt: opt, dir: dir}
	if err := d.start(ctx); err != nil {
		_ = d.Stop()
		return nil, err
	}
	return d, nil
}

func daemonPossible() error {
	if os.Getuid() != 0 {
		return &MissingError{What: "the testbed's buildkitd needs root", Remedy: "sudo make test"}
	}
	if _, err := systemTool("runc"); err != nil {
		return err
	}
	_, err := Tool("buildkitd")
	return err
}

func (d *Daemon) start(ctx context.Context) error {
	bin, err := Tool("buildkitd")
	if err != nil {
		return err
	}
	if d.addr, err = d.pickAddr(); err != nil {
		return err
	}
	config, err := d.config()
	if err != nil {
		return err
	}
	file := filepath.Join(d.dir, "buildkitd.toml")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		return err
	}
	root := d.opt.Root
	if root == "" {
		root = filepath.Join(d.dir, "r")
	}
	d.proc, err = startProcess(d.env(), filepath.Join(d.dir, "log"), bin,
		"--config", file, "--root", root, "--addr", d.addr,
		"--otel-socket-path", filepath.Join(d.dir, "otel"), "--containerd-worker=false")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return d.proc.await(ctx, d.ping)
}

// pickAddr is a unix socket in the daemon's directory or, with TLS, a free tcp port.
func (d *Daemon) pickAddr() (string, error) {
	if d.opt.TLS == nil {
		return "unix://" + filepath.Join(d.dir, "s"), nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return "tcp://" + l.Addr().String(), nil
}

// env is the environment of the test, the authorities in SSL_CERT_FILE included, without what would make
// the daemon or its children look for another daemon.
func (d *Daemon) env() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "BUILDKIT_") && !strings.HasPrefix(kv, "OTEL_") {
			env = append(env, kv)
		}
	}
	return append(env, d.opt.Env...)
}

func (d *Daemon) ping(ctx context.Context) error {
	c, err := d.Client(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err = c.ListWorkers(ctx)
	return err
}

// Client connects to the daemon.
func (d *Daemon) Client(ctx context.Context) (*bkclient.Client, error) {
	if d.opt.TLS == nil {
		return bkclient.New(ctx, d.addr)
	}
	return bkclient.New(ctx, d.addr,
		bkclient.WithServerConfig("127.0.0.1", d.certFile("ca.pem")),
		bkclient.WithCredentials(d.certFile("client.pem"), d.certFile("client.key")))
}

func (d *Daemon) certFile(name string) string { return filepath.Join(d.dir, name) }

// Certificates are the files with which a client reaches a daemon with TLS: the authority, the client's
// certificate and its key.
func (d *Daemon) Certificates() (ca, cert, key string) {
	return d.certFile("ca.pem"), d.certFile("client.pem"), d.certFile("client.key")
}

// Addr is the address as clients take it: unix://… or tcp://….
func (d *Daemon) Addr() string { return d.addr }

// Pid is the process id of the daemon.
func (d *Daemon) Pid() int { return d.proc.cmd.Process.Pid }

// Log is what the daemon has written so far.
func (d *Daemon) Log() string { return d.proc.output() }

// Kill ends the daemon at once, as a crash would.
func (d *Daemon) Kill() { d.proc.stop(0) }

// Stop ends the daemon and removes its state, a given Root excepted.
func (d *Daemon) Stop() error {
	if d.proc != nil {
		d.proc.stop(5 * time.Second)
	}
	return RemoveAll(d.dir)
}

func (d *Daemon) config() (string, error) {
	var b strings.Builder
	if len(d.opt.Entitlements) > 0 {
		fmt.Fprintf(&b, "insecure-entitlements = [%s]\n", quoted(d.opt.Entitlements))
	}
	if err := d.tlsConfig(&b); err != nil {
		return "", err
	}
	fmt.Fprintf(&b, "[worker.oci]\nnetworkMode = \"host\"\ngc = false\n")
	if !d.opt.Frontends {
		fmt.Fprintf(&b, "[frontend.\"gateway.v0\"]\nenabled = false\n[frontend.\"dockerfile.v0\"]\nenabled = false\n")
	}
	if d.opt.Mirror != nil {
		for _, host := range []string{"docker.io", "gcr.io"} {
			fmt.Fprintf(&b, "[registry.%q]\nmirrors = [%q]\n", host, d.opt.Mirror.Addr)
		}
	}
	if err := d.registryConfig(&b); err != nil {
		return "", err
	}
	b.WriteString(d.opt.Config)
	return b.String(), nil
}

// registryConfig gives each registry its own table: http, or the authority to trust.
func (d *Daemon) registryConfig(b *strings.Builder) error {
	seen := map[string]bool{}
	for i, r := range append([]*Registry{d.opt.Mirror}, d.opt.Registries...) {
		if r == nil || seen[r.Addr] {
			continue
		}
		seen[r.Addr] = true
		fmt.Fprintf(b, "[registry.%q]\n", r.Addr)
		if r.opt.TLS == nil {
			fmt.Fprintf(b, "http = true\n")
			continue
		}
		file := d.certFile(fmt.Sprintf("registry%d.pem", i))
		if err := os.WriteFile(file, r.opt.TLS.PEM, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(b, "ca = [%q]\n", file)
	}
	return nil
}

func (d *Daemon) tlsConfig(b *strings.Builder) error {
	if d.opt.TLS == nil {
		return nil
	}
	if err := os.WriteFile(d.certFile("ca.pem"), d.opt.TLS.PEM, 0o644); err != nil {
		return err
	}
	if err := d.opt.TLS.WriteCertificate(d.certFile("client.pem"), d.certFile("client.key"), "client"); err != nil {
		return err
	}
	if err := d.opt.TLS.WriteCertificate(d.certFile("server.pem"), d.certFile("server.key"), "127.0.0.1", "localhost"); err != nil {
		return err
	}
	fmt.Fprintf(b, "[grpc.tls]\ncert = %q\nkey = %q\nca = %q\n",
		d.certFile("server.pem"), d.certFile("server.key"), d.certFile("ca.pem"))
	return nil
}

func quoted(list []string) string {
	q := make([]string, len(list))
	for i, s := range list {
		q[i] = fmt.Sprintf("%q", s)
	}
	return strings.Join(q, ", ")
}
