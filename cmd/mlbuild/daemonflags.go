package main

import (
	"cmp"
	"context"
	"path/filepath"
	"runtime/debug"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/builder/daemon"
	"github.com/mlbuild/mlbuild/builder/limits"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// daemonFlags say which buildkitd to use. Their names are buildctl's.
type daemonFlags struct {
	addr     string
	tls      daemon.TLS
	allowOld bool
	noStart  bool
	plainTCP bool
	logins   []string
	config   string
	read     []byte // what config names, once it was read
	ca       string
}

func (d *daemonFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&d.addr, "addr", "", "buildkitd `address`: unix://, tcp://, ssh://, docker-container://, kube-pod:// (default $BUILDKIT_HOST, else what is found)")
	f.StringVar(&d.tls.CACert, "tlscacert", "", "CA certificate `file` to verify the daemon with (default $BUILDKIT_TLS_CACERT)")
	f.StringVar(&d.tls.Cert, "tlscert", "", "client certificate `file` (default $BUILDKIT_TLS_CERT)")
	f.StringVar(&d.tls.Key, "tlskey", "", "client key `file` (default $BUILDKIT_TLS_KEY)")
	f.StringVar(&d.tls.ServerName, "tlsservername", "", "`name` in the daemon's certificate, if it is not the address's host (default $BUILDKIT_TLS_SERVER_NAME)")
	f.StringVar(&d.tls.Dir, "tlsdir", "", "`directory` with ca.pem, cert.pem and key.pem, or ca.crt, tls.crt and tls.key (default $BUILDKIT_TLS_DIR)")
	f.BoolVar(&d.allowOld, "allow-old-daemon", false, "use a daemon older than "+daemon.MinVersion)
	f.BoolVar(&d.plainTCP, "allow-plain-tcp", false, "talk to a tcp:// daemon without TLS: whoever is on the way reads secrets and may change the build (default $MLBUILD_ALLOW_PLAIN_TCP)")
	f.StringSliceVar(&d.logins, "registry-login", nil, "`host` of a mirror in the daemon's configuration that may have its credentials of the docker config, may be repeated")
	f.BoolVar(&d.noStart, "no-start", false, "never start the local daemon")
	d.addLocal(cmd)
	f.StringVar(&d.ca, "ca-cert", "", "PEM `file` of a company's CA for downloads and registries (default $SSL_CERT_FILE)")
}

// addLocal adds the flags of the local default alone.
func (d *daemonFlags) addLocal(cmd *cobra.Command) {
	cmd.Flags().StringVar(&d.config, "daemon-config", "", "`file` with more buildkitd.toml settings for the local daemon (default $MLBUILD_DAEMON_CONFIG)")
}

// options fills what package daemon needs to know of the process.
func (d *daemonFlags) options(ctx context.Context, e *env) (daemon.Options, error) {
	o := daemon.Options{
		Addr: d.addr, BuildkitHost: e.get("BUILDKIT_HOST"), TLS: d.tls, AllowOld: d.allowOld, AllowPlainTCP: d.plainTCP, NoStart: d.noStart,
		XDGRuntimeDir: e.get("XDG_RUNTIME_DIR"), DockerHost: e.get("DOCKER_HOST"),
		Binary: e.get("MLBUILD_BUILDKITD"), Version: buildkitVersion(), Executable: e.executable, Path: e.get("PATH"),
		UID: e.uid, User: e.get("USER", "LOGNAME"), Home: e.home(), SSLCertFile: e.get("SSL_CERT_FILE"),
		Env: e.environ, Log: e.note,
	}
	if d.ca != "" {
		o.SSLCertFile = d.ca
	}
	if d.tls == (daemon.TLS{}) {
		o.TLS = daemon.TLS{
			CACert: e.get("BUILDKIT_TLS_CACERT"), Cert: e.get("BUILDKIT_TLS_CERT"), Key: e.get("BUILDKIT_TLS_KEY"),
			ServerName: e.get("BUILDKIT_TLS_SERVER_NAME"), Dir: e.get("BUILDKIT_TLS_DIR"),
		}
	}
	if text := e.get("MLBUILD_ALLOW_PLAIN_TCP"); text != "" && !d.plainTCP {
		yes, err := strconv.ParseBool(text)
		if err != nil {
			return o, fault.New(fault.Usage, "MLBUILD_ALLOW_PLAIN_TCP=%s is neither true nor false", text).Hint("MLBUILD_ALLOW_PLAIN_TCP=1")
		}
		o.AllowPlainTCP = yes
	}
	o.StateDir, o.RuntimeDir = stateDirs(e)
	text, err := d.settings(ctx, e)
	o.Config = text
	return o, err
}

// settings returns the user's own settings for the local daemon, "" if there are none. They are read once: the file may be a pipe. Errors: fault.Embedded.
func (d *daemonFlags) settings(ctx context.Context, e *env) (string, error) {
	path := cmp.Or(d.config, e.get("MLBUILD_DAEMON_CONFIG"))
	if path == "" || d.read != nil {
		return string(d.read), nil
	}
	text, err := limits.ReadFile(ctx, path, maxText)
	if err != nil {
		return "", fault.New(fault.Embedded, "cannot read the daemon's settings %s: %w", path, pathCause(err))
	}
	d.read = text
	return string(text), nil
}

// stateDirs returns the directories of the local daemon; MLBUILD_STATE_DIR holds everything in one.
func stateDirs(e *env) (state, runtime string) {
	if dir := e.get("MLBUILD_STATE_DIR"); dir != "" {
		if abs, err := filepath.Abs(dir); err == nil {
			dir = abs
		}
		return dir, ""
	}
	return daemon.Dirs(e.uid, e.home(), e.get("XDG_DATA_HOME"), e.get("XDG_RUNTIME_DIR"))
}

// clientState returns the directory in which this client keeps what it knows of projects from run to run, "" where there is no place for it.
func clientState(e *env) string {
	dir, _ := stateDirs(e)
	if !filepath.IsAbs(dir) {
		return ""
	}
	return filepath.Join(dir, "client")
}

// find returns a proved daemon.
func (d *daemonFlags) find(ctx context.Context, e *env) (*daemon.Daemon, error) {
	o, err := d.options(ctx, e)
	if err != nil {
		return nil, err
	}
	return daemon.Find(ctx, o)
}

// caBundle reads the CA of --ca-cert or SSL_CERT_FILE, nil if there is none. A broken SSL_CERT_FILE is passed over with a note, as other
// programs do.
func (d *daemonFlags) caBundle(ctx context.Context, e *env) ([]byte, error) {
	if d.ca != "" {
		return readCA(ctx, d.ca)
	}
	path := e.get("SSL_CERT_FILE")
	if path == "" {
		return nil, nil
	}
	data, err := readCA(ctx, path)
	if err != nil {
		e.note("SSL_CERT_FILE is not used: %s", fault.All(err)[0].Message)
		return nil, nil
	}
	return data, nil
}

// maxText bounds what is read of a file that a flag names, in bytes.
const maxText = 16 << 20

// proxy reads the proxy variables, of which programs know both spellings.
func (e *env) proxy() ops.Proxy {
	return ops.Proxy{
		HTTP: e.get("HTTP_PROXY", "http_proxy"), HTTPS: e.get("HTTPS_PROXY", "https_proxy"), FTP: e.get("FTP_PROXY", "ftp_proxy"),
		No: e.get("NO_PROXY", "no_proxy"), All: e.get("ALL_PROXY", "all_proxy"),
	}
}

// buildkitVersion is the BuildKit that this program was built with, "" if the build does not tell.
func buildkitVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == "github.com/moby/buildkit" {
			return m.Version
		}
	}
	return ""
}
