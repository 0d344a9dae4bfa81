package profiles

import (
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// driveModel is a file that Google Drive shares.
var driveModel = modelSource{kind: recipe.ModelDrive, key: "gdrive", keys: []string{"sha256", "endpoint", "secret", "unpack"}, read: readDriveModel}

var driveID = lazyregexp.New(`^[A-Za-z0-9_-]{10,128}$`)

func readDriveModel(t files.Tree, _ modelSpec, value yamldoc.String) recipe.ModelSource {
	if !driveID.MatchString(value.Value) {
		t.Specf(value.At, "%q is not the id of a file in Google Drive", value.Value).Hint("it is the part behind /d/ in the link that Drive shares")
	}
	return recipe.ModelSource{Repo: value.Value}
}
