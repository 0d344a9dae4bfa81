package daemon

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// composeTimeout bounds `docker inspect`; a docker that hangs must not stop mlbuild.
const composeTimeout = 3 * time.Second

// composeRunning returns nil if docker runs the container of docker-compose.yml, else why not.
func (o Options) composeRunning(ctx context.Context) error {
	docker := lookIn(filepath.SplitList(o.Path), "docker")
	if docker == "" {
		return errors.New("docker is not installed")
	}
	if !o.dockerListens(ctx) {
		return errors.New("docker is not running")
	}
	ctx, cancel := context.WithTimeout(ctx, composeTimeout)
	defer cancel()
	var out, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, docker, "inspect", "--type=container", "--format={{.State.Running}}", ComposeContainer)
	cmd.Stdout, cmd.Stderr = &out, &stderr
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return errors.New("docker does not answer within 3 s")
	case strings.Contains(strings.ToLower(stderr.String()), "no such"):
		return errors.New("no such container")
	case err != nil:
		return errors.New(lastLine(stderr.String()))
	case strings.TrimSpace(out.String()) != "true":
		return errors.New("the container is stopped")
	}
	return nil
}

// dockerListens is a quick look at docker's usual sockets, because running docker to learn that its daemon
// is down takes longer than a whole build without changes. Elsewhere than on Linux docker decides itself.
func (o Options) dockerListens(ctx context.Context) bool {
	if o.DockerHost != "" || runtime.GOOS != "linux" {
		return true
	}
	sockets := []string{"/var/run/docker.sock", filepath.Join(o.Home, ".docker", "run", "docker.sock"),
		filepath.Join(o.Home, ".docker", "desktop", "docker.sock")}
	if o.XDGRuntimeDir != "" {
		sockets = append(sockets, filepath.Join(o.XDGRuntimeDir, "docker.sock"))
	}
	for _, path := range sockets {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "unix", path)
		if err == nil {
			_ = conn.Close()
			return true
		}
	}
	return false
}

// lookIn finds an executable file in absolute directories, "" if there is none.
func lookIn(dirs []string, name string) string {
	for _, dir := range dirs {
		if !filepath.IsAbs(dir) {
			continue
		}
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}
