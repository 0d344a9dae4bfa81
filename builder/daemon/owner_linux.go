package daemon

import (
	"path/filepath"
	"slices"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// checkOwner refuses a socket that mlbuild found by itself and that is none of the users': who listens there gets the secrets and makes the image. In a directory of somebody else it
// could be replaced.
func checkOwner(socket string, users ...int) error {
	for _, path := range []string{socket, filepath.Dir(socket)} {
		owner := ownerOf(path)
		if owner < 0 { // connecting says why
			continue
		}
		if !slices.Contains(append(users, 0), owner) || path == socket && !slices.Contains(users, owner) {
			return fault.New(fault.Daemon, "%s belongs to uid %d, so it is not used", path, owner)
		}
	}
	return nil
}
