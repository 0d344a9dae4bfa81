package wheel

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"sync"
	"sync/atomic"
)

// ownJob is the size in bytes from which a file is a job of its own; smaller ones of a directory are written together.
const ownJob = 1 << 20

// job is files of one directory that one worker writes.
type job struct {
	dir   string // relative to the root
	files []*file
	bytes int64
}

// jobs cuts files into jobs, most bytes first, so that the workers end together.
func jobs(files []*file) []*job {
	var all []*job
	small := map[string]*job{}
	for _, f := range files {
		dir := path.Dir(inRoot(f.path))
		j := small[dir]
		if j == nil || f.size >= ownJob {
			j = &job{dir: dir}
			all = append(all, j)
			if f.size < ownJob {
				small[dir] = j
			}
		}
		j.files = append(j.files, f)
		j.bytes += f.size
	}
	slices.SortStableFunc(all, func(a, b *job) int { return cmp.Compare(b.bytes, a.bytes) })
	return all
}

// writer writes the files of one plan.
type writer struct {
	plan *plan
	root *os.Root

	stop     atomic.Bool // an error that is no fault of the wheel: writing on makes no sense
	mu       sync.Mutex
	failed   map[*file]error
	wrong    map[*file]string // the hash of a file that RECORD says otherwise, or not at all
	replaced []string         // absolute paths
}

// writeAll writes the files on n workers. RECORD comes after all others: it says what they turned out to be.
func (w *writer) writeAll(files []*file, n int) error {
	others := slices.DeleteFunc(slices.Clone(files), func(f *file) bool { return f == w.plan.own })
	if err := w.run(jobs(others), n); err != nil || len(others) == len(files) {
		return err
	}
	w.plan.fillRecord()
	return w.run(jobs([]*file{w.plan.own}), 1)
}

// run does the jobs on n workers. The error holds the faults in the order of the files.
func (w *writer) run(all []*job, n int) error {
	w.failed, w.wrong = map[*file]error{}, map[*file]string{}
	next := make(chan *job)
	var wg sync.WaitGroup
	for range min(n, len(all)) {
		wg.Go(func() {
			x := newInflater()
			for j := range next {
				w.do(j, x)
			}
		})
	}
	for _, j := range all {
		next <- j
	}
	close(next)
	wg.Wait()
	return w.result(all)
}

// result returns the error that is no fault of the wheel, or else the wheel's faults by path.
func (w *writer) result(all []*job) error {
	var bad []*file
	for _, j := range all {
		for _, f := range j.files {
			if w.failed[f] != nil {
				bad = append(bad, f)
			}
		}
	}
	slices.SortFunc(bad, byPath)
	for _, f := range bad {
		if wf, ok := errors.AsType[writeError](w.failed[f]); ok {
			return ioFault(wf.error, "write %s", path.Join(Venv, f.path))
		}
		w.plan.rep.add(f.source(), "%w", w.failed[f])
	}
	w.correct()
	return w.plan.rep.err()
}

// correct gives each file the hash that it has, where RECORD says another one.
func (w *writer) correct() {
	wrong := slices.SortedFunc(maps.Keys(w.wrong), byPath)
	for _, f := range wrong {
		if f.hash != "" {
			w.plan.rep.flaw(f.source(), "%w", sameHash(w.wrong[f], f.hash))
		}
		f.hash = w.wrong[f]
	}
}

// source names the entry that a file comes from, or its path.
func (f *file) source() string {
	if f.entry != nil {
		return f.entry.name
	}
	return f.path
}

func (w *writer) do(j *job, x *inflater) {
	if w.stop.Load() {
		return
	}
	dir, err := w.root.OpenRoot(j.dir)
	if err != nil {
		w.fail(j.files[0], writeError{err})
		return
	}
	defer dir.Close()
	for _, f := range j.files {
		if w.stop.Load() {
			return
		}
		if err := w.write(dir, f, x); err != nil {
			w.fail(f, err)
		}
	}
}

func (w *writer) fail(f *file, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed[f] = err
	if _, ok := errors.AsType[writeError](err); ok {
		w.stop.Store(true)
	}
}

// write makes one file in dir.
func (w *writer) write(dir *os.Root, f *file, x *inflater) error {
	name := path.Base(f.path)
	out, err := w.create(dir, name, f)
	if err != nil {
		return err
	}
	if err := w.fill(out, f, x); err != nil {
		out.Close()
		return err
	}
	if err := errors.Join(out.Chmod(fs.FileMode(f.mode)), out.Close(), dir.Chtimes(name, ModTime, ModTime)); err != nil {
		return writeError{err}
	}
	return nil
}

// create opens a file that is not there yet. With Options.Replace one that is there goes first.
func (w *writer) create(dir *os.Root, name string, f *file) (*os.File, error) {
	const flags = os.O_WRONLY | os.O_CREATE | os.O_EXCL
	out, err := dir.OpenFile(name, flags, modeFile)
	if errors.Is(err, fs.ErrExist) {
		if err := w.replace(dir, name, f); err != nil {
			return nil, err
		}
		out, err = dir.OpenFile(name, flags, modeFile)
	}
	if err != nil {
		return nil, writeError{err}
	}
	return out, nil
}

// replace removes the file that is in the way of f and notes it if its bytes differ.
func (w *writer) replace(dir *os.Root, name string, f *file) error {
	info, err := dir.Lstat(name)
	if err != nil {
		return writeError{err}
	}
	if !info.Mode().IsRegular() {
		return errors.New("another wheel has a directory of this name")
	}
	if !w.plan.options.Replace {
		return errors.New("another wheel has a file of this name")
	}
	same, err := sameBytes(dir, name, f.hash)
	if err == nil {
		err = dir.Remove(name)
	}
	if err != nil {
		return writeError{err}
	}
	if !same {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.replaced = append(w.replaced, path.Join(Venv, f.path))
	}
	return nil
}

// sameBytes reports whether the file has the hash.
func sameBytes(dir *os.Root, name, hash string) (bool, error) {
	in, err := dir.Open(name)
	if err != nil {
		return false, err
	}
	defer in.Close()
	h, algorithm := newHashOf(hash) // sha256 where it is not known, which no file has
	if _, err := io.Copy(h, in); err != nil {
		return false, err
	}
	return hashString(algorithm, h.Sum(nil)) == hash, nil
}

// fill writes the contents of f and notes an entry's hash where it is not that of RECORD.
func (w *writer) fill(out *os.File, f *file, x *inflater) error {
	if f.entry == nil {
		if _, err := io.Copy(out, bytes.NewReader(f.content)); err != nil {
			return writeError{err}
		}
		return nil
	}
	h, algorithm := newHashOf(f.hash)
	if err := unpackTo(io.MultiWriter(h, out), f.entry, w.plan.r, x); err != nil {
		return err
	}
	if got := hashString(algorithm, h.Sum(nil)); got != f.hash {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.wrong[f] = got
	}
	return nil
}

// unpackTo unpacks an entry to out, a large one through a relay.
func unpackTo(out io.Writer, e *entry, r io.ReaderAt, x *inflater) error {
	if e.size < relayFrom {
		return x.unpack(out, r, e)
	}
	via := newRelay(out)
	err := x.unpack(via, r, e)
	if late := via.Close(); late != nil && err == nil {
		err = writeError{late}
	}
	return err
}
