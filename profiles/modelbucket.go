package profiles

import (
	"strings"

	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// s3Model and gsModel are objects in a bucket: of a store that speaks S3, and of Google Cloud Storage.
var (
	s3Model = modelSource{
		kind: recipe.ModelS3, key: "url", scheme: "s3", keys: []string{"sha256", "endpoint", "region", "secret", "unpack"}, read: readObject,
	}
	gsModel = modelSource{kind: recipe.ModelGS, key: "url", scheme: "gs", keys: []string{"sha256", "endpoint", "secret", "unpack"}, read: readObject}
)

var bucketText = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9._-]{1,221}$`)

// readObject reads scheme://bucket/key.
func readObject(t files.Tree, _ modelSpec, value yamldoc.String) recipe.ModelSource {
	scheme, rest, _ := strings.Cut(value.Value, "://")
	bucket, key, _ := strings.Cut(rest, "/")
	if !bucketText.MatchString(bucket) || key == "" || strings.HasSuffix(key, "/") || strings.ContainsAny(key, "\n\x00") {
		t.Specf(value.At, "%q does not name an object", value.Value).Hint("write %s://bucket/key; every object is a model of its own", scheme)
	}
	return recipe.ModelSource{Repo: bucket, Path: key}
}
