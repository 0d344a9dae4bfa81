package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// idsWanted is the size of the id range that images use (rootlesscontaine.rs recommends 65536).
const idsWanted = 65536

// machine is what is known of the computer, and of the user, that the local default runs for.
type machine struct {
	uid        int    // 0 = a rootful daemon
	user       string // "" = looked up by uid
	path       string // $PATH
	executable string // path of the running mlbuild
	daemon     string // path of the buildkitd to start; "" = beside executable, then in path
	dir        string // the local default's state
	sysroot    string // prefix of /proc and /etc in tests
}

func (o Options) machine() machine {
	return machine{uid: o.UID, user: o.User, path: o.Path, executable: o.Executable, daemon: o.Binary, dir: o.StateDir, sysroot: o.sysroot}
}

// Needs returns what the local default needs of this machine, with what was found of each.
func (o Options) Needs() []Need { return o.machine().needs() }

func (m machine) needs() []Need {
	needs := []Need{m.needBinary(), m.needTool("runc", "runc", "buildkit-runc", "runc"), needLocalFS(m.dir), m.needOverlay()}
	if m.uid == 0 {
		return append(needs, m.needCapability())
	}
	return append(needs,
		m.needTool("rootlesskit", "rootlesskit", "rootlesskit"),
		m.needTool("newuidmap", "uidmap", "newuidmap"),
		m.needTool("newgidmap", "uidmap", "newgidmap"),
		m.needIDs("/etc/subuid", "--add-subuids"),
		m.needIDs("/etc/subgid", "--add-subgids"),
		m.needUserNS(),
		m.needAppArmor(),
		m.needPrivs(),
		m.needProc(),
	)
}

func (m machine) needBinary() Need {
	n := Need{Name: "buildkitd", Detail: m.binary(), OK: m.binary() != ""}
	if !n.OK {
		n.Detail = "not found beside mlbuild nor in PATH"
		n.Fix = "put buildkitd beside mlbuild (`make build` does), or in PATH"
	}
	return n
}

// binary is the buildkitd to start, "" if there is none.
func (m machine) binary() string {
	if m.daemon != "" {
		return lookIn([]string{filepath.Dir(m.daemon)}, filepath.Base(m.daemon))
	}
	var dirs []string
	if m.executable != "" {
		dirs = append(dirs, filepath.Dir(m.executable))
	}
	return lookIn(append(dirs, m.toolDirs()...), "buildkitd")
}

// needTool looks for the first of several commands.
func (m machine) needTool(name, pkg string, commands ...string) Need {
	for _, command := range commands {
		if path := lookIn(m.toolDirs(), command); path != "" {
			return Need{Name: name, OK: true, Detail: path}
		}
	}
	return Need{Name: name, Detail: "not installed", Fix: m.sudo() + "apt-get install -y " + pkg}
}

func (m machine) sudo() string {
	if m.uid == 0 {
		return ""
	}
	return "sudo "
}

func needLocalFS(dir string) Need {
	n := Need{Name: "local file system", OK: true, Detail: dir}
	if fs := networkType(dir); fs != "" {
		n.OK, n.Detail = false, dir+" is on "+fs
		n.Fix = "choose a state directory on a local disk: MLBUILD_STATE_DIR or XDG_DATA_HOME"
	}
	return n
}

func (m machine) needOverlay() Need {
	n := Need{Name: "overlayfs", OK: true, Weak: true}
	if !slices.Contains(strings.Fields(m.read("/proc/filesystems")), "overlay") {
		n.OK, n.Detail = false, "the kernel does not list it: snapshots may become full copies, slow and large"
		n.Fix = m.sudo() + "modprobe overlay"
	} else if m.uid != 0 && !kernelAtLeast(m.read("/proc/sys/kernel/osrelease"), 5, 11) {
		n.OK, n.Detail = false, "the kernel is older than 5.11, which rootless overlayfs needs"
		n.Fix = m.sudo() + "apt-get install -y fuse-overlayfs"
	}
	return n
}

// needCapability: root in an unprivileged container cannot mount.
func (m machine) needCapability() Need {
	const sysAdmin = 21 // CAP_SYS_ADMIN, linux/capability.h
	n := Need{Name: "CAP_SYS_ADMIN", OK: true}
	bits, err := strconv.ParseUint(m.procStatus("CapEff"), 16, 64)
	if err == nil && bits&(1<<sysAdmin) == 0 {
		n.OK, n.Detail = false, "root without the right to mount, as in an unprivileged container"
		n.Fix = "run the container with --privileged, or use a daemon outside it with --addr"
	}
	return n
}

func (m machine) needIDs(file, flag string) Need {
	n := Need{Name: strings.TrimPrefix(file, "/etc/")}
	total := 0
	for line := range strings.Lines(m.read(file)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) == 3 && (fields[0] == m.userName() || fields[0] == strconv.Itoa(m.uid)) {
			count, _ := strconv.Atoi(fields[2])
			total += count
		}
	}
	n.OK, n.Detail = total >= idsWanted, fmt.Sprintf("%d ids for %s", total, m.userName())
	if !n.OK {
		n.Fix = fmt.Sprintf("sudo usermod %s 100000-165535 %s", flag, m.userName())
	}
	return n
}

func (m machine) needUserNS() Need {
	n := Need{Name: "user namespaces", OK: true}
	if m.read("/proc/sys/user/max_user_namespaces") == "0" {
		n.OK, n.Detail, n.Fix = false, "user.max_user_namespaces is 0", "sudo sysctl -w user.max_user_namespaces=63359"
	}
	if m.read("/proc/sys/kernel/unprivileged_userns_clone") == "0" {
		n.OK, n.Detail, n.Fix = false, "kernel.unprivileged_userns_clone is 0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"
	}
	return n
}

// needAppArmor: Ubuntu 24.04 lets only programs with a profile make user namespaces.
func (m machine) needAppArmor() Need {
	n := Need{Name: "AppArmor", OK: true}
	if m.read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") != "1" {
		return n
	}
	for _, profile := range []string{"rootlesskit", "usr.bin.rootlesskit"} {
		if _, err := os.Stat(m.sysroot + "/etc/apparmor.d/" + profile); err == nil {
			n.Detail = "profile " + profile
			return n
		}
	}
	n.OK, n.Detail = false, "it forbids user namespaces to rootlesskit"
	n.Fix = "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
	return n
}

func (m machine) needPrivs() Need {
	n := Need{Name: "setuid programs", OK: true}
	if m.procStatus("NoNewPrivs") == "1" {
		n.OK, n.Detail = false, "no_new_privs is set, so newuidmap gets no rights"
		n.Fix = "allow privilege escalation in the container's security context, or use a daemon outside it with --addr"
	}
	return n
}

// needProc: where parts of /proc are covered (a container's default), steps cannot mount their own.
func (m machine) needProc() Need {
	n := Need{Name: "own /proc for steps", OK: true, Weak: true}
	for line := range strings.Lines(m.read("/proc/self/mountinfo")) {
		fields := strings.Fields(line)
		if len(fields) > 4 && strings.HasPrefix(fields[4], "/proc/") && fields[4] != "/proc/sys/fs/binfmt_misc" {
			n.OK, n.Detail = false, fields[4]+" is covered: steps share the daemon's processes and could stop it"
			n.Fix = "run the container with --security-opt systempaths=unconfined"
			return n
		}
	}
	return n
}

// read returns a small file of the system without surrounding space, "" if it cannot be read.
func (m machine) read(path string) string {
	data, err := os.ReadFile(m.sysroot + path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

func (m machine) procStatus(field string) string {
	for line := range strings.Lines(m.read("/proc/self/status")) {
		if name, value, ok := strings.Cut(line, ":"); ok && name == field {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func kernelAtLeast(release string, major, minor int) bool {
	var a, b int
	if _, err := fmt.Sscanf(release, "%d.%d", &a, &b); err != nil {
		return true
	}
	return a > major || a == major && b >= minor
}

// checkNeeds is one fault.Embedded for all that is missing; missing packages become one install line.
func (m machine) checkNeeds() error {
	var missing, fixes, packages []string
	for _, n := range m.needs() {
		if n.OK || n.Weak {
			continue
		}
		missing = append(missing, n.Name+" ("+n.Detail+")")
		if _, pkg, ok := strings.Cut(n.Fix, "apt-get install -y "); ok {
			packages = append(packages, pkg)
		} else {
			fixes = append(fixes, n.Fix)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	f := fault.New(fault.Embedded, "the local daemon cannot start here: %s", strings.Join(missing, ", "))
	if len(packages) > 0 {
		f.Hint("%sapt-get install -y %s", m.sudo(), strings.Join(slices.Compact(packages), " "))
	}
	for _, fix := range fixes {
		f.Hint("%s", fix)
	}
	return f
}

// ownerOf returns the uid of path, -1 if unknown.
func ownerOf(path string) int {
	info, err := os.Stat(path)
	if err != nil {
		return -1
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return -1
}
