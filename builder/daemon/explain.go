package daemon

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// explainPreflight turns an error of preflight into the fault that names its cause.
func explainPreflight(a address, t TLS, err error) *fault.Fault {
	if dial, ok := errors.AsType[*dialError](err); ok {
		return explainDial(a, dial.error)
	}
	if handshake, ok := errors.AsType[*tlsError](err); ok {
		return explainTLS(a, t, handshake.error)
	}
	if stranger, ok := errors.AsType[*strangerError](err); ok {
		if stranger.wantsTLS() {
			return fault.New(fault.TLS, "the daemon at %s wants TLS, and no certificate is given", a.text).
				Hint("give --tlscacert, --tlscert and --tlskey")
		}
		return notBuildkitd(a.text, stranger.Error())
	}
	if closedByPeer(err) {
		if a.network == "tcp" && !t.given() {
			return notBuildkitd(a.text, "it closes the connection without an answer").
				Hint("if the daemon expects TLS, give --tlscacert, --tlscert and --tlskey")
		}
		return unreachable(a, "it closes the connection without an answer", err)
	}
	if timeout(err) || errors.Is(err, context.DeadlineExceeded) {
		return unreachable(a, "it accepts the connection and does not answer for 10 s", err)
	}
	return unreachable(a, err.Error(), err)
}

func closedByPeer(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func explainDial(a address, err error) *fault.Fault {
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return unreachable(a, "the name "+dns.Name+" does not resolve", err).Hint("check the host name and the DNS of this machine")
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return unreachable(a, "connection refused: nothing listens there", err).Hint("check host and port, and that buildkitd runs")
	case errors.Is(err, fs.ErrNotExist):
		f := unreachable(a, "there is no such socket", err)
		f.Retry = false
		return f.Hint("check the path, and that buildkitd runs")
	case errors.Is(err, fs.ErrPermission):
		f := unreachable(a, "permission denied", err)
		f.Retry = false
		return f.Hint("use an account that may open %s, or start buildkitd with --group", a.target)
	case timeout(err):
		return unreachable(a, "no answer within 10 s", err).Hint("check host and port, and the firewall between")
	}
	return unreachable(a, err.Error(), err)
}

func unreachable(a address, why string, err error) *fault.Fault {
	f := fault.New(fault.Daemon, "cannot reach the daemon at %s: %s", a.text, why).Retryable()
	f.Err = err
	return f
}

func notBuildkitd(addr, why string) *fault.Fault {
	return fault.New(fault.DaemonVersion, "there is no buildkitd at %s: %s", addr, why).
		Hint("check the port; found: no buildkitd, needed: buildkitd %s or newer", MinVersion)
}

// explainTLS says in words why a handshake failed. What the server refuses arrives only as an alert text.
func explainTLS(a address, t TLS, err error) *fault.Fault {
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return tlsFault(a, err, "the daemon speaks no TLS on this port").Hint("start buildkitd with --tlscert, --tlskey and --tlscacert").
			Hint("or leave the certificates out, and on a network that nobody else is on say --allow-plain-tcp")
	}
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		issuer := "an unknown CA"
		if unknown.Cert != nil {
			issuer = unknown.Cert.Issuer.String()
		}
		return tlsFault(a, err, "its certificate is signed by "+issuer+", which the CA file does not hold").
			Hint("give the daemon's CA with --tlscacert")
	}
	if host, ok := errors.AsType[x509.HostnameError](err); ok {
		return tlsFault(a, err, "its certificate is for "+names(host.Certificate)+", not for "+host.Host).
			Hint("use one of these names in the address, or --tlsservername")
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return tlsFault(a, err, "its certificate is out of date (valid "+day(invalid.Cert.NotBefore)+" to "+day(invalid.Cert.NotAfter)+")").
			Hint("renew the daemon's certificate, and check this machine's clock")
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return explainAlert(a, t, op)
	}
	if closedByPeer(err) {
		return tlsFault(a, err, "it closes the connection during the handshake")
	}
	if timeout(err) || errors.Is(err, context.DeadlineExceeded) {
		return unreachable(a, "it accepts the connection and does not answer the TLS handshake within 10 s", err)
	}
	return tlsFault(a, err, err.Error())
}

// explainAlert reads what the server thinks of the client's certificate (alerts of RFC 8446, section 6.2).
func explainAlert(a address, t TLS, err *net.OpError) *fault.Fault {
	text := err.Err.Error()
	switch {
	case t.Cert == "" && (strings.Contains(text, "certificate required") || strings.Contains(text, "bad certificate")):
		return tlsFault(a, err, "it requires a client certificate").Hint("give --tlscert and --tlskey")
	case strings.Contains(text, "unknown certificate authority"), strings.Contains(text, "bad certificate"),
		strings.Contains(text, "certificate required"): // Go sends no certificate that the server's CA list excludes
		return tlsFault(a, err, "it does not accept the client certificate "+t.Cert+": it was signed by a CA that the daemon does not know").
			Hint("use a certificate signed by the CA of the daemon's --tlscacert")
	case strings.Contains(text, "expired certificate"):
		return tlsFault(a, err, "it finds the client certificate "+t.Cert+" expired").Hint("renew it, and check both clocks")
	}
	return tlsFault(a, err, "it refuses the connection ("+text+")")
}

func tlsFault(a address, err error, why string) *fault.Fault {
	f := fault.New(fault.TLS, "TLS with the daemon at %s fails: %s", a.text, why)
	f.Err = err
	return f
}

func names(cert *x509.Certificate) string {
	all := append([]string(nil), cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return "no host name"
	}
	return strings.Join(all, ", ")
}
