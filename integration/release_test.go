package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

// TestRelease: what a release has for linux/amd64 builds an image on a machine without Go: the archive with the buildkitd that is in it, the Debian package, and the container image for CI.
func TestRelease(t *testing.T) {
	tb := testbed.Shared(t)
	l := newLaptop(t, t.TempDir(), nil)
	dist := releaseOf(t, "0.9.1")
	unpacked := filepath.Join(t.TempDir(), "archive")
	if err := os.Mkdir(unpacked, 0o755); err != nil {
		t.Fatal(err)
	}
	out(t, exec.Command("tar", "-xzf", filepath.Join(dist, "mlbuild-0.9.1-linux-amd64.tar.gz"), "-C", unpacked, "--strip-components", "1"), nil)

	_, want := l.push("release-before:1")
	l.must("daemon", "stop")
	l.mlbuild.path = filepath.Join(unpacked, "mlbuild")
	if err := os.RemoveAll(l.state); err != nil {
		t.Fatal(err)
	}
	got, digest := l.push("release-archive:1")
	if digest != want || !strings.Contains(got.stderr, "starting a local buildkitd") {
		t.Errorf("the archive's mlbuild made %s, want %s:\n%s", digest, want, got.stderr)
	}
	l.must("daemon", "stop")

	deb := t.TempDir()
	out(t, exec.Command("dpkg-deb", "-x", filepath.Join(dist, "mlbuild_0.9.1_amd64.deb"), deb), nil)
	if said := out(t, exec.Command(filepath.Join(deb, "usr/lib/mlbuild/mlbuild"), "version"), l.mlbuild.env); !strings.Contains(said, "mlbuild 0.9.1\n") {
		t.Errorf("the package's mlbuild says %q", said)
	}

	image := imageForCI(t, tb, l, unpacked)
	if err := os.CopyFS(filepath.Join(image, "project"), os.DirFS(l.project)); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(strings.TrimPrefix(tb.Daemon.Addr(), "unix://"), filepath.Join(image, "run", "buildkitd.sock")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "chroot", image, "mlbuild", "build", "/project", "--locked", "--no-own-cache", "--push", "--tag", tb.Registry.Ref("release-image:1"))
	out(t, cmd, []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "BUILDKIT_HOST=unix:///run/buildkitd.sock"})
	if digest, err := tb.Registry.Digest(t.Context(), "release-image:1"); err != nil || digest != want {
		t.Errorf("the image's mlbuild made %s (%v), want %s", digest, err, want)
	}
}

// releaseOf makes the release of the tree for linux/amd64 and returns its directory. Its sums hold.
func releaseOf(t *testing.T, version string) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dist := filepath.Join(t.TempDir(), "dist")
	cmd := exec.CommandContext(t.Context(), "go", "run", "-buildvcs=false", ".", "-root", root, "-out", dist, "-version", version, "-commit", committed(t), "-epoch", "1767225600", "-only", "linux/amd64")
	cmd.Dir = filepath.Join(root, "integration", "tools", "release")
	out(t, cmd, append(os.Environ(), "CGO_ENABLED=0"))
	sums := exec.Command("sha256sum", "--check", "--strict", "sha256sums")
	sums.Dir = dist
	if said := out(t, sums, nil); strings.Count(said, ": OK\n") < 4 {
		t.Errorf("the sums name\n%s", said)
	}
	return dist
}

// imageForCI has the archive's mlbuild build the image of mlbuild for CI jobs, as make images does, and returns a directory with its files.
func imageForCI(t *testing.T, tb *testbed.Testbed, l *laptop, archive string) string {
	t.Helper()
	project := filepath.Join("tools", "release", "images", "ci", "mlbuild.yaml")
	text, err := os.ReadFile(project)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(archive, "mlbuild.yaml"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	p := l.mlbuild
	p.dir, p.env = archive, append(p.env, "BUILDKIT_HOST="+tb.Daemon.Addr())
	got, err := p.run(t.Context(), "build", "--push", "--tag", tb.Registry.Ref("mlbuild-ci:1"))
	if err != nil || got.code != 0 {
		t.Fatalf("build of the image: code %d, %v\n%s", got.code, err, got.stderr)
	}
	files := mutate.Extract(readBack(t, tb.Registry, "mlbuild-ci:1").img)
	defer files.Close()
	root := filepath.Join(t.TempDir(), "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	tar := exec.CommandContext(t.Context(), "tar", "-x", "-C", root)
	tar.Stdin = files
	out(t, tar, nil)
	return root
}
