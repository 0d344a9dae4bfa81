package daemon

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// ownConfig is the buildkitd.toml of the local default (schema: buildkit cmd/buildkitd/config). total is
// the size of its file system in bytes. Only LLB gets in: both frontends are off.
//
// The cache may take 40 % of the disk but 20 GB to 100 GB, so that a CUDA build (some 15 GB with downloads
// and compressed layers) survives until the next one, and leaves 10 % (at most 20 GB) of the disk free.
//
// Steps with network get one of their own where CNI is configured (/etc/buildkit/cni.json), else the host's.
//
// A push asks the registry for each of the many layers: with BuildKit's 4 requests at a time that takes 60 layers 15 round trips.
func ownConfig(total int64, noProcessSandbox bool) string {
	used := min(max(total/10*4, 20e9), 100e9)
	free := min(total/10, 20e9)
	return fmt.Sprintf(`[frontend."gateway.v0"]
enabled = false

[frontend."dockerfile.v0"]
enabled = false

[system]
maxRegistryConcurrency = 16

[worker.containerd]
enabled = false

[worker.oci]
enabled = true
snapshotter = "auto"
networkMode = "auto"
noProcessSandbox = %t
gc = true

[[worker.oci.gcpolicy]]
filters = ["type==source.local", "type==source.git.checkout", "type==exec.cachemount"]
keepDuration = "168h"
maxUsedSpace = %d

[[worker.oci.gcpolicy]]
keepDuration = "1440h"
maxUsedSpace = %[3]d
minFreeSpace = %[4]d
reservedSpace = %[5]d

[[worker.oci.gcpolicy]]
maxUsedSpace = %[3]d
minFreeSpace = %[4]d
reservedSpace = %[5]d

[[worker.oci.gcpolicy]]
all = true
maxUsedSpace = %[3]d
minFreeSpace = %[4]d
reservedSpace = %[5]d
`, noProcessSandbox, used/5, used, free, used/10)
}

// mergeConfig lays extra over own, table by table.
func mergeConfig(own, extra string) (string, error) {
	if strings.TrimSpace(extra) == "" {
		return own, nil
	}
	var base, over map[string]any
	if err := toml.Unmarshal([]byte(own), &base); err != nil {
		return "", err
	}
	if err := toml.Unmarshal([]byte(extra), &over); err != nil {
		return "", fault.New(fault.Embedded, "the extra configuration of the local daemon is not valid TOML: %w", err)
	}
	mergeTables(base, over)
	out, err := toml.Marshal(base)
	return string(out), err
}

func mergeTables(base, over map[string]any) {
	for key, value := range over { // each key once, so the order does not matter
		below, isTable := value.(map[string]any)
		old, wasTable := base[key].(map[string]any)
		if isTable && wasTable {
			mergeTables(old, below)
			continue
		}
		base[key] = value
	}
}

// proxyVars are the variables of the user that the daemon gets too.
var proxyVars = []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"}

// environment is what the started daemon sees. Secrets of a step with a user lie in TMPDIR while it runs, so that is nobody else's. USER and XDG_RUNTIME_DIR make runc keep its state out of
// /run, which a rootless daemon cannot write (runc shouldHonorXDGRuntimeDir).
func (o Options) environment() []string {
	env := []string{"HOME=" + o.StateDir, "PATH=" + strings.Join(o.machine().toolDirs(), ":"), "TMPDIR=" + o.state().temporary()}
	if o.UID != 0 {
		env = append(env, "USER="+o.machine().userName(), "XDG_RUNTIME_DIR="+o.state().runtimeDir())
	}
	if o.SSLCertFile != "" {
		env = append(env, "SSL_CERT_FILE="+o.SSLCertFile)
	}
	for _, kv := range o.Env {
		name, _, _ := strings.Cut(kv, "=")
		if slices.Contains(proxyVars, strings.ToUpper(name)) {
			env = append(env, kv)
		}
	}
	slices.Sort(env)
	return slices.Compact(env)
}

func (m machine) userName() string {
	if m.user != "" {
		return m.user
	}
	if u, err := user.LookupId(strconv.Itoa(m.uid)); err == nil {
		return u.Username
	}
	return strconv.Itoa(m.uid)
}

// toolDirs is the user's PATH and the directories of system tools: Debian has runc in /usr/sbin, which
// an ordinary user's PATH lacks.
func (m machine) toolDirs() []string {
	var dirs []string
	for _, dir := range append(filepath.SplitList(m.path), "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin") {
		if filepath.IsAbs(dir) && !slices.Contains(dirs, m.sysroot+dir) {
			dirs = append(dirs, m.sysroot+dir)
		}
	}
	return dirs
}

// settings identifies what a daemon was started with, to notice that a later run wants something else.
// PATH differs between shells without meaning anything here.
func settings(config string, env []string) string {
	h := sha256.New()
	_, _ = fmt.Fprintln(h, config)
	for _, kv := range env {
		if !strings.HasPrefix(kv, "PATH=") {
			_, _ = fmt.Fprintln(h, kv)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
