// Package statefile writes the files of the client's own state directory. A path and contents come in; a file that nobody sees half written comes out.
//
// Put is all there is.
package statefile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Put writes a file beside a path, mode 0600, and has put bring it there in one step: os.Rename in the place of another, os.Link where there is none yet (else fs.ErrExist). The
// directory must be there.
func Put(path string, data []byte, put func(from, to string) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return put(f.Name(), path)
}
