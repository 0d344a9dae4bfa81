package frontend

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/tonistiigi/fsutil/types"

	"github.com/mlbuild/mlbuild/profiles/projectdir"
)

// contextFS is a file system at the daemon, as the client sent it or as the daemon fetched it. It implements fs.FS, fs.StatFS, fs.ReadDirFS and fs.ReadLinkFS. No link leads out of
// it: the error of one that would is projectdir.ErrOutside. A directory is listed once.
type contextFS struct {
	ctx context.Context //nolint:containedctx // of the build, which the file system lasts as long as
	ref gateway.Reference
	// more has files that ref lacks, nil = none.
	more gateway.Reference
	// file is the project file, which the client sends apart from the context, by its name.
	file map[string][]byte

	mu   sync.Mutex
	dirs map[string][]*types.Stat
	from map[string]bool // the files that more has, by their paths
}

// newContextFS returns the file system of a result, with the files of another one that it lacks, nil = none, and the project file by its name.
func newContextFS(ctx context.Context, ref, more gateway.Reference, name string, data []byte) *contextFS {
	return &contextFS{ctx: ctx, ref: ref, more: more, file: map[string][]byte{name: data}, dirs: map[string][]*types.Stat{}, from: map[string]bool{}}
}

// maxLinks is how many links are followed for one path (Linux: MAXSYMLINKS).
const maxLinks = 40

// Open implements fs.FS.
func (c *contextFS) Open(name string) (fs.File, error) {
	at, st, err := c.find("open", name, true)
	if err != nil {
		return nil, err
	}
	switch mode := modeOf(st); {
	case mode.IsDir():
		entries, err := c.ReadDir(name)
		return &openDir{info{st}, entries}, err
	case !mode.IsRegular():
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("it is not a regular file")}
	}
	if data, ok := c.file[at]; ok {
		return &openFile{info: info{st}, read: func(offset, n int) ([]byte, error) { return data[offset:min(offset+n, len(data))], nil }}, nil
	}
	return &openFile{info: info{st}, read: func(offset, n int) ([]byte, error) {
		return c.holding(at).ReadFile(c.ctx, gateway.ReadRequest{Filename: at, Range: &gateway.FileRange{Offset: offset, Length: n}})
	}}, nil
}

// Stat implements fs.StatFS.
func (c *contextFS) Stat(name string) (fs.FileInfo, error) {
	_, st, err := c.find("stat", name, true)
	if err != nil {
		return nil, err
	}
	return info{st}, nil
}

// Lstat implements fs.ReadLinkFS.
func (c *contextFS) Lstat(name string) (fs.FileInfo, error) {
	_, st, err := c.find("lstat", name, false)
	if err != nil {
		return nil, err
	}
	return info{st}, nil
}

// ReadLink implements fs.ReadLinkFS.
func (c *contextFS) ReadLink(name string) (string, error) {
	_, st, err := c.find("readlink", name, false)
	if err == nil && modeOf(st)&fs.ModeSymlink == 0 {
		err = &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	if err != nil {
		return "", err
	}
	return st.Linkname, nil
}

// ReadDir implements fs.ReadDirFS.
func (c *contextFS) ReadDir(name string) ([]fs.DirEntry, error) {
	at, st, err := c.find("readdir", name, true)
	if err == nil && !modeOf(st).IsDir() {
		err = &fs.PathError{Op: "readdir", Path: name, Err: errors.New("it is not a directory")}
	}
	if err != nil {
		return nil, err
	}
	list, err := c.list(at)
	if err != nil {
		return nil, err
	}
	entries := make([]fs.DirEntry, len(list))
	for i, st := range list {
		entries[i] = fs.FileInfoToDirEntry(info{st})
	}
	return entries, nil
}

// find follows a path, its last link too if that is wanted, and returns where it leads and what is there.
func (c *contextFS) find(op, name string, follow bool) (string, *types.Stat, error) {
	failed := func(err error) (string, *types.Stat, error) {
		return "", nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	if !fs.ValidPath(name) {
		return failed(fs.ErrInvalid)
	}
	rest, at, st := strings.Split(name, "/"), ".", &types.Stat{Path: ".", Mode: uint32(fs.ModeDir | 0o755)}
	for links := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		if part == "." || part == "" {
			continue
		}
		if !modeOf(st).IsDir() {
			return failed(fs.ErrNotExist)
		}
		next := path.Join(at, part)
		if strings.HasPrefix(next, "..") && !fs.ValidPath(next) {
			return failed(projectdir.ErrOutside)
		}
		found, err := c.entry(next)
		if err != nil {
			return failed(err)
		}
		if modeOf(found)&fs.ModeSymlink == 0 || len(rest) == 0 && !follow {
			at, st = next, found
			continue
		}
		if links++; links > maxLinks {
			return failed(errors.New("too many links"))
		}
		if path.IsAbs(found.Linkname) {
			return failed(projectdir.ErrOutside)
		}
		rest = append(strings.Split(found.Linkname, "/"), rest...)
	}
	return at, st, nil
}

// entry is what lies at a path on whose way there is no link.
func (c *contextFS) entry(at string) (*types.Stat, error) {
	if at == "." {
		return &types.Stat{Path: ".", Mode: uint32(fs.ModeDir | 0o755)}, nil
	}
	list, err := c.list(path.Dir(at))
	if err != nil {
		return nil, err
	}
	i, ok := slices.BinarySearchFunc(list, path.Base(at), func(st *types.Stat, name string) int { return strings.Compare(path.Base(st.Path), name) })
	if !ok {
		return nil, fs.ErrNotExist
	}
	return list[i], nil
}

// list is what lies in a directory on whose way there is no link, by name.
func (c *contextFS) list(dir string) ([]*types.Stat, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if list, ok := c.dirs[dir]; ok {
		return list, nil
	}
	list, err := c.sent(dir)
	if err != nil {
		return nil, err
	}
	for name, data := range c.file {
		if path.Dir(name) == dir {
			list = slices.DeleteFunc(list, func(st *types.Stat) bool { return path.Base(st.Path) == path.Base(name) })
			list = append(list, &types.Stat{Path: path.Base(name), Mode: 0o644, Size: int64(len(data))})
		}
	}
	slices.SortFunc(list, func(a, b *types.Stat) int { return cmp.Compare(path.Base(a.Path), path.Base(b.Path)) })
	c.dirs[dir] = list
	return list, nil
}

// sent is what lies in a directory of the context, and beside that of more: there everything is a file or a directory.
func (c *contextFS) sent(dir string) (list []*types.Stat, err error) {
	if !c.from[dir] {
		if list, err = c.ref.ReadDir(c.ctx, gateway.ReadDirRequest{Path: dir}); err != nil || c.more == nil {
			return list, err
		}
	}
	extra, err := c.more.ReadDir(c.ctx, gateway.ReadDirRequest{Path: dir})
	if err != nil {
		return list, nil //nolint:nilerr // it has no such directory
	}
	for _, st := range extra {
		if name := path.Base(st.Path); !slices.ContainsFunc(list, func(have *types.Stat) bool { return path.Base(have.Path) == name }) {
			list = append(list, st)
			c.from[path.Join(dir, name)] = true
		}
	}
	return list, nil
}

// holding is the result that has a file.
func (c *contextFS) holding(at string) gateway.Reference {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.from[at] {
		return c.more
	}
	return c.ref
}

// modeOf is a file's mode in Go's bits, as fsutil sends it.
func modeOf(st *types.Stat) fs.FileMode { return fs.FileMode(st.Mode) }

// info describes a file.
type info struct{ st *types.Stat }

func (i info) Name() string       { return path.Base(i.st.Path) }
func (i info) Size() int64        { return i.st.Size }
func (i info) Mode() fs.FileMode  { return modeOf(i.st) }
func (i info) ModTime() time.Time { return time.Unix(0, i.st.ModTime) }
func (i info) IsDir() bool        { return i.Mode().IsDir() }
func (i info) Sys() any           { return nil }

// piece is how much of a file is asked for at once: one answer may hold at most 16 MiB.
const piece = 1 << 20

// openFile is a file that is read in pieces.
type openFile struct {
	info
	read   func(offset, n int) ([]byte, error)
	offset int
	have   []byte
}

// Stat implements fs.File.
func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }

// Close implements fs.File.
func (f *openFile) Close() error { return nil }

// Read implements fs.File.
func (f *openFile) Read(to []byte) (n int, err error) {
	if len(f.have) == 0 && int64(f.offset) < f.Size() {
		if f.have, err = f.read(f.offset, piece); err != nil {
			return 0, &fs.PathError{Op: "read", Path: f.st.Path, Err: err}
		}
		f.offset += len(f.have)
	}
	if len(f.have) == 0 && len(to) > 0 {
		return 0, io.EOF
	}
	n = copy(to, f.have)
	f.have = f.have[n:]
	return n, nil
}

// openDir is a directory that is read.
type openDir struct {
	info
	rest []fs.DirEntry
}

// Stat implements fs.File.
func (d *openDir) Stat() (fs.FileInfo, error) { return d.info, nil }

// Close implements fs.File.
func (d *openDir) Close() error { return nil }

// Read implements fs.File.
func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.st.Path, Err: errors.New("it is a directory")}
}

// ReadDir implements fs.ReadDirFile.
func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		all := d.rest
		d.rest = nil
		return all, nil
	}
	if len(d.rest) == 0 {
		return nil, io.EOF
	}
	some := d.rest[:min(n, len(d.rest))]
	d.rest = d.rest[len(some):]
	return some, nil
}
