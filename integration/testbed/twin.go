package testbed

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	bkclient "github.com/moby/buildkit/client"
	bkllb "github.com/moby/buildkit/client/llb"
)

// Twin is an image's file system after a command, made without mlbuild.
type Twin struct {
	Tree map[string]Entry  // as of function Tree; Layer says nothing
	Data map[string][]byte // contents of the files that were asked for
}

// RunTwin runs a shell script as root in an image, with the network, and returns the file system that it leaves. ca is a bundle of certificates for
// SSL_CERT_FILE, nil = the image's own. The lists of apt are kept from one run to the next, outside the image. keep names files whose contents are wanted.
func (d *Daemon) RunTwin(ctx context.Context, ref, script string, ca []byte, keep ...string) (*Twin, error) {
	c, err := d.Client(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	def, err := twinState(ref, script, ca).Marshal(ctx, bkllb.LinuxAmd64)
	if err != nil {
		return nil, err
	}
	r, w := io.Pipe()
	read := make(chan error, 1)
	twin := &Twin{Tree: map[string]Entry{}, Data: map[string][]byte{}}
	go func() {
		err := twin.read(r, keep)
		_ = r.CloseWithError(err)
		read <- err
	}()
	_, err = c.Solve(ctx, def, bkclient.SolveOpt{Exports: []bkclient.ExportEntry{{
		Type: bkclient.ExporterTar, Output: func(map[string]string) (io.WriteCloser, error) { return w, nil },
	}}}, nil)
	_ = w.CloseWithError(err)
	return twin, errors.Join(err, <-read)
}

// PushRun runs a shell script as root in an image, without the network, and pushes what it leaves. The new image has no config.
func (d *Daemon) PushRun(ctx context.Context, ref, script, to string) error {
	c, err := d.Client(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	run := bkllb.Image(ref, bkllb.LinuxAmd64).Run(bkllb.Args([]string{"/bin/sh", "-euc", script}), bkllb.Network(bkllb.NetModeNone)).Root()
	def, err := run.Marshal(ctx, bkllb.LinuxAmd64)
	if err != nil {
		return err
	}
	_, err = c.Solve(ctx, def, bkclient.SolveOpt{Exports: []bkclient.ExportEntry{{
		Type: bkclient.ExporterImage, Attrs: map[string]string{"name": to, "push": "true"},
	}}}, nil)
	return err
}

func twinState(ref, script string, ca []byte) bkllb.State {
	const caFile = "/run/testbed-ca.crt"
	opts := []bkllb.RunOption{bkllb.Args([]string{"/bin/sh", "-euc", script}), bkllb.AddMount("/tmp", bkllb.Scratch(), bkllb.Tmpfs()),
		bkllb.AddMount("/var/lib/apt/lists", bkllb.Scratch(), bkllb.AsPersistentCacheDir("testbed/apt-lists", bkllb.CacheMountLocked))}
	if ca != nil {
		bundle := bkllb.Scratch().File(bkllb.Mkfile("/ca", 0o644, ca))
		opts = append(opts, bkllb.AddMount(caFile, bundle, bkllb.SourcePath("/ca"), bkllb.Readonly), bkllb.AddEnv("SSL_CERT_FILE", caFile))
	}
	return bkllb.Image(ref, bkllb.LinuxAmd64).Run(opts...).Root()
}

// read takes a tar of a whole file system.
func (t *Twin) read(r io.Reader, keep []string) error {
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			_, err = io.Copy(io.Discard, r)
			return err
		}
		if err != nil {
			return fmt.Errorf("the twin's files: %w", err)
		}
		e := Entry{Header: *h}
		e.Name = strings.TrimPrefix(path.Clean("/"+h.Name), "/")
		if h.Typeflag == tar.TypeReg {
			var data bytes.Buffer
			sum := sha256.New()
			to := io.Writer(sum)
			if slices.Contains(keep, e.Name) {
				to = io.MultiWriter(sum, &data)
			}
			if _, err := io.Copy(to, tr); err != nil {
				return err
			}
			e.SHA256 = hex.EncodeToString(sum.Sum(nil))
			if data.Len() > 0 {
				t.Data[e.Name] = data.Bytes()
			}
		}
		t.Tree[e.Name] = e
	}
}
