package script

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/llb/deb"
)

var debs = flag.String("debs", "", "directory with .deb files; TestTable prints the way of each")

// TestTable prints a table of the ways of real packages, and wants at most 5 % of them to go the dpkg way.
func TestTable(t *testing.T) {
	if *debs == "" {
		t.Skip("give -debs DIR")
	}
	paths, err := filepath.Glob(filepath.Join(*debs, "*.deb"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no packages: %v", err)
	}
	count := map[Way]int{}
	fmt.Println("| package | version | way | why |\n|---|---|---|---|")
	for _, path := range paths {
		info, err := deb.Inspect(path)
		if err != nil {
			t.Error(err)
			continue
		}
		d := Decide(info)
		if count[d.Way]++; d.Reason != "no script" {
			fmt.Printf("| %s | %s | %s | %s |\n", info.Package, info.Version, d.Way, d.Reason)
		}
	}
	fmt.Printf("\n%d packages: %d a layer, %d by rules, %d by dpkg\n", len(paths), count[Layer], count[Rules], count[Dpkg])
	if count[Dpkg]*20 > len(paths) {
		t.Errorf("%d of %d packages go the dpkg way", count[Dpkg], len(paths))
	}
}

// download fetches packages with this machine's apt, or skips the test.
func download(t *testing.T, names ...string) []string {
	t.Helper()
	if testing.Short() {
		t.Skip("it downloads packages")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, tool := range []string{"apt-get", "dpkg-deb", "tar"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	c := exec.Command("apt-get", append([]string{"-qq", "download"}, names...)...)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Skipf("apt-get download: %v\n%s", err, out)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(paths) != len(names) {
		t.Fatalf("%v, %v", paths, err)
	}
	return paths
}

// Real packages, laid down here and unpacked by dpkg-deb and tar, have the same files.
func TestRealPackages(t *testing.T) {
	for _, path := range download(t, "libgomp1", "openmpi-bin", "ca-certificates", "tini", "openssh-client") {
		name := filepath.Base(path)
		info, err := deb.Inspect(path)
		if err != nil {
			t.Fatal(err)
		}
		if d := Decide(info); d.Way == Dpkg {
			t.Errorf("%s goes the dpkg way: %s", name, d.Reason)
		}
		ours, theirs := t.TempDir(), t.TempDir()
		root, err := os.OpenRoot(ours)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		if _, err := deb.Install(root, path, deb.Options{}); err != nil {
			t.Fatal(err)
		}
		run(t, "sh", "-c", `dpkg-deb --fsys-tarfile "$1" | tar -x --numeric-owner -C "$2"`, "sh", path, theirs)
		if got, want := listing(t, ours), listing(t, theirs); got != want {
			t.Errorf("%s: files\n%s\nwant\n%s", name, got, want)
		}
		run(t, "diff", "-r", "--no-dereference", theirs+"/usr", ours+"/usr")
	}
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// listing is every file but the records: path, type, mode, owner, time, size, target.
func listing(t *testing.T, dir string) string {
	t.Helper()
	out := run(t, "find", dir, "-mindepth", "1", "!", "-type", "d", "!", "-path", "*/status.d/*", "-printf", `%P %y %m %U:%G %Ts %s %l\n`)
	lines := strings.Split(out, "\n")
	return strings.Join(sorted(lines), "\n")
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}
