package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/deb" // registers itself
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm" // registers itself
)

// packages writes the .deb and the .rpm of a Linux platform. buildkitd lies beside mlbuild in a directory of their own, where mlbuild looks for it, and only mlbuild is on PATH: a buildkitd of the
// distribution stays as it is. What it needs to run is recommended, since a client of other daemons needs none of it.
func (r release) packages(p platform, all []file) error {
	for _, format := range []string{"deb", "rpm"} {
		packager, err := nfpm.Get(format)
		if err != nil {
			return err
		}
		info := nfpm.WithDefaults(r.info(format, p, all))
		if err := nfpm.PrepareForPackager(info, format); err != nil {
			return err
		}
		if err := writePackage(filepath.Join(r.out, packager.ConventionalFileName(info)), packager, info); err != nil {
			return err
		}
	}
	return nil
}

func writePackage(to string, packager nfpm.Packager, info *nfpm.Info) (err error) {
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return packager.Package(info, f)
}

// info is what a package says of itself, and its files.
func (r release) info(format string, p platform, all []file) *nfpm.Info {
	info := &nfpm.Info{
		Name: "mlbuild", Arch: p.arch, Platform: "linux", Version: packageVersion(r.version), Section: "devel", Priority: "optional", License: license, MTime: r.epoch,
		Maintainer: "The mlbuild authors <mlbuild@users.noreply.github.com>", Homepage: homepage,
		Description: "Build container images of Python projects, one layer for each wheel\nWithout a Dockerfile, on BuildKit, for CPU and for CUDA.",
	}
	info.RPM.BuildHost = "localhost" // in place of this machine's name
	info.Overridables.Recommends = []string{"runc", "ca-certificates"}
	for _, f := range all {
		if to := installed(format, f.name); to != "" {
			info.Overridables.Contents = append(info.Overridables.Contents, &files.Content{
				Source: f.path, Destination: to, FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: f.mode, MTime: r.epoch},
			})
		}
	}
	info.Overridables.Contents = append(info.Overridables.Contents, &files.Content{
		Source: "/usr/lib/mlbuild/mlbuild", Destination: "/usr/bin/mlbuild", Type: files.TypeSymlink, FileInfo: &files.ContentFileInfo{MTime: r.epoch},
	})
	return info
}

// afterTag is what git describe appends to the tag of an earlier commit: how many commits later this one is, and its hash.
var afterTag = regexp.MustCompile(`-([0-9]+)-(g[0-9a-f]+)`)

// packageVersion is a version that packages order right: a commit after a tag stands behind that release, one of a tree without tags (a bare hash) before all releases.
func packageVersion(version string) string {
	if strings.Contains(version, ".") {
		return afterTag.ReplaceAllString(version, "+$1.$2")
	}
	return "0.0.0-git." + version
}

// installed is where a package of a format has a file of the archive, "" for nowhere.
func installed(format, name string) string {
	switch {
	case name == "mlbuild" || name == "buildkitd":
		return "/usr/lib/mlbuild/" + name
	case strings.HasPrefix(name, "completions/"):
		for _, s := range shells {
			if s.file == name {
				if format == "rpm" {
					return s.rpm
				}
				return s.deb
			}
		}
		return ""
	case strings.HasPrefix(name, "man/"):
		return "/usr/share/" + name
	}
	return "/usr/share/doc/mlbuild/" + name
}
