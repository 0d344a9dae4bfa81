package ops

import (
	"encoding/json"
	"fmt"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// ByKey keeps the daemon from hashing what is mounted: the key of what made it already stands for its bytes.
var ByKey = bkllb.ContentCache(bkllb.MountContentCacheOff)

// ScriptDir is where a step finds one of our scripts and what it is told.
const ScriptDir = "/run/mlbuild/build"

// Script holds a script as run.py, what it is told as JSON under a name, and further files; for a mount at ScriptDir.
func Script(text, name string, job any, files []recipe.File, c bkllb.ConstraintsOpt) (bkllb.State, error) {
	data, err := json.Marshal(job)
	if err != nil {
		return bkllb.State{}, fmt.Errorf("encode %s: %w", name, err)
	}
	files = append(files, recipe.File{Path: "run.py", Data: text}, recipe.File{Path: name, Data: string(data)})
	return bkllb.Scratch().File(FilesOf(files), c), nil
}
