package localfs

import (
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/mlbuild/mlbuild/builder/statefile"
)

// largeFile is from how many bytes on the sum of a file is remembered. Smaller ones are read as quickly as their sums are found in a list.
const largeFile = 1 << 20

// tick is how long the clock of a file system may stand still: changes within one have the same time.
const tick = 2 * time.Second

// identity is what the kernel alone sets when a file is changed: the time of change (ctime) cannot be set back.
type identity struct {
	Size    int64  `json:"size"`
	Inode   uint64 `json:"inode"`
	Device  uint64 `json:"device"`
	Changed int64  `json:"changed"` // nanoseconds since 1970
}

type known struct {
	identity
	Sum string `json:"sha256"` // hex
}

// sums are the sums of a project's large files, as far as they are known from earlier runs.
type sums struct {
	mu    sync.Mutex
	path  string // of the list; "" = nothing is remembered
	files map[string]known
	fresh bool      // there is something to write
	clock time.Time // of the state's file system, from before the first file was read
}

// openSums reads the list of the project with that key. One that cannot be read is as good as none.
func openSums(state, key string) *sums {
	s := &sums{files: map[string]known{}}
	if state == "" || os.MkdirAll(filepath.Join(state, "sums"), 0o700) != nil {
		return s
	}
	s.path = filepath.Join(state, "sums", key+".json")
	if data, err := os.ReadFile(s.path); err != nil || json.Unmarshal(data, &s.files) != nil {
		s.files = map[string]known{}
	}
	return s
}

// of returns the sum of an open file, from the list where it says that this is the same file, unchanged.
func (s *sums) of(name string, f *os.File, info fs.FileInfo) (sum, error) {
	id, ok := identityOf(info)
	if !ok || s.path == "" || info.Size() < largeFile {
		return sumOf(f, info.Size())
	}
	if sum, ok := s.lookup(name, id); ok {
		return sum, nil
	}
	sum, err := sumOf(f, info.Size())
	if err == nil {
		s.remember(name, f, id, sum)
	}
	return sum, err
}

func (s *sums) lookup(name string, id identity) (out sum, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clock.IsZero() {
		s.clock = clockOf(filepath.Dir(s.path))
	}
	was, ok := s.files[name]
	if !ok || was.identity != id {
		return out, false
	}
	return out, decode(out[:], was.Sum)
}

// remember notes a sum, unless the file was changed in the meantime, or so short a while ago that a change to come could have the same time.
func (s *sums) remember(name string, f *os.File, id identity, sum sum) {
	info, err := f.Stat()
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now, _ := identityOf(info)
	if now != id || s.clock.IsZero() || !time.Unix(0, id.Changed).Add(tick).Before(s.clock) {
		return
	}
	s.files[name], s.fresh = known{id, hex.EncodeToString(sum[:])}, true
}

// save writes the list, without files that are gone. A list that cannot be written costs the next run a read of the files.
func (s *sums) save(there func(name string) bool) {
	if !s.fresh {
		return
	}
	for name := range s.files {
		if !there(name) {
			delete(s.files, name)
		}
	}
	data, err := json.Marshal(s.files)
	if err == nil {
		_ = statefile.Put(s.path, data, os.Rename)
	}
}

// clockOf returns the time by the clock of a directory's file system, zero if it cannot be had.
func clockOf(dir string) (now time.Time) {
	f, err := os.CreateTemp(dir, ".clock-")
	if err != nil {
		return now
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if info, err := f.Stat(); err == nil {
		now = info.ModTime()
	}
	return now
}

// decode reads hex that is to fill out.
func decode(out []byte, text string) bool {
	data, err := hex.DecodeString(text)
	return err == nil && copy(out, data) == len(out) && len(data) == len(out)
}
