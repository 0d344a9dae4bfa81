package files

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// The longest name and path that Linux takes, in bytes.
const (
	maxName = 255
	maxPath = 4096
)

// check checks a file, or everything below a directory, and where it comes to lie.
func (c *copier) check(source, to string, at fault.Position) {
	why, open := badFile(to, c.side.Workdir)
	if why != "" && recipe.InEnvironment(to) {
		why, _ = environmentFile(to, c.side.Python, false)
	}
	if why != "" {
		c.Specf(at, "%s would be copied to %s, over %s of the system", source, to, Under(to, systemTrees))
		return
	}
	if open {
		c.system = append(c.system, to)
	}
	if Under(to, []string{"/root"}) != "" && c.side.User.UID != 0 {
		c.closed = append(c.closed, to)
	}
	err := fs.WalkDir(c.FS, source, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			if name == source || !c.ignore.leavesAll(name) {
				c.unreadable(name, err, at)
			}
			return Skip(d)
		}
		if name != source && c.excluded != nil && c.excluded.matches(name) {
			if d.IsDir() && !c.excluded.Exclusions() {
				return fs.SkipDir
			}
			if !d.IsDir() {
				return nil
			}
		}
		if name != source && c.ignore.leaves(name, d) {
			if d.IsDir() && !c.ignore.exceptions {
				return fs.SkipDir
			}
			if !d.IsDir() {
				return nil
			}
		}
		if d.IsDir() || c.full {
			return nil
		}
		c.file(name, path.Join(to, within(source, name)), d, at)
		return nil
	})
	if err != nil {
		c.unreadable(source, err, at)
	}
}

// within is the path of a file from the file or directory that is copied.
func within(source, name string) string {
	if source == "." {
		return name
	}
	return strings.TrimPrefix(strings.TrimPrefix(name, source), "/")
}

// Follow is Tree.Follow for a file that is copied, and so can be left out.
func (c *copier) Follow(name string, at fault.Position) (resolved string, ok bool) {
	return c.follow(name, at, "copy the file into the project, or list the link in .dockerignore")
}

// Skip leaves out a file or a whole directory of fs.WalkDir.
func Skip(d fs.DirEntry) error {
	if d != nil && d.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// file checks one file of the app.
func (c *copier) file(name, to string, d fs.DirEntry, at fault.Position) {
	if other, taken := c.placed[to]; taken && other != name {
		c.Specf(at, "%s and %s would both become %s", other, name, to).Hint("give one of them another destination with to:")
		return
	}
	c.placed[to] = name
	if !c.named(name, to, at) {
		return
	}
	info, err := d.Info()
	if err != nil {
		c.unreadable(name, err, at)
		return
	}
	switch mode := info.Mode(); {
	case mode&fs.ModeSymlink != 0:
		if target, ok := c.Follow(name, at); ok {
			c.links = append(c.links, link{name, target})
		}
	case !mode.IsRegular():
		c.Add(Irregular(name, mode).In(at))
	default:
		c.readable(name, mode, at)
		if !c.counted[name] && c.LFSPointer(name, info.Size()) {
			c.pointers = append(c.pointers, name)
		}
		c.size(name, info.Size(), at)
	}
}

// readable opens a file that not everybody may read: that it cannot be read would else be found by the daemon, in the middle of the build.
func (c *copier) readable(name string, mode fs.FileMode, at fault.Position) {
	if c.counted[name] || mode.Perm()&0o444 == 0o444 {
		return
	}
	f, err := c.FS.Open(name)
	if err != nil {
		c.unreadable(name, err, at)
		return
	}
	_ = f.Close()
}

func (c *copier) unreadable(name string, err error, at fault.Position) {
	f := fault.New(fault.Context, "%s cannot be read: %w", name, err).In(at)
	if errors.Is(err, fs.ErrPermission) {
		f.Hint("chmod +r %s, or list it in .dockerignore", name)
	}
	c.Add(f)
}

// named refuses a name that an archive, the image's file system or a colleague's machine cannot hold.
func (c *copier) named(name, to string, at fault.Position) bool {
	const hint = "rename it, or list it in .dockerignore"
	lower := strings.ToLower(to)
	other, taken := c.folded[lower]
	c.folded[lower] = to
	switch {
	case !utf8.ValidString(name):
		c.Add(fault.New(fault.Context, "the name of %q is not UTF-8, which the layers of an image want", name).In(at).Hint(hint))
	case strings.ContainsFunc(name, unicode.IsControl):
		c.Add(fault.New(fault.Context, "the name of %q holds a control character", name).In(at).Hint(hint))
	case len(path.Base(to)) > maxName || len(to) >= maxPath:
		c.Add(fault.New(fault.Context, "the path %s… is too long: %d bytes, and its last part has %d; the limits are %d and %d", to[:60], len(to), len(path.Base(to)), maxPath-1, maxName).In(at).Hint(hint))
	case taken && other != to:
		c.Add(fault.New(fault.Context, "%s and %s differ only in the case of letters: where file systems ignore case, one of them is missing and the image is another", other, to).In(at).Hint(hint))
	default:
		return true
	}
	return false
}

// Irregular is the E-CONTEXT fault of what is neither a file, a directory nor a link: a FIFO, a socket or a device.
func Irregular(name string, mode fs.FileMode) *fault.Fault {
	what := "no regular file"
	switch {
	case mode&fs.ModeNamedPipe != 0:
		what = "a FIFO"
	case mode&fs.ModeSocket != 0:
		what = "a socket"
	case mode&fs.ModeDevice != 0:
		what = "a device"
	}
	return fault.New(fault.Context, "%s is %s, which cannot be copied into an image", name, what).
		Hint("remove it, or list it in .dockerignore")
}

// size adds up what the rules copy and stops at the limits.
func (c *copier) size(name string, bytes int64, at fault.Position) {
	if c.counted[name] {
		return
	}
	c.counted[name] = true
	c.total += bytes
	top, _, _ := strings.Cut(name, "/")
	c.byTop[top] += bytes
	const hint = "large data and model weights belong in a volume that the container mounts, not in the image"
	if bytes > maxAppFile {
		c.Add(fault.New(fault.Context, "%s has %.1f GiB, the limit for one file is %d GiB", name, gib(bytes), maxAppFile>>30).
			In(at).Hint(hint))
	}
	switch {
	case c.total > maxAppTotal:
		c.full = true
		c.Add(fault.New(fault.Context, "the files to copy have more than %d GiB", maxAppTotal>>30).In(at).Hint(hint))
	case len(c.counted) > maxAppFiles:
		c.full = true
		c.Add(fault.New(fault.Context, "more than %d files would be copied", maxAppFiles).In(at).
			Hint("leave out what the image does not need: name directories in app.copy, or use .dockerignore"))
	}
}

func gib(bytes int64) float64 { return float64(bytes) / (1 << 30) }
