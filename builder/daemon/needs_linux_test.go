package daemon

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// madeUpMachine is a made-up root directory on which everything is in order for uid 1000.
func madeUpMachine(t *testing.T) Options {
	t.Helper()
	root := t.TempDir()
	for path, text := range map[string]string{
		"/etc/subuid":                        "other:1:99\nann:100000:65536\n",
		"/etc/subgid":                        "1000:100000:65536\n",
		"/proc/sys/user/max_user_namespaces": "96364\n",
		"/proc/sys/kernel/osrelease":         "6.1.0-44-amd64\n",
		"/proc/filesystems":                  "nodev\tsysfs\nnodev\toverlay\n\text4\n",
		"/proc/self/status":                  "CapEff:\t000001ffffffffff\nNoNewPrivs:\t0\n",
		"/proc/self/mountinfo":               "22 1 0:1 / /proc rw - proc proc rw\n30 22 0:2 / /proc/sys/fs/binfmt_misc rw - binfmt_misc b rw\n",
		"/usr/sbin/runc":                     "",
		"/usr/bin/rootlesskit":               "",
		"/usr/bin/newuidmap":                 "",
		"/usr/bin/newgidmap":                 "",
		"/usr/local/bin/buildkitd":           "",
		"/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "0\n",
		"/proc/sys/kernel/unprivileged_userns_clone":             "1\n",
	} {
		put(t, root+path, text)
	}
	return Options{UID: 1000, User: "ann", Path: "/usr/bin", StateDir: t.TempDir(), sysroot: root}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestNeedsInOrder(t *testing.T) {
	t.Parallel()
	o := madeUpMachine(t)
	for _, uid := range []int{0, 1000} {
		o.UID = uid
		for _, n := range o.Needs() {
			if !n.OK || n.Fix != "" {
				t.Errorf("uid %d: %+v", uid, n)
			}
		}
	}
}

func TestMissingNeeds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		uid          int
		remove, path string
		text         string
		want         []string
	}{
		"runc, root":      {0, "/usr/sbin/runc", "", "", []string{"runc (not installed)", "\napt-get install -y runc"}},
		"runc, user":      {1000, "/usr/sbin/runc", "", "", []string{"\nsudo apt-get install -y runc"}},
		"rootlesskit":     {1000, "/usr/bin/rootlesskit", "", "", []string{"sudo apt-get install -y rootlesskit"}},
		"newuidmap":       {1000, "/usr/bin/newuidmap", "", "", []string{"sudo apt-get install -y uidmap"}},
		"buildkitd":       {0, "/usr/local/bin/buildkitd", "", "", []string{"buildkitd (not found beside mlbuild nor in PATH)", "make build"}},
		"subuid":          {1000, "/etc/subuid", "", "", []string{"subuid (0 ids for ann)", "sudo usermod --add-subuids 100000-165535 ann"}},
		"subgid too few":  {1000, "", "/etc/subgid", "ann:100000:1000\n", []string{"subgid (1000 ids for ann)", "--add-subgids"}},
		"no namespaces":   {1000, "", "/proc/sys/user/max_user_namespaces", "0\n", []string{"sudo sysctl -w user.max_user_namespaces=63359"}},
		"Debian's switch": {1000, "", "/proc/sys/kernel/unprivileged_userns_clone", "0\n", []string{"kernel.unprivileged_userns_clone=1"}},
		"AppArmor":        {1000, "", "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n", []string{"kernel.apparmor_restrict_unprivileged_userns=0"}},
		"no new privs":    {1000, "", "/proc/self/status", "NoNewPrivs:\t1\n", []string{"no_new_privs is set"}},
		"weak root":       {0, "", "/proc/self/status", "CapEff:\t00000000a80425fb\n", []string{"CAP_SYS_ADMIN", "--privileged"}},
	} {
		o := madeUpMachine(t)
		o.UID = c.uid
		if c.remove != "" {
			if err := os.Remove(o.sysroot + c.remove); err != nil {
				t.Fatal(err)
			}
		} else {
			put(t, o.sysroot+c.path, c.text)
		}
		t.Run(name, func(t *testing.T) { wantFault(t, o.machine().checkNeeds(), fault.Embedded, c.want...) })
	}
}

func TestMissingPackagesAreOneLine(t *testing.T) {
	t.Parallel()
	o := madeUpMachine(t)
	if err := os.RemoveAll(o.sysroot + "/usr"); err != nil {
		t.Fatal(err)
	}
	err := o.machine().checkNeeds()
	wantFault(t, err, fault.Embedded, "runc (not installed), rootlesskit (not installed), newuidmap (not installed)")
	if got := fault.All(err)[0].Hints[0]; got != "sudo apt-get install -y runc rootlesskit uidmap" {
		t.Errorf("hint %q", got)
	}
}

func TestWeakNeedsStopNothing(t *testing.T) {
	t.Parallel()
	o := madeUpMachine(t)
	put(t, o.sysroot+"/proc/sys/kernel/osrelease", "5.10.0-9-amd64\n")
	put(t, o.sysroot+"/proc/self/mountinfo", "22 1 0:1 / /proc rw - proc proc rw\n30 22 0:2 / /proc/kcore rw - tmpfs t rw\n")
	if err := o.machine().checkNeeds(); err != nil {
		t.Error(err)
	}
	var weak []string
	for _, n := range o.Needs() {
		if !n.OK {
			weak = append(weak, n.Name)
		}
	}
	if want := []string{"overlayfs", "own /proc for steps"}; !slices.Equal(weak, want) {
		t.Errorf("weak %q, want %q", weak, want)
	}
	if config, err := o.config(); err != nil || !strings.Contains(config, "noProcessSandbox = true") {
		t.Errorf("a covered /proc needs noProcessSandbox: %v\n%s", err, config)
	}
}

func TestAppArmorProfileServes(t *testing.T) {
	t.Parallel()
	o := madeUpMachine(t)
	put(t, o.sysroot+"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n")
	put(t, o.sysroot+"/etc/apparmor.d/rootlesskit", "")
	if n := o.machine().needAppArmor(); !n.OK {
		t.Errorf("%+v", n)
	}
}

func TestConfigLimits(t *testing.T) {
	t.Parallel()
	for total, want := range map[int64]int64{30e9: 20e9, 100e9: 40e9, 2000e9: 100e9} {
		var c struct {
			Frontend map[string]struct{ Enabled bool }
			System   struct{ MaxRegistryConcurrency int }
			Worker   struct {
				OCI struct {
					GCPolicy []struct{ MaxUsedSpace, MinFreeSpace int64 }
				}
			}
		}
		if err := toml.Unmarshal([]byte(ownConfig(total, false)), &c); err != nil {
			t.Fatal(err)
		}
		if len(c.Frontend) != 2 || c.Frontend["gateway.v0"].Enabled || c.Frontend["dockerfile.v0"].Enabled {
			t.Errorf("frontends %v", c.Frontend)
		}
		if c.System.MaxRegistryConcurrency != 16 {
			t.Errorf("%d requests at a time", c.System.MaxRegistryConcurrency)
		}
		rules := c.Worker.OCI.GCPolicy
		if len(rules) != 4 || rules[3].MaxUsedSpace != want || rules[3].MinFreeSpace != min(total/10, 20e9) {
			t.Errorf("%d bytes: %+v", total, rules)
		}
	}
}

func TestExtraConfigWins(t *testing.T) {
	t.Parallel()
	merged, err := mergeConfig(ownConfig(1e12, false), "[worker.oci]\nsnapshotter = \"native\"\n[registry.\"docker.io\"]\nmirrors = [\"127.0.0.1:5000\"]\n")
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Worker struct {
			OCI struct{ Snapshotter, NetworkMode string }
		}
		Registry map[string]struct{ Mirrors []string }
	}
	if err := toml.Unmarshal([]byte(merged), &c); err != nil {
		t.Fatal(err)
	}
	if c.Worker.OCI.Snapshotter != "native" || c.Worker.OCI.NetworkMode != "auto" || c.Registry["docker.io"].Mirrors[0] != "127.0.0.1:5000" {
		t.Errorf("%+v from\n%s", c, merged)
	}
	_, err = mergeConfig(ownConfig(1e12, false), "[worker")
	wantFault(t, err, fault.Embedded, "not valid TOML")
}
