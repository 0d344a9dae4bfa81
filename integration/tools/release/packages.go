package main

import (
	"errors"
	"os"
	"path/filepath"
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
		info := nfpm.WithDefaults(r.info(p, all))
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
func (r release) info(p platform, all []file) *nfpm.Info {
	info := &nfpm.Info{
		Name: "mlbuild", Arch: p.arch, Platform: "linux", Version: r.version, Section: "devel", Priority: "optional", License: "Apache-2.0", MTime: r.epoch,
		Maintainer: "The mlbuild authors <mlbuild@users.noreply.github.com>", Homepage: "https://github.com/mlbuild/mlbuild",
		Description: "Build container images of Python projects, one layer for each wheel\nWithout a Dockerfile, on BuildKit, for CPU and for CUDA.",
	}
	info.Overridables.Recommends = []string{"runc", "ca-certificates"}
	for _, f := range all {
		if to := installed(f.name); to != "" {
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

// installed is where a package has a file of the archive, "" for nowhere.
func installed(name string) string {
	switch {
	case name == "mlbuild" || name == "buildkitd":
		return "/usr/lib/mlbuild/" + name
	case strings.HasPrefix(name, "completions/"):
		for _, s := range shells {
			if s.file == name {
				return s.installed
			}
		}
		return ""
	}
	return "/usr/share/doc/mlbuild/" + name
}
