package wheel

import (
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Options say how a wheel is installed.
type Options struct {
	Python    string   // "3.11": names the lib directory
	Part      Part     // which part to write; zero = all
	DirectURL []byte   // contents of direct_url.json (PEP 610), nil = none
	Requested bool     // write REQUESTED: the user asked for this package by name
	AllowPth  []string // "project/file.pth": files that may run code at every start of Python
	Prune     Pruning  // files that are left out
	Workers   int      // goroutines that inflate, 0 = one for each CPU
	// Replace lets a file take the place of one that is already there. Otherwise that is an error.
	Replace bool
	Strict  bool // refuse what installers take although it is not as the specification wants it
}

// Installed is what Install did.
type Installed struct {
	Name     string   // as METADATA writes it
	Version  string   // as METADATA writes it
	Files    int      // written
	Bytes    int64    // written
	Replaced []string // absolute paths, as the image sees them, that were there with other bytes; sorted
	Flaws    []string // in what the wheel is not as the specification wants it; sorted
}

func checkOptions(o Options) error {
	if err := checkPython(o.Python); err != nil {
		return err
	}
	for _, a := range o.AllowPth {
		if p, f, ok := strings.Cut(a, "/"); !ok || p == "" || f == "" {
			return fault.New(fault.Usage, "allowed start-up file %q is not of the form project/file.pth", a)
		}
	}
	return o.Part.check()
}

// Install writes the files of a wheel below root, the root directory of an image, into the virtual environment Venv.
// Directories on the way are made. Every file and directory that it touches, root itself included, gets the modes and
// times of the layout; owner is whoever calls, so call it as root with umask of any kind.
//
// For a malformed or hostile wheel it returns fault.WheelUnsafe faults, for a full disk fault.Disk. Contents are checked while they are
// written: after an error root holds a part of the files and must be thrown away. Nothing is ever written outside root.
func Install(root *os.Root, wheelPath string, o Options) (*Installed, error) {
	f, p, err := openPlan(wheelPath, o)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var files []*file
	done := &Installed{Name: p.name, Version: p.version}
	for _, f := range p.files {
		if f.part == o.Part.K {
			files = append(files, f)
		}
	}
	done.Files = len(files)
	dirs := dirsOf(files)
	if err := makeDirs(root, dirs, p.rep); err != nil {
		return nil, err
	}
	w := &writer{plan: p, root: root}
	if err := w.writeAll(files, workers(o.Workers)); err != nil {
		return nil, err
	}
	for _, f := range files {
		done.Bytes += f.size
	}
	done.Replaced = slices.Sorted(slices.Values(w.replaced))
	done.Flaws = slices.Sorted(slices.Values(p.rep.flaws))
	return done, finishDirs(root, dirs)
}

func workers(n int) int {
	if n > 0 {
		return n
	}
	return runtime.GOMAXPROCS(0)
}

// openPlan opens a wheel and plans it. The caller closes the file.
func openPlan(wheelPath string, o Options) (*os.File, *plan, error) {
	f, err := os.Open(wheelPath)
	if err != nil {
		return nil, nil, ioFault(err, "open the wheel")
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, nil, ioFault(err, "look at the wheel")
	}
	p, err := newPlan(source{r: f, size: info.Size(), name: filepath.Base(wheelPath)}, o)
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, p, nil
}

// inRoot is the path of a file of the virtual environment below the root.
func inRoot(p string) string { return path.Join(strings.TrimPrefix(Venv, "/"), p) }

// dirsOf lists the directories that the files need, relative to the root, parents first, the root itself as ".".
func dirsOf(files []*file) []string {
	seen := map[string]bool{".": true}
	dirs := []string{"."}
	for _, f := range files {
		for dir := path.Dir(inRoot(f.path)); !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
			dirs = append(dirs, dir)
		}
	}
	slices.Sort(dirs)
	return dirs
}

// makeDirs makes the directories and gives them their mode whatever the umask is.
func makeDirs(root *os.Root, dirs []string, rep *report) error {
	for _, dir := range dirs {
		if info, err := root.Lstat(dir); err == nil && !info.IsDir() {
			return rep.unsafe("/"+dir, "it is needed as a directory, but another wheel has a file of this name")
		} else if err != nil {
			if err := root.Mkdir(dir, modeDir); err != nil {
				return ioFault(err, "make a directory")
			}
		}
		if err := root.Chmod(dir, modeDir); err != nil {
			return ioFault(err, "set the mode of a directory")
		}
	}
	return nil
}

// finishDirs sets the times of the directories, which writing into them has changed.
func finishDirs(root *os.Root, dirs []string) error {
	for _, dir := range slices.Backward(dirs) {
		if err := root.Chtimes(dir, ModTime, ModTime); err != nil {
			return ioFault(err, "set the time of a directory")
		}
	}
	return nil
}
