package daemon

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// exitCauses are texts in the log of a daemon that ended at once, with what they mean and what helps. The
// first that fits counts.
var exitCauses = []struct{ text, cause, fix string }{
	{"could not lock", "another buildkitd uses its state directory", "stop that one (see: fuser -v {root}/buildkitd.lock), or name another directory with MLBUILD_STATE_DIR"},
	{"read-only file system", "its state directory is read-only", "choose another place with MLBUILD_STATE_DIR or XDG_DATA_HOME"},
	{"failed to parse config", "the configuration is not understood", "check the extra configuration of the local daemon"},
	{"max_user_namespaces", "no more user namespaces may be made", "sudo sysctl -w user.max_user_namespaces=63359"},
	{"apparmor_restrict_unprivileged_userns", "AppArmor forbids user namespaces to rootlesskit", "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"},
	{"failed to setup uid/gid map", "its user namespace cannot be mapped", "check /etc/subuid, /etc/subgid and that newuidmap is setuid root: sudo apt-get install -y --reinstall uidmap"},
	{"operation not permitted", "the kernel or the container forbids it what it needs", "run the container with --privileged, or use a daemon outside it with --addr"},
	{"no worker found", "runc does not work here", "sudo apt-get install -y runc"},
	{"no space left on device", "the disk is full", "free some space in {root}"},
}

// explainExit says from the log why the daemon ended at once.
func (s state) explainExit() error {
	lines := logMessages(s.logPath())
	text := strings.ToLower(strings.Join(lines, "\n"))
	for _, c := range exitCauses {
		if strings.Contains(text, c.text) {
			fix := strings.ReplaceAll(c.fix, "{root}", filepath.Join(s.dir, "root"))
			return fault.New(fault.Embedded, "the local daemon does not start: %s", c.cause).
				Hint("%s", fix).Hint("its log: %s", s.logPath())
		}
	}
	return fault.New(fault.Embedded, "the local daemon does not start; its log ends with:\n%s",
		strings.Join(lines[max(0, len(lines)-10):], "\n")).Hint("its log: %s", s.logPath())
}

// logMessages returns the lines of a log without Go's stack traces: each frame there is a function's name and
// an indented place.
func logMessages(path string) []string {
	data, err := os.ReadFile(path)
	if err != nil {
		return []string{err.Error()}
	}
	var lines []string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "\t") {
			lines = lines[:max(0, len(lines)-1)]
			continue
		}
		lines = append(lines, line)
	}
	return lines
}
