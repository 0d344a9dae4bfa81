package ops

import (
	"net/url"
	"slices"

	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// AuthSecret is the id of the secret with the Authorization header for a wheel's download, "" for none: that of the index the
// wheel's package is bound to, else of the index whose URL is the longest prefix of the download's. The
// header goes to the index's own host and to no other.
func AuthSecret(w pylock.Wheel, indexes []recipe.Index) string {
	at, err := url.Parse(w.URL)
	if err != nil {
		return ""
	}
	best, length := "", -1
	for _, ix := range indexes {
		u, err := url.Parse(ix.URL)
		if err != nil || ix.Secret == "" || u.Host != at.Host || u.Scheme != at.Scheme {
			continue
		}
		n := commonPath(u.Path, at.Path)
		if slices.Contains(ix.Packages, w.Name) {
			n = len(at.Path) + 1
		}
		if n > length {
			best, length = HeaderSecret(ix.Name), n
		}
	}
	return best
}

// IndexSecret names the secret that holds an index's account, "user:password".
func IndexSecret(index string) string { return "mlbuild-index-" + index }

// HeaderSecret names the secret that holds the Authorization header of an index.
func HeaderSecret(index string) string { return "mlbuild-auth-" + index }

func commonPath(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
