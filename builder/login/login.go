// Package login finds the credentials of registries: a docker configuration comes in, what BuildKit's session and the client ask for a host's login goes out. Credential helpers
// are run here and nowhere else.
package login

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/docker/cli/cli/config/configfile"
	"github.com/docker/cli/cli/config/types"
	"github.com/moby/buildkit/session/auth/authprovider"

	"github.com/mlbuild/mlbuild/builder/limits"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Provider returns what finds the registries' credentials in a docker configuration. A credential helper is run once for each host, for no longer than limits.Helper; one that
// is missing, fails or answers with nonsense is a fault.Auth that names it.
func Provider(file *configfile.ConfigFile) authprovider.AuthConfigProvider {
	l := &logins{file: file, limit: limits.Helper, known: map[string]*login{}}
	return l.get
}

type logins struct {
	file  *configfile.ConfigFile
	limit time.Duration
	mu    sync.Mutex
	known map[string]*login // by host
}

// login is what was found for a host. done is closed when it is.
type login struct {
	done   chan struct{}
	found  time.Time
	config types.AuthConfig
	err    error
}

// get implements authprovider.AuthConfigProvider.
func (l *logins) get(ctx context.Context, host string, _ []string, expired authprovider.ExpireCachedAuthCheck) (types.AuthConfig, error) {
	key := host
	if host == authprovider.DockerHubRegistryHost || host == "docker.io" || host == "index.docker.io" {
		key = authprovider.DockerHubConfigfileKey
	}
	entry := l.entry(key, host, expired)
	select {
	case <-entry.done:
		return entry.config, entry.err
	case <-ctx.Done():
		return types.AuthConfig{}, context.Cause(ctx)
	}
}

// entry returns the login of a host, and begins to look for it where that has not been done. It outlives whoever asks: others wait for it too.
func (l *logins) entry(key, host string, expired authprovider.ExpireCachedAuthCheck) *login {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.known[key]; e != nil && !e.old(host, expired) {
		return e
	}
	e := &login{done: make(chan struct{})}
	l.known[key] = e
	go func() {
		defer close(e.done)
		e.config, e.err = l.find(key, host)
		e.found = time.Now()
	}()
	return e
}

func (e *login) old(host string, expired authprovider.ExpireCachedAuthCheck) bool {
	select {
	case <-e.done:
		return e.err == nil && expired != nil && expired(e.found, host)
	default:
		return false
	}
}

// find asks the configuration file, and the helper that it names for the host.
func (l *logins) find(key, host string) (types.AuthConfig, error) {
	helper, of := l.file.CredentialHelpers[key]
	if !of {
		helper = l.file.CredentialsStore
	}
	plain := *l.file
	plain.CredentialsStore, plain.CredentialHelpers = "", nil
	if helper != "" {
		plain.AuthConfigs = nil
	}
	config, err := plain.GetAuthConfig(key) // DOCKER_AUTH_CONFIG comes before all
	if err != nil {
		return config, fault.New(fault.Auth, "the login for %s cannot be read: %w", host, err).Hint("docker login %s", host)
	}
	if helper == "" || config.Username != "" || config.IdentityToken != "" || config.RegistryToken != "" {
		return config, nil
	}
	program := "docker-credential-" + helper
	config, err = askHelper(program, key, l.limit)
	if err != nil {
		f := fault.New(fault.Auth, "the credential helper %s gave no login for %s: %w", program, host, err).
			Hint("try it: echo %s | %s get", key, program).Hint("or take it out of %s and log in anew: docker login %s", l.file.Filename, host)
		if limits.IsTimedOut(err) {
			f.Retryable()
		}
		return types.AuthConfig{}, f
	}
	return config, nil
}

// noLogin is what a helper says that has no login for a host (docker-credential-helpers, credentials/error.go).
const noLogin = "credentials not found in native keychain"

// tokenUser stands for the user where the secret is an identity token.
const tokenUser = "<token>"

// maxHelperAnswer bounds what is read of a helper, in bytes.
const maxHelperAnswer = 1 << 20

// askHelper runs a helper (https://github.com/docker/docker-credential-helpers, "get"). What it printed is in an error only where it exited with one, or names no secret.
func askHelper(program, server string, limit time.Duration) (types.AuthConfig, error) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), limit, &limits.TimedOutError{What: program, For: limit})
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "get")
	cmd.WaitDelay = 100 * time.Millisecond // a program that it left behind may hold its output
	cmd.Stdin = strings.NewReader(server)
	out, errOut := capped{max: maxHelperAnswer}, capped{max: maxHelperAnswer}
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	switch said := strings.TrimSpace(out.String()); {
	case ctx.Err() != nil:
		return types.AuthConfig{}, context.Cause(ctx)
	case err != nil && said == noLogin:
		return types.AuthConfig{}, nil
	case errors.Is(err, exec.ErrWaitDelay):
	case err != nil:
		return types.AuthConfig{}, fmt.Errorf("%w%s", err, words(said, errOut.String()))
	}
	var answer struct{ Username, Secret string }
	if err := json.Unmarshal(out.Bytes(), &answer); err != nil {
		return types.AuthConfig{}, fmt.Errorf("its answer is not JSON%s", firstWords(out.String()))
	}
	config := types.AuthConfig{ServerAddress: server, Username: answer.Username, Password: answer.Secret}
	if answer.Username == tokenUser {
		config = types.AuthConfig{ServerAddress: server, IdentityToken: answer.Secret}
	}
	return config, nil
}

// words joins what a program said.
func words(texts ...string) string {
	all := ""
	for _, t := range texts {
		if t = strings.TrimSpace(t); t != "" {
			all += ": " + t
		}
	}
	return all
}

// firstWords returns the first line of an answer that is no JSON, if it cannot hold a secret.
func firstWords(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if strings.ContainsAny(line, `{"`) {
		return ""
	}
	return words(line[:min(200, len(line))])
}

// capped is a buffer that takes up to max bytes and drops what comes after.
type capped struct {
	bytes.Buffer
	max int
}

// Write implements io.Writer.
func (c *capped) Write(p []byte) (int, error) {
	_, _ = c.Buffer.Write(p[:min(len(p), c.max-c.Len())])
	return len(p), nil
}
