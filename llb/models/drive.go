package models

import (
	"cmp"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

const (
	driveServer = "https://drive.usercontent.google.com"
	driveAPI    = "https://www.googleapis.com"
)

// driveSource is a file of Google Drive. One that is not open to all is asked of Drive's API.
type driveSource struct{ httpSource }

func (driveSource) url(s recipe.ModelSource, secret bool, _, _ string) string {
	if secret {
		return cmp.Or(s.Endpoint, driveAPI) + "/drive/v3/files/" + s.Repo + "?alt=media&supportsAllDrives=true"
	}
	return cmp.Or(s.Endpoint, driveServer) + "/download?id=" + s.Repo + "&export=download&confirm=t"
}
