package runner

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mlbuild/mlbuild/llb/step"
)

// packaged reports whether a package has the very file that is to come to lie at shown. If it has another one there, that is an error which begins with step.TakenCode. A
// directory that packages have is none.
func (w *collector) packaged(from, shown string, info fs.FileInfo, f step.File) (same bool, err error) {
	for _, root := range w.Packages {
		theirs := filepath.Join(root, shown)
		there, err := os.Lstat(theirs)
		switch {
		case err != nil, info.IsDir() && there.IsDir():
			continue
		case info.IsDir() || there.IsDir():
		case f.Replace:
			return false, nil
		default:
			if same, err = equal(from, theirs, info, there); same || err != nil {
				return same, err
			}
		}
		return false, fmt.Errorf("%s: %s would put another %s in place of the one that %s has", step.TakenCode, w.Step, shown, w.owner(shown))
	}
	return false, nil
}

// packageDir returns the mode of a directory of the layer that packages have too.
func (w *collector) packageDir(to string) (mode uint32, is bool) {
	for _, root := range w.Packages {
		if info, err := os.Lstat(filepath.Join(root, strings.TrimPrefix(to, w.Out))); err == nil && info.IsDir() {
			return uint32(info.Mode().Perm()), true
		}
	}
	return 0, false
}

// equal reports whether two files or links are the same, but for owner, mode and time.
func equal(a, b string, infoA, infoB fs.FileInfo) (bool, error) {
	if infoA.Mode().Type() != infoB.Mode().Type() {
		return false, nil
	}
	if infoA.Mode()&fs.ModeSymlink != 0 {
		toA, err := os.Readlink(a)
		if err != nil {
			return false, err
		}
		toB, err := os.Readlink(b)
		return toA == toB, err
	}
	if !infoA.Mode().IsRegular() || infoA.Size() != infoB.Size() {
		return false, nil
	}
	dataA, err := os.ReadFile(a)
	if err != nil {
		return false, err
	}
	dataB, err := os.ReadFile(b)
	return bytes.Equal(dataA, dataB), err
}

// owner names the package whose RECORD has a file: "unidic 1.1.0". RECORDs lie beside the modules, and their paths start there.
func (w *collector) owner(shown string) string {
	for _, root := range w.Packages {
		records, _ := filepath.Glob(filepath.Join(root, "opt/venv/lib/python*/site-packages/*.dist-info/RECORD")) // the pattern is well formed
		for _, record := range records {
			data, err := os.ReadFile(record)
			if err != nil {
				continue
			}
			info := filepath.Dir(record)
			rel, err := filepath.Rel(strings.TrimPrefix(filepath.Dir(info), root), shown)
			if err == nil && lists(data, rel) {
				name, version, _ := strings.Cut(strings.TrimSuffix(filepath.Base(info), ".dist-info"), "-")
				return strings.TrimSpace(name + " " + version)
			}
		}
	}
	return "a package"
}

// lists reports whether a RECORD, which is CSV, has a row of a path.
func lists(record []byte, path string) bool {
	quoted := "\"" + strings.ReplaceAll(path, "\"", "\"\"") + "\","
	for line := range bytes.Lines(record) {
		if bytes.HasPrefix(line, []byte(path+",")) || bytes.HasPrefix(line, []byte(quoted)) {
			return true
		}
	}
	return false
}
