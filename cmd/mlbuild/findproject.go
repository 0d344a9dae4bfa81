package main

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/mlbuild/mlbuild/profiles"
)

// projectInputs are files that make a directory a project of its own, without a project file: nobody looks further up from there.
var projectInputs = []string{
	"requirements.txt", "requirements.in", "pyproject.toml", "setup.py", "setup.cfg", "uv.lock", "poetry.lock", "Pipfile", "Pipfile.lock", "environment.yml", "environment.yaml",
}

// findProject returns the directory of the project that a directory belongs to: itself, or the nearest above with a project file. It looks up to the root of the
// git repository; and neither at the home directory, nor at one that everybody may write to, nor above.
func findProject(dir string) string {
	home, _ := os.UserHomeDir() // none is no end of the search
	has := func(dir string, names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool {
			_, err := os.Lstat(filepath.Join(dir, name))
			return err == nil
		})
	}
	if has(dir, append([]string{profiles.FileName}, projectInputs...)...) {
		return dir
	}
	for at := dir; !has(at, ".git"); {
		above := filepath.Dir(at)
		info, err := os.Stat(above)
		if above == at || above == home || err != nil || info.Mode()&0o002 != 0 {
			break
		}
		if at = above; has(at, profiles.FileName) {
			return at
		}
	}
	return dir
}
