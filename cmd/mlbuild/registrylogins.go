package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"
	"github.com/docker/cli/cli/config/types"
	"github.com/moby/buildkit/session/auth/authprovider"
	"github.com/pelletier/go-toml/v2"

	"github.com/mlbuild/mlbuild/builder/limits"
	"github.com/mlbuild/mlbuild/builder/login"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// registryAuth reads the docker configuration, and podman's file of logins for what that does not have; $REGISTRY_AUTH_FILE comes before both. A missing one gives no
// credentials.
func registryAuth(ctx context.Context, e *env) (authprovider.AuthConfigProvider, error) {
	docker, err := dockerLogins(ctx, e)
	if err != nil {
		return nil, err
	}
	path, named := podmanLogins(e)
	podman, err := readLogins(ctx, path)
	switch {
	case err == nil && named:
		return firstLogin(podman, docker), nil
	case err == nil:
		return firstLogin(docker, podman), nil
	case named || !isAbsent(err):
		return nil, fault.New(fault.Auth, "podman's logins in %s cannot be read: %w", path, pathCause(err)).Hint("mend it with podman login, or name another file with REGISTRY_AUTH_FILE")
	}
	return firstLogin(docker), nil
}

// dockerLogins reads the docker configuration, an empty one where there is none.
func dockerLogins(ctx context.Context, e *env) (*configfile.ConfigFile, error) {
	dir := e.get("DOCKER_CONFIG")
	if dir == "" {
		dir = e.inHome(".docker")
	}
	path := filepath.Join(dir, config.ConfigFileName)
	if dir == "" {
		return configfile.New(path), nil // nobody's: not that of the working directory
	}
	file, err := readLogins(ctx, path)
	if err != nil && !isAbsent(err) {
		return nil, fault.New(fault.Auth, "the docker configuration cannot be read: %w", err).Hint("mend %s, or name another directory with DOCKER_CONFIG", path)
	}
	return file, nil
}

func isAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// firstLogin takes a registry's credentials from the first file that has some.
func firstLogin(files ...*configfile.ConfigFile) authprovider.AuthConfigProvider {
	all := make([]authprovider.AuthConfigProvider, len(files))
	for i, f := range files {
		all[i] = login.Provider(f)
	}
	return func(ctx context.Context, host string, scope []string, check authprovider.ExpireCachedAuthCheck) (found types.AuthConfig, err error) {
		for _, from := range all {
			if found, err = from(ctx, host, scope, check); err != nil || hasLogin(found) {
				return found, err
			}
		}
		return found, nil
	}
}

func hasLogin(c types.AuthConfig) bool {
	return c.Username != "" || c.Password != "" || c.IdentityToken != "" || c.RegistryToken != ""
}

// podmanLogins returns the file of logins that podman, buildah and skopeo share (containers-auth.json(5)), and whether the user named it.
func podmanLogins(e *env) (path string, named bool) {
	if path := e.get("REGISTRY_AUTH_FILE"); path != "" {
		return path, true
	}
	if dir := e.get("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "containers", "auth.json"), false
	}
	if home := e.home(); home != "" {
		return filepath.Join(cmp.Or(e.get("XDG_CONFIG_HOME"), filepath.Join(home, ".config")), "containers", "auth.json"), false
	}
	return "", false
}

// readLogins reads a file of logins, docker's or podman's, which have one form. Where it cannot be read, it is empty.
func readLogins(ctx context.Context, path string) (*configfile.ConfigFile, error) {
	file := configfile.New(path)
	data, err := limits.ReadFile(ctx, path, maxText)
	if err != nil {
		return file, err
	}
	return file, file.LoadFromReader(bytes.NewReader(data))
}

// mirrors lists the registries that may have their credentials though no image names them: those of --registry-login, and the mirrors that the user's own settings for
// the local daemon name. What a daemon says of its mirrors counts for nothing.
func (d *daemonFlags) mirrors(ctx context.Context, e *env) ([]string, error) {
	all := slices.Clone(d.logins)
	for _, host := range all {
		if strings.ContainsAny(host, "/@ ") || host == "" {
			return nil, fault.New(fault.Usage, "--registry-login %q is no host", host).Hint("for example --registry-login harbor.example.com:8443")
		}
	}
	text, err := d.settings(ctx, e)
	if err != nil {
		return all, nil //nolint:nilerr // said where the daemon is started
	}
	var settings struct {
		Registry map[string]struct {
			Mirrors []string `toml:"mirrors"`
		} `toml:"registry"`
	}
	if toml.Unmarshal([]byte(text), &settings) != nil {
		return all, nil // the daemon says what is wrong with it
	}
	for _, name := range sortedKeys(settings.Registry) {
		for _, mirror := range settings.Registry[name].Mirrors {
			host, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(mirror, "https://"), "http://"), "/")
			all = append(all, host)
		}
	}
	return all, nil
}
