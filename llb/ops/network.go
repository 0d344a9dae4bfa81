package ops

import (
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
)

// CAPath is where a network step finds the corporate CA bundle. It is a mount: nothing of it stays in the image.
const CAPath = "/run/mlbuild/ca.crt"

// Variables through which common tools learn of a CA bundle.
var (
	PythonCA = []string{"CURL_CA_BUNDLE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"}
	AptCA    = []string{"SSL_CERT_FILE"}
	// ToolsCA are PythonCA and those of what a project's own commands and builds of packages run: AWS's, Google's and gRPC's programs, cargo, Deno, git, Nix, Node, Yarn.
	ToolsCA = append([]string{
		"AWS_CA_BUNDLE", "CARGO_HTTP_CAINFO", "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", "DENO_CERT", "GIT_SSL_CAINFO", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "HTTPLIB2_CA_CERTS", "NIX_SSL_CERT_FILE",
		"NODE_EXTRA_CA_CERTS", "YARN_HTTPS_CA_FILE_PATH",
	}, PythonCA...)
)

// Options gives a step the network's needs: the CA by a secret mount, named in the variables, and the proxy.
func (n Network) Options(caVariables []string) []bkllb.RunOption {
	var opts []bkllb.RunOption
	if n.CA {
		opts = append(opts, bkllb.AddSecret(CAPath, bkllb.SecretID(CASecret), bkllb.SecretFileOpt(0, 0, 0o444)))
		for _, v := range caVariables {
			opts = append(opts, bkllb.AddEnv(v, CAPath))
		}
	}
	for _, name := range strings.Fields(n.Proxy.Secret) {
		for _, v := range []string{name, strings.ToLower(name)} {
			opts = append(opts, bkllb.AddSecretWithDest(ProxySecret(name), nil, bkllb.SecretAsEnvName(v)))
		}
	}
	public := n.Proxy
	if public.Secret = ""; public != (Proxy{}) {
		opts = append(opts, bkllb.WithProxy(bkllb.ProxyEnv{
			HTTPProxy: public.HTTP, HTTPSProxy: public.HTTPS, FTPProxy: public.FTP, NoProxy: public.No, AllProxy: public.All,
		}))
	}
	return opts
}

// ProxySecret is the id of the secret that holds a proxy variable with a password.
func ProxySecret(variable string) string { return "mlbuild-proxy-" + strings.ToLower(variable) }

// WithoutPasswords parts the proxies with a user or a password, which have to come as secrets by the names of their variables, from the others.
func (p Proxy) WithoutPasswords() (public Proxy, secret map[string]string) {
	secret = map[string]string{}
	for _, v := range []struct {
		name  string
		value *string
	}{{"HTTP_PROXY", &p.HTTP}, {"HTTPS_PROXY", &p.HTTPS}, {"FTP_PROXY", &p.FTP}, {"ALL_PROXY", &p.All}} {
		if strings.Contains(*v.value, "@") { // user:password@host, with or without a scheme
			secret[v.name] = *v.value
			p.Secret = strings.TrimSpace(p.Secret + " " + v.name)
			*v.value = ""
		}
	}
	return p, secret
}
