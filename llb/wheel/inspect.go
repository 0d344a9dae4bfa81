package wheel

import (
	"io"
	"path"
)

// File is a file that a wheel installs.
type File struct {
	Path string // absolute, as the image sees it
	Hash string // algorithm=urlsafe base64, as RECORD writes it
	Size int64  // bytes
	Mode uint32 // permission bits
	Part int    // of Options.Part.N parts, the one it is in
}

// Inspect lists what Install would write, sorted by path, without writing it. Contents are not read and so not checked: a
// wheel may pass here and fail there. Two wheels that list one path with different hashes overwrite each other. The
// faults are those of Install.
func Inspect(wheelPath string, o Options) ([]File, error) {
	f, p, err := openPlan(wheelPath, o)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return p.list(), nil
}

// InspectReader is Inspect of a wheel of size bytes behind r, which may fetch ranges from afar; name is its file name.
func InspectReader(r io.ReaderAt, size int64, name string, o Options) ([]File, error) {
	p, err := newPlan(source{r: r, size: size, name: name}, o)
	if err != nil {
		return nil, err
	}
	return p.list(), nil
}

func (p *plan) list() []File {
	files := make([]File, len(p.files))
	for i, f := range p.files {
		files[i] = File{Path: path.Join(Venv, f.path), Hash: f.hash, Size: f.size, Mode: f.mode, Part: f.part}
	}
	return files
}
