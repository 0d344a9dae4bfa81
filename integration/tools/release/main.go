// Release makes the archives, packages and sums of a release from the tree, the same bytes every time:
//
//	release -root ROOT -out DIR -version 1.2.3 -commit SHA -epoch SECONDS [-only linux/amd64,darwin/arm64]
//
// For each platform an archive with mlbuild, the licence, the readme, the man pages and the shells' completions, and a bill of materials; those for Linux have the buildkitd that mlbuild starts, too. For Linux also a .deb and an .rpm, and for
// Homebrew a formula with the archives' sums. sha256sums names every file.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// release is what is released.
type release struct {
	root, out, version, commit string
	epoch                      time.Time // of every file
	platforms                  []platform
}

func main() {
	r, epoch := release{}, int64(0)
	flag.StringVar(&r.root, "root", ".", "`directory` of the tree")
	flag.StringVar(&r.out, "out", "dist", "`directory` for the files")
	flag.StringVar(&r.version, "version", "", "`version`, without a v")
	flag.StringVar(&r.commit, "commit", "", "`commit` of the tree")
	flag.Int64Var(&epoch, "epoch", 0, "time of every file, in `seconds` since 1970")
	only := flag.String("only", "", "`platforms` to release, separated by commas, in place of all")
	flag.Parse()
	r.epoch, r.platforms = time.Unix(epoch, 0).UTC(), chosen(*only)
	if err := r.make(); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// make makes everything in an empty directory.
func (r release) make() error {
	if len(r.platforms) == 0 {
		return errors.New("-only names no platform that there are programs for")
	}
	if err := os.RemoveAll(r.out); err != nil {
		return err
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "release-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	shared, err := r.shared(work)
	if err != nil {
		return err
	}
	for _, p := range r.platforms {
		files, err := r.programs(work, p)
		if err != nil {
			return err
		}
		name := r.archiveName(p)
		fmt.Fprintln(os.Stderr, name)
		if err := writeArchive(filepath.Join(r.out, name), r.epoch, append(files, shared...)); err != nil {
			return err
		}
		if err := r.bill(p, files); err != nil {
			return err
		}
		if p.os == "linux" {
			if err := r.packages(p, append(files, shared...)); err != nil {
				return err
			}
		}
	}
	if len(r.platforms) == len(platforms) { // the formula names archives of several
		if err := r.formula(); err != nil {
			return err
		}
	}
	return writeSums(r.out)
}
