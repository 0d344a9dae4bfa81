package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/mlbuild/mlbuild/llb/helper/plain"
)

// goPackage is a package as "go list" prints it.
type goPackage struct {
	Dir, ImportPath string
	GoFiles         []string
	Module          *struct{ Main bool }
}

// write writes the source that programs are built from, DIR/IMPORT/PATH/code.go for every package of this module that they link, and DIR/overlay.json, by which "go build -overlay" takes it in
// place of the files that it was made from.
func write(dir string, names []string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	packages, err := list(names)
	if err != nil {
		return err
	}
	replace := map[string]string{} // a file as the compiler is told of it → where it is, "" for nowhere
	for _, p := range packages {
		code, err := source(p)
		if err != nil {
			return fmt.Errorf("%s: %w", p.ImportPath, err)
		}
		for _, name := range p.GoFiles {
			replace[filepath.Join(p.Dir, name)] = ""
		}
		file := filepath.Join(dir, filepath.FromSlash(p.ImportPath), "code.go")
		replace[filepath.Join(p.Dir, "code.go")] = file
		if err := put(file, code); err != nil {
			return err
		}
	}
	overlay, err := json.MarshalIndent(map[string]any{"Replace": replace}, "", "\t")
	if err != nil {
		return err
	}
	return put(filepath.Join(dir, "overlay.json"), overlay)
}

// list returns the packages of this module that the named ones link, for the platform of the environment.
func list(names []string) ([]goPackage, error) {
	cmd := exec.Command("go", append([]string{"list", "-deps", "-json=Dir,ImportPath,GoFiles,Module"}, names...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var all []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if p.Module != nil && p.Module.Main {
			all = append(all, p)
		}
	}
}

func source(p goPackage) ([]byte, error) {
	files := map[string][]byte{}
	for _, name := range p.GoFiles {
		data, err := os.ReadFile(filepath.Join(p.Dir, name))
		if err != nil {
			return nil, err
		}
		files[name] = data
	}
	return plain.Source(files)
}

func put(file string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}
