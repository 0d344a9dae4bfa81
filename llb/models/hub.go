package models

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

const hubServer = "https://huggingface.co"

// hubSource is a repository of the Hugging Face Hub, or of a server that answers like it.
type hubSource struct{ httpSource }

func (hubSource) url(s recipe.ModelSource, _ bool, revision, path string) string {
	return fmt.Sprintf("%s/%s/resolve/%s/%s", cmp.Or(s.Endpoint, hubServer), s.Repo, url.PathEscape(revision), escapePath(path))
}

// HubListURL is where the hub lists the files of a model's repository, with sizes and hashes.
func HubListURL(model *recipe.Model) string {
	s := model.Source
	kind, repo := "models", s.Repo
	for _, k := range []string{"datasets", "spaces"} {
		if rest, ok := strings.CutPrefix(s.Repo, k+"/"); ok {
			kind, repo = k, rest
		}
	}
	return fmt.Sprintf("%s/api/%s/%s/revision/%s?blobs=true", cmp.Or(s.Endpoint, hubServer), kind, repo, url.PathEscape(s.Revision))
}
