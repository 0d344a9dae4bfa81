package profiles

import (
	"net/url"

	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// httpModel is a file behind a URL.
var httpModel = modelSource{kind: recipe.ModelHTTP, key: "url", keys: []string{"sha256", "secret", "unpack"}, read: readHTTPModel}

// signedQuery are parameters that give whoever has the URL access to the file, and nobody else.
var signedQuery = lazyregexp.New(`(?i)^(x-amz-signature|x-amz-security-token|x-goog-signature|signature|sig|token|access_token|api_key|apikey|key)$`)

func readHTTPModel(t files.Tree, _ modelSpec, value yamldoc.String) recipe.ModelSource {
	t.Report.CheckURL(value, "the model")
	src := recipe.ModelSource{URL: value.Value}
	u, err := url.Parse(value.Value)
	if err != nil {
		return src
	}
	for _, name := range recipe.SortedKeys(u.Query()) {
		if signedQuery.MatchString(name) {
			t.Report.Leakf(value.At, "the URL of the model is signed: its parameter %s opens the file to whoever reads it", name).
				Hint("write s3://bucket/key or gs://bucket/key, or the URL without it, and secret: id beside it; the secret holds the credentials")
			break
		}
	}
	return src
}
