// Command frontendimage makes the image of mlbuild's frontend of programs that are compiled: an OCI archive, and if it is told so a push of it.
//
//	frontendimage -o dist/mlbuild-frontend.tar [-push registry.example.com/team/mlbuild:1] linux/amd64=bin/a linux/arm64=bin/b
package main

import (
	"archive/tar"
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

func main() {
	to := flag.String("o", "", "`file` that the OCI archive is written to")
	push := flag.String("push", "", "`reference` that the image is pushed to; \"\" = nowhere")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *to, *push, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, to, push string, args []string) error {
	programs := map[string]string{}
	for _, a := range args {
		platform, path, ok := strings.Cut(a, "=")
		if !ok {
			return fmt.Errorf("%q is not PLATFORM=PATH", a)
		}
		programs[platform] = path
	}
	index, err := testbed.FrontendImage(programs)
	if err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	if to != "" {
		if err := archive(to, index); err != nil {
			return err
		}
		fmt.Println(to)
	}
	if push != "" {
		ref, err := name.ParseReference(push)
		if err != nil {
			return err
		}
		if err := remote.WriteIndex(ref, index, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
			return err
		}
		fmt.Println(ref.Context().Digest(digest.String()))
	}
	return nil
}

// archive writes an OCI layout with the image as an archive.
func archive(to string, index v1.ImageIndex) error {
	dir, err := os.MkdirTemp("", "frontendimage-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	if err := path.AppendIndex(index); err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := pack(tar.NewWriter(out), os.DirFS(dir)); err != nil {
		return err
	}
	return out.Close()
}

// pack writes the files of a directory by their names, with nothing of this machine.
func pack(to *tar.Writer, dir fs.FS) error {
	err := fs.WalkDir(dir, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(dir, name)
		if err != nil {
			return err
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(data)), ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
		if err := to.WriteHeader(h); err != nil {
			return err
		}
		_, err = to.Write(data)
		return err
	})
	if err != nil {
		return err
	}
	return to.Close()
}
