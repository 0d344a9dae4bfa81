package inspect

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// maxDocument bounds what is read of a manifest, a config or an index in an archive, in bytes.
const maxDocument = 4 << 20

const (
	layoutIndex   = "index.json"    // of an OCI image layout
	layoutMark    = "oci-layout"    // says that a directory is one
	dockerArchive = "manifest.json" // of what docker save writes
)

// IsArchive reports whether a path is that of something that may hold an image: a tar archive, or the directory of an OCI image layout.
func IsArchive(path string) bool {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return false
	case info.IsDir():
		_, err = os.Stat(path + "/" + layoutMark)
		return err == nil
	case !info.Mode().IsRegular():
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close() //nolint:errcheck // it was only read
	_, err = tar.NewReader(f).Next()
	return err == nil
}

// ReadArchive is Read for an image in a file or directory, as mlbuild and docker write them: an OCI image layout, in a directory or a tar archive, or docker's own archive.
// Errors: fault.Base, fault.Platform.
func ReadArchive(ctx context.Context, file, platform string, files bool) (*Image, error) {
	a, err := openArchive(file)
	if err != nil {
		return nil, explainArchive(file, err)
	}
	defer a.close()
	m := &Image{Ref: file, Names: a.names}
	if err := read(ctx, a, m, platform, files); err != nil {
		return nil, explainArchive(file, err)
	}
	if !a.layout {
		m.Digest = "" // that of a manifest which is in no archive
	}
	return m, nil
}

func explainArchive(file string, err error) error {
	if _, ok := errors.AsType[*fault.Fault](err); ok || errors.Is(err, context.Canceled) {
		return err
	}
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return fault.New(fault.Base, "the image in %s cannot be read: %w", file, err).Hint("mlbuild build --output type=oci,dest=%s writes it anew", file)
}

// archive is an image in a file or directory.
type archive struct {
	file   string
	blob   func(name string) (io.ReadCloser, int64, error) // opens a file in it, by its slash path
	close  func()
	layout bool     // it is an OCI image layout
	names  []string // references that it has for the image
	top    ocispecs.Descriptor
	data   []byte                   // of top
	others map[digest.Digest]string // where blobs of docker's own archive are
}

func openArchive(file string) (*archive, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	a := &archive{file: file, close: func() {}}
	if info.IsDir() {
		root, err := os.OpenRoot(file)
		if err != nil {
			return nil, err
		}
		a.close = func() { _ = root.Close() }
		a.blob = func(name string) (io.ReadCloser, int64, error) { return openIn(root, name) }
	} else if err := a.openTar(); err != nil {
		return nil, err
	}
	if err := a.readTop(); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

func openIn(root *os.Root, name string) (io.ReadCloser, int64, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// span is where the bytes of a file are in a tar archive.
type span struct {
	at, size int64
	link     string // it is a link to another file
}

// openTar finds the files of a tar archive.
func (a *archive) openTar() error {
	f, err := os.Open(a.file)
	if err != nil {
		return err
	}
	spans, err := spansOf(f)
	if err != nil {
		_ = f.Close()
		return notTar(a.file, err)
	}
	a.close = func() { _ = f.Close() }
	a.blob = func(name string) (io.ReadCloser, int64, error) {
		s, ok := spans[name]
		if ok && s.link != "" {
			s, ok = spans[s.link]
		}
		if !ok {
			return nil, 0, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return io.NopCloser(io.NewSectionReader(f, s.at, s.size)), s.size, nil
	}
	return nil
}

func spansOf(f *os.File) (map[string]span, error) {
	all := map[string]span{}
	for t := tar.NewReader(f); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		name := path.Clean(h.Name)
		switch h.Typeflag {
		case tar.TypeReg:
			at, err := f.Seek(0, io.SeekCurrent) // package tar reads no further than the header
			if err != nil {
				return nil, err
			}
			all[name] = span{at: at, size: h.Size}
		case tar.TypeSymlink:
			all[name] = span{link: path.Join(path.Dir(name), h.Linkname)} //nolint:gosec // a name in the archive, nothing is written
		case tar.TypeLink:
			all[name] = span{link: path.Clean(h.Linkname)}
		}
	}
}

// notTar says of a file that is no tar archive whether it is one that somebody has compressed.
func notTar(file string, err error) error {
	var magic [4]byte
	if f, opened := os.Open(file); opened == nil {
		_, _ = io.ReadFull(f, magic[:])
		_ = f.Close()
	}
	if bytes.HasPrefix(magic[:], gzipMagic) || bytes.Equal(magic[:], zstdMagic) {
		return fault.New(fault.Base, "%s is compressed as a whole", file).Hint("unpack it first, with gunzip or unzstd; the layers in it may be compressed")
	}
	return noArchive(file, err)
}

func noArchive(file string, err error) error {
	f := fault.New(fault.Base, "%s holds no container image", file)
	if err != nil {
		f = fault.New(fault.Base, "%s is no archive of a container image: %w", file, err)
	}
	return f.Hint("archives of images come from mlbuild build --output type=oci,dest=FILE and from docker save")
}

// readTop finds what the archive holds: the one image of docker's own archive, or what the index of a layout names.
func (a *archive) readTop() error {
	data, err := a.document(layoutIndex)
	if err == nil {
		a.layout = true
		return a.readIndex(data)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if data, err = a.document(dockerArchive); errors.Is(err, fs.ErrNotExist) {
		return noArchive(a.file, nil)
	}
	if err != nil {
		return err
	}
	return a.readDocker(data)
}

// readIndex reads the index of a layout. A layout of one image, which may have several names, is that image.
func (a *archive) readIndex(data []byte) error {
	var index ocispecs.Index
	if err := json.Unmarshal(data, &index); err != nil {
		return fmt.Errorf("%s: %w", layoutIndex, err)
	}
	if len(index.Manifests) == 0 {
		return noArchive(a.file, nil)
	}
	first := index.Manifests[0]
	one := true
	for _, d := range index.Manifests {
		one = one && d.Digest == first.Digest
		for _, key := range []string{"io.containerd.image.name", "org.opencontainers.image.ref.name"} {
			if name := d.Annotations[key]; name != "" {
				a.names = append(a.names, name)
				break
			}
		}
	}
	slices.Sort(a.names)
	a.names = slices.Compact(a.names)
	if !one {
		a.top, a.data = ocispecs.Descriptor{MediaType: ocispecs.MediaTypeImageIndex, Digest: digest.FromBytes(data), Size: int64(len(data))}, data
		return nil
	}
	a.top = first
	data, err := a.small(first.Digest)
	a.data = data
	return err
}

// readDocker makes a manifest of what docker's own archive says.
func (a *archive) readDocker(data []byte) error {
	var all []struct {
		Config           string
		RepoTags, Layers []string
	}
	if err := json.Unmarshal(data, &all); err != nil {
		return fmt.Errorf("%s: %w", dockerArchive, err)
	}
	if len(all) != 1 {
		return fault.New(fault.Base, "%s holds %d images", a.file, len(all)).Hint("docker save NAME writes one")
	}
	config, err := a.document(all[0].Config)
	if err != nil {
		return err
	}
	a.names, a.others = all[0].RepoTags, map[digest.Digest]string{}
	m := ocispecs.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispecs.MediaTypeImageManifest}
	m.Config = ocispecs.Descriptor{MediaType: ocispecs.MediaTypeImageConfig, Digest: digest.FromBytes(config), Size: int64(len(config))}
	a.others[m.Config.Digest] = all[0].Config
	for _, name := range all[0].Layers {
		d, err := a.sum(name)
		if err != nil {
			return err
		}
		a.others[d.Digest] = name
		m.Layers = append(m.Layers, d)
	}
	if a.data, err = json.Marshal(m); err != nil {
		return err
	}
	a.top = ocispecs.Descriptor{MediaType: m.MediaType, Digest: digest.FromBytes(a.data), Size: int64(len(a.data))}
	return nil
}

// sum describes a file of the archive, which is read through.
func (a *archive) sum(name string) (ocispecs.Descriptor, error) {
	f, size, err := a.blob(path.Clean(name))
	if err != nil {
		return ocispecs.Descriptor{}, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	d, err := digest.FromReader(f)
	return ocispecs.Descriptor{MediaType: ocispecs.MediaTypeImageLayer, Digest: d, Size: size}, err
}

// document reads a small file of the archive.
func (a *archive) document(name string) ([]byte, error) {
	f, size, err := a.blob(path.Clean(name))
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	if size > maxDocument {
		return nil, fmt.Errorf("%s has %d bytes, more than the %d of any image", name, size, maxDocument)
	}
	return io.ReadAll(io.LimitReader(f, maxDocument))
}

// Manifest implements source.
func (a *archive) Manifest(context.Context, string) (ocispecs.Descriptor, []byte, error) {
	return a.top, a.data, nil
}

// Blob implements source.
func (a *archive) Blob(_ context.Context, _ string, d ocispecs.Descriptor) ([]byte, error) {
	return a.small(d.Digest)
}

// small reads a blob that is a document.
func (a *archive) small(d digest.Digest) ([]byte, error) {
	name, err := a.place(d)
	if err != nil {
		return nil, err
	}
	data, err := a.document(name)
	if err == nil && d.Algorithm().FromBytes(data) != d {
		err = fmt.Errorf("the bytes of %s are not those of its digest", name)
	}
	return data, err
}

// Open implements source.
func (a *archive) Open(_ context.Context, _ string, d ocispecs.Descriptor) (io.ReadCloser, error) {
	name, err := a.place(d.Digest)
	if err != nil {
		return nil, err
	}
	f, _, err := a.blob(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not in it", name)
	}
	return f, err
}

// place is where a blob is in the archive.
func (a *archive) place(d digest.Digest) (string, error) {
	if name, ok := a.others[d]; ok {
		return path.Clean(name), nil
	}
	if err := d.Validate(); err != nil {
		return "", err
	}
	return strings.Join([]string{"blobs", d.Algorithm().String(), d.Encoded()}, "/"), nil
}
