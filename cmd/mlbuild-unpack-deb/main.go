// Command mlbuild-unpack-deb lays Debian packages into a directory, in a container that holds nothing else. mlbuild carries it to the build daemon, apart
// from the program for wheels: its bytes are part of the cache key of every layer of packages, and of no layer of wheels.
//
//	mlbuild-unpack-deb install -out DIR -arch amd64 [-link /bin=usr/bin]… [-docs] FILE.deb…
//	mlbuild-unpack-deb state   -out DIR -arch amd64 [-link /bin=usr/bin]… -base DIR FILE.deb…
//	mlbuild-unpack-deb ways    -out FILE -arch amd64 -base DIR FILE.deb…
//	mlbuild-unpack-deb ldcache -out DIR -arch amd64 -base DIR [-dir DIR]… LAYER…
//
// The first lays packages down, the second what their maintainer scripts would set up, the third writes which way each package goes, as JSON, the fourth the loader's cache of
// a base with the layers, which are directories. Faults
// are printed to stderr, one a line; the exit status is 1 after a fault, 2 after a wrong command line.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/mlbuild/mlbuild/llb/deb"
	"github.com/mlbuild/mlbuild/llb/deb/script"
	"github.com/mlbuild/mlbuild/llb/deb/state"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stderr))
}

// command is a parsed command line.
type command struct {
	name      string
	out, base string
	options   deb.Options
	packages  []string
	dirs      []string // of libraries
}

var commands = map[string]func(*command) error{
	"install": (*command).install, "state": (*command).state, "ways": (*command).ways, "ldcache": (*command).ldcache,
}

func run(args []string, stderr io.Writer) int {
	if len(args) == 0 || commands[args[0]] == nil {
		fmt.Fprintln(stderr, "mlbuild-unpack-deb: the commands are install, state, ways and ldcache")
		return 2
	}
	c := &command{name: args[0], options: deb.Options{SlimDocs: true, Links: map[string]string{}, DirTime: wheel.ModTime}}
	if err := c.parse(args[1:], stderr); err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	faults := fault.All(commands[c.name](c))
	for _, f := range faults {
		fmt.Fprintln(stderr, strings.ReplaceAll(f.Error(), "\n", " "))
	}
	return min(len(faults), 1)
}

func (c *command) parse(args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("mlbuild-unpack-deb "+c.name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&c.out, "out", "", "root `directory` to write below, or file")
	flags.StringVar(&c.base, "base", "", "root `directory` of the base")
	flags.StringVar(&c.options.Arch, "arch", "", "Debian's `name` of the architecture")
	flags.BoolFunc("docs", "keep documentation", func(string) error {
		c.options.SlimDocs = false
		return nil
	})
	flags.Func("dir", "`directory` of libraries that the loader is told of otherwise (repeats)", func(s string) error {
		c.dirs = append(c.dirs, s)
		return nil
	})
	flags.Func("link", "symbolic `link=target` of the base (repeats)", func(s string) error {
		link, target, ok := strings.Cut(s, "=")
		if !ok {
			return fmt.Errorf("want link=target")
		}
		c.options.Links[link] = target
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	if c.packages = flags.Args(); c.out == "" || len(c.packages) == 0 || c.name != "install" && c.base == "" {
		return fault.New(fault.Usage, "mlbuild-unpack-deb %s needs -out, packages or layers, and -base unless it unpacks", c.name)
	}
	return nil
}

// install lays the packages into one root, without the files that their scripts would remove.
func (c *command) install() error {
	_, err := c.installInto(c.out)
	return err
}

func (c *command) installInto(dir string) (state.Effects, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return state.Effects{}, fault.New(fault.Internal, "open the output directory: %w", err)
	}
	defer root.Close()
	var faults fault.List
	var all []state.Effects
	for _, path := range c.packages {
		effects, err := c.installOne(root, path)
		faults = append(faults, fault.All(err)...)
		all = append(all, effects)
	}
	return state.Merge(all...), faults.Err()
}

func (c *command) installOne(root *os.Root, path string) (state.Effects, error) {
	info, err := deb.Inspect(path)
	if err != nil {
		return state.Effects{}, err
	}
	effects := script.Decide(info).Effects
	o := c.options
	for _, r := range effects.Removed {
		o.Without = append(o.Without, r.Path)
	}
	_, err = deb.Install(root, path, o)
	return effects, err
}

// state writes what the packages' scripts would set up. It looks at the packages' files, so it lays them down beside.
func (c *command) state() error {
	scratch, err := os.MkdirTemp("", "packages")
	if err != nil {
		return fault.New(fault.Internal, "make a directory for the packages: %w", err)
	}
	defer os.RemoveAll(scratch)
	effects, err := c.installInto(scratch)
	if err != nil {
		return err
	}
	links, err := deb.NewLinkTable(c.options.Links)
	if err != nil {
		return fault.New(fault.Usage, "links of the base: %w", err)
	}
	files, err := state.Files(effects, state.Image{Base: os.DirFS(c.base), Packages: os.DirFS(scratch), Links: links})
	if err != nil {
		return err
	}
	c.options.Dir = dirsLike(files, scratch, c.base)
	root, err := os.OpenRoot(c.out)
	if err != nil {
		return fault.New(fault.Internal, "open the output directory: %w", err)
	}
	defer root.Close()
	return deb.Place(root, files, c.options)
}

// dirsLike gives the directories above the files the mode and owner that they have in one of the roots, in this order. A directory that is
// among the files is as it is there.
func dirsLike(files []deb.Made, roots ...string) func(string) (deb.Dir, bool) {
	made := map[string]bool{"/": true} // a layer has no entry of it
	for _, f := range files {
		made[f.Path] = made[f.Path] || f.Kind == deb.Folder
	}
	return func(path string) (deb.Dir, bool) {
		for _, root := range roots {
			info, err := os.Lstat(filepath.Join(root, path))
			if made[path] || err != nil || !info.IsDir() {
				continue
			}
			if st, ok := info.Sys().(*syscall.Stat_t); ok {
				return deb.Dir{Mode: st.Mode & 0o7777, UID: int(st.Uid), GID: int(st.Gid)}, true
			}
		}
		return deb.Dir{}, false
	}
}

// way is how one package goes, for the lock.
type way struct {
	Package string     `json:"package"`
	Way     script.Way `json:"way"`
	Reason  string     `json:"reason"`
}

// ways reads the scripts of every package and holds what they take for granted against the base and the other packages, and its files against what the base
// watches.
func (c *command) ways() error {
	base, err := newSystem(c.base)
	if err != nil {
		return err
	}
	var infos []deb.Info
	var faults fault.List
	for _, path := range c.packages {
		info, err := deb.Inspect(path)
		if err == nil {
			err = deb.CheckArch(info, c.options.Arch)
		}
		faults = append(faults, fault.All(err)...)
		infos = append(infos, info)
	}
	if err := faults.Err(); err != nil {
		return err
	}
	all := make([]way, len(infos))
	for i, info := range infos {
		all[i] = base.wayOf(info, infos)
	}
	data, err := json.Marshal(all)
	if err == nil {
		err = os.WriteFile(c.out, data, 0o644)
	}
	if err != nil {
		return fault.New(fault.Internal, "write the ways of the packages: %w", err)
	}
	return nil
}
