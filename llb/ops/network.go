package ops

import (
	bkllb "github.com/moby/buildkit/client/llb"
)

// CAPath is where a network step finds the corporate CA bundle. It is a mount: nothing of it stays in the image.
const CAPath = "/run/mlbuild/ca.crt"

// Variables through which common tools learn of a CA bundle.
var (
	PythonCA = []string{"CURL_CA_BUNDLE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"}
	AptCA    = []string{"SSL_CERT_FILE"}
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
	if n.Proxy != (Proxy{}) {
		opts = append(opts, bkllb.WithProxy(bkllb.ProxyEnv{
			HTTPProxy: n.Proxy.HTTP, HTTPSProxy: n.Proxy.HTTPS, FTPProxy: n.Proxy.FTP, NoProxy: n.Proxy.No, AllProxy: n.Proxy.All,
		}))
	}
	return opts
}
