package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// platform is one that there is an archive for.
type platform struct{ os, arch string }

var platforms = []platform{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}, {"windows", "amd64"}, {"windows", "arm64"}}

// chosen are the platforms of a list "os/arch,os/arch", all for an empty one.
func chosen(list string) []platform {
	if list == "" {
		return platforms
	}
	var some []platform
	for _, p := range platforms {
		if slices.Contains(strings.Split(list, ","), p.os+"/"+p.arch) {
			some = append(some, p)
		}
	}
	return some
}

// archiveName is the file of a platform's archive.
func (r release) archiveName(p platform) string {
	ending := ".tar.gz"
	if p.os == "windows" {
		ending = ".zip"
	}
	return fmt.Sprintf("mlbuild-%s-%s-%s%s", r.version, p.os, p.arch, ending)
}

// programs builds the programs of a platform, and returns them as they stand in its archive.
func (r release) programs(work string, p platform) ([]file, error) {
	name := "mlbuild"
	if p.os == "windows" {
		name += ".exe"
	}
	dir := filepath.Join(work, p.os+"-"+p.arch)
	mlbuild := filepath.Join(dir, name)
	flags := fmt.Sprintf("-s -w -buildid= -X main.linked=%s -X main.linkedCommit=%s", r.version, r.commit)
	if err := goBuild(r.root, p, mlbuild, flags, "", "./cmd/mlbuild"); err != nil {
		return nil, err
	}
	all := []file{{name, mlbuild, 0o755}}
	if p.os != "linux" {
		return all, nil
	}
	tools, buildkitd := filepath.Join(r.root, "integration/tools/testbed"), filepath.Join(dir, "buildkitd")
	version, err := exec.Command("go", "-C", tools, "list", "-m", "-f", "{{.Version}}", "github.com/moby/buildkit").Output()
	if err != nil {
		return nil, err
	}
	flags = "-s -w -buildid= -X github.com/moby/buildkit/version.Version=" + strings.TrimSpace(string(version))
	if err := goBuild(tools, p, buildkitd, flags, "", "github.com/moby/buildkit/cmd/buildkitd"); err != nil {
		return nil, err
	}
	return append(all, file{"buildkitd", buildkitd, 0o755}), nil
}

// goBuild builds a program for a platform, with no trace of where and when.
func goBuild(dir string, p platform, out, flags, tags, pkg string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags", tags, "-ldflags", flags, "-o", out, pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS="+p.os, "GOARCH="+p.arch, "GOAMD64=v1", "GOARM64=v8.0", "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build %s for %s/%s: %w", pkg, p.os, p.arch, err)
	}
	return nil
}

// shared are the files of every archive: words, and the completions of the shells.
func (r release) shared(work string) ([]file, error) {
	var all []file
	for _, name := range []string{"LICENSE", "README.md", "CHANGELOG.md"} {
		all = append(all, file{name, filepath.Join(r.root, name), 0o644})
	}
	host := filepath.Join(work, "host")
	if err := goBuild(r.root, platform{runtime.GOOS, runtime.GOARCH}, host, "-s -w -X main.linked="+r.version, "man", "./cmd/mlbuild"); err != nil {
		return nil, err
	}
	for _, shell := range shells {
		text, err := exec.Command(host, "completion", shell.name).Output()
		if err != nil {
			return nil, fmt.Errorf("mlbuild completion %s: %w", shell.name, err)
		}
		path := filepath.Join(work, filepath.Base(shell.file))
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return nil, err
		}
		all = append(all, file{shell.file, path, 0o644})
	}
	pages, err := r.manPages(host, filepath.Join(work, "man"))
	return append(all, pages...), err
}

// manPages has a program that was built with -tags man write the pages of its commands.
func (r release) manPages(host, dir string) ([]file, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	cmd := exec.Command(host)
	cmd.Env = append(os.Environ(), "MLBUILD_MAN="+dir, "SOURCE_DATE_EPOCH="+strconv.FormatInt(r.epoch.Unix(), 10))
	if said, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("the man pages: %w: %s", err, said)
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*.1")) // sorted
	if err != nil {
		return nil, err
	}
	var all []file
	for _, page := range pages {
		all = append(all, file{"man/man1/" + filepath.Base(page), page, 0o644})
	}
	return all, nil
}

// shells are those with completions: the file in an archive, and where Debian and Fedora look for it; "" = nowhere.
var shells = []struct{ name, file, deb, rpm string }{
	{"bash", "completions/mlbuild.bash", "/usr/share/bash-completion/completions/mlbuild", "/usr/share/bash-completion/completions/mlbuild"},
	{"zsh", "completions/_mlbuild", "/usr/share/zsh/vendor-completions/_mlbuild", "/usr/share/zsh/site-functions/_mlbuild"},
	{"fish", "completions/mlbuild.fish", "/usr/share/fish/vendor_completions.d/mlbuild.fish", "/usr/share/fish/vendor_completions.d/mlbuild.fish"},
	{"powershell", "completions/mlbuild.ps1", "", ""},
}
