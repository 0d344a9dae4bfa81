package testbed

import (
	"context"
	_ "embed"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sync/errgroup"
)

// rootfsSource is part of the cache's key: what this file says decides the contents.
//
//go:embed rootfs.go
var rootfsSource string

// release is a Debian release that stands in for an official Python image.
type release struct {
	suite  string // "bookworm"
	number string // "12"
	python string // "3.11"
}

var releases = []release{
	{suite: "bookworm", number: "12", python: "3.11"},
	{suite: "trixie", number: "13", python: "3.13"},
}

const rootfsPackages = "python3,python3-pip,ca-certificates"

// rootfs is a release packed as two layers.
type rootfs struct {
	release
	system  string // path of a .tar.gz: all but Python
	runtime string // path of a .tar.gz: Python and pip
	patch   string // the full version of Python: "3.11.2"
}

// makeRootfs returns every release, side by side; a cached one costs nothing.
func makeRootfs(ctx context.Context, cache string) ([]rootfs, error) {
	all := make([]rootfs, len(releases))
	eg, ctx := errgroup.WithContext(ctx)
	for i, r := range releases {
		eg.Go(func() (err error) {
			all[i], err = packedRootfs(ctx, cache, r)
			return err
		})
	}
	return all, eg.Wait()
}

func packedRootfs(ctx context.Context, cache string, r release) (rootfs, error) {
	dir := filepath.Join(cache, "rootfs-"+r.suite+"-"+cacheKey(rootfsSource, packSource))
	out := rootfs{
		release: r,
		system:  filepath.Join(dir, "system.tar.gz"),
		runtime: filepath.Join(dir, "python.tar.gz"),
	}
	if _, err := os.Stat(dir); err != nil {
		if err := buildRootfs(ctx, cache, dir, r); err != nil {
			return out, fmt.Errorf("stand-in for Debian %s: %w", r.number, err)
		}
	}
	version, err := os.ReadFile(filepath.Join(dir, "version"))
	out.patch = string(version)
	return out, err
}

// buildRootfs runs debootstrap beside dir and leaves the packed layers in dir.
func buildRootfs(ctx context.Context, cache, dir string, r release) error {
	work, err := os.MkdirTemp(cache, "tmp-"+r.suite+"-")
	if err != nil {
		return err
	}
	defer RemoveAll(work)
	tree, packed := filepath.Join(work, "tree"), filepath.Join(work, "packed")
	if err := debootstrap(ctx, r.suite, tree); err != nil {
		return err
	}
	if err := os.Mkdir(packed, 0o755); err != nil {
		return err
	}
	if err := packRootfs(tree, packed); err != nil {
		return err
	}
	if err := writeVersion(tree, filepath.Join(packed, "version"), r); err != nil {
		return err
	}
	return os.Rename(packed, dir)
}

func debootstrap(ctx context.Context, suite, tree string) error {
	bin, err := systemTool("debootstrap")
	if err != nil {
		return err
	}
	if os.Getuid() != 0 {
		return &MissingError{What: "the stand-in base images are not in the cache, and debootstrap needs root", Remedy: "sudo make test"}
	}
	args := []string{"--variant=minbase", "--include=" + rootfsPackages, suite, tree}
	if mirror := debianMirror(); mirror != "" {
		args = append(args, mirror)
	}
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Env = append(os.Environ(), "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("debootstrap %s: %w\n%s", suite, err, lastLines(string(out), 20))
	}
	return nil
}

// debianMirror is the mirror that this machine's apt uses, "" where it uses none of Debian.
func debianMirror() string {
	files, _ := filepath.Glob("/etc/apt/sources.list.d/*")
	for _, f := range append([]string{"/etc/apt/sources.list"}, files...) {
		data, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		if m := mirrorLine.FindStringSubmatch(string(data)); m != nil {
			return m[1]
		}
	}
	return ""
}

// mirrorLine matches both forms of apt's sources; the archive's path ends in /debian on every mirror.
var mirrorLine = regexp.MustCompile(`(?m)^(?:URIs:|deb(?:\s+\[[^\]]*\])?)\s+(https?://\S+/debian/?)(?:\s|$)`)

// writeVersion notes the exact version of the release's Python, read from dpkg's list.
func writeVersion(tree, file string, r release) error {
	status, err := os.ReadFile(filepath.Join(tree, "var/lib/dpkg/status"))
	if err != nil {
		return err
	}
	pkg := regexp.MustCompile(`(?m)^Package: python` + regexp.QuoteMeta(r.python) + `-minimal\n(?:.+\n)*?Version: ([0-9.]+)`)
	m := pkg.FindStringSubmatch(string(status))
	if m == nil {
		return fmt.Errorf("Debian %s came without python%s", r.number, r.python)
	}
	return os.WriteFile(file, []byte(m[1]), 0o644)
}

// packRootfs writes the tree as system.tar.gz and python.tar.gz, which together hold all of it once.
func packRootfs(tree, out string) error {
	system, err := newLayerFile(filepath.Join(out, "system.tar.gz"))
	if err != nil {
		return err
	}
	python, err := newLayerFile(filepath.Join(out, "python.tar.gz"))
	if err != nil {
		return err
	}
	err = filepath.WalkDir(tree, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(strings.TrimPrefix(path, tree), "/")
		switch {
		case name == "":
			return nil
		case leftOut(name) && d.IsDir():
			return fs.SkipDir
		case leftOut(name):
			return nil
		case isPython(name):
			return python.add(path, name)
		}
		return system.add(path, name)
	})
	if err != nil {
		return err
	}
	if err := python.close(); err != nil {
		return err
	}
	return system.close()
}

// leftOut is what official images do not have: devices, package lists, logs, and the marker that keeps
// pip out of Debian's own Python.
func leftOut(name string) bool {
	for _, prefix := range []string{
		"dev/", "proc/", "sys/", "var/lib/apt/lists/", "var/cache/apt/", "var/cache/debconf/", "var/log/", "tmp/", "debootstrap/",
	} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return strings.HasSuffix(name, "/EXTERNALLY-MANAGED")
}

var pythonPath = regexp.MustCompile(`^(usr/lib/python|usr/bin/(python|pip|pydoc|py3)|usr/share/(python3|doc/python|doc/libpython|binfmts/python)|etc/python|usr/local/lib/python)`)

func isPython(name string) bool { return pythonPath.MatchString(name) }

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
