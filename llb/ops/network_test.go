package ops

import (
	"context"
	"strings"
	"testing"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
)

// TestProxyPasswordsAreSecrets: a definition, which the daemon keeps in its records, holds no proxy with a password; the step gets it by both spellings of the variable.
func TestProxyPasswordsAreSecrets(t *testing.T) {
	public, secret := Proxy{HTTP: "http://user:hunter2@proxy:3128", HTTPS: "http://proxy:3128", FTP: "user:hunter2@proxy", No: "a@b", All: "socks5://user:hunter2@proxy"}.WithoutPasswords()
	if want := (Proxy{HTTPS: "http://proxy:3128", No: "a@b", Secret: "HTTP_PROXY FTP_PROXY ALL_PROXY"}); public != want || len(secret) != 3 || secret["HTTP_PROXY"] != "http://user:hunter2@proxy:3128" {
		t.Errorf("%+v, %q", public, secret)
	}
	s := bkllb.Scratch().Run(append(Network{Proxy: public}.Options(nil), bkllb.Args([]string{"true"}))...).Root()
	def, err := s.Marshal(context.Background(), bkllb.LinuxAmd64)
	if err != nil {
		t.Fatal(err)
	}
	var env []string
	for _, data := range def.Def {
		if strings.Contains(string(data), "hunter2") {
			t.Error("the definition holds the password")
		}
		var op pb.Op
		if err := op.UnmarshalVT(data); err != nil {
			t.Fatal(err)
		}
		if e := op.GetExec(); e != nil {
			for _, s := range e.Secretenv {
				env = append(env, s.Name+"="+s.ID)
			}
			if e.Meta.ProxyEnv.GetHttpsProxy() != "http://proxy:3128" || e.Meta.ProxyEnv.GetHttpProxy() != "" {
				t.Errorf("%v", e.Meta.ProxyEnv)
			}
		}
	}
	want := "HTTP_PROXY=mlbuild-proxy-http_proxy http_proxy=mlbuild-proxy-http_proxy FTP_PROXY=mlbuild-proxy-ftp_proxy ftp_proxy=mlbuild-proxy-ftp_proxy ALL_PROXY=mlbuild-proxy-all_proxy all_proxy=mlbuild-proxy-all_proxy"
	if got := strings.Join(env, " "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestNoProxyNoOption: without a proxy a step is as it always was.
func TestNoProxyNoOption(t *testing.T) {
	if opts := (Network{}).Options(PythonCA); len(opts) != 0 {
		t.Errorf("%d options", len(opts))
	}
}
