package requirements

import (
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

var indexName = lazyregexp.New(`^[a-z0-9]+([._-][a-z0-9]+)*$`)

// origins is where packages come from beside the default index.
type origins struct {
	indexes   []recipe.Index
	findLinks []string  // pages whose links are wheels
	torch     TorchLine // the index of PyTorch that the project's files name
}

// gatherOrigins finds where the project takes its packages from: by the project file, by the options of requirements files (lines), and by Poetry's and
// uv's settings in the pyproject.toml whose dependencies are wanted, nil = none.
func gatherOrigins(report *yamldoc.Report, p Spec, lines []indexLine, py *Pyproject, poetry *foundPoetry) origins {
	o := origins{indexes: namedIndexes(report, p.indexes)}
	for _, s := range p.findLinks {
		if strings.Contains(s.Value, "://") && report.CheckURL(s, "python.find_links") {
			o.findLinks = append(o.findLinks, s.Value)
		}
	}
	o = withFileIndexes(report, p.indexes, lines, o)
	o = withPoetrySources(report, p.indexes, py, poetry, o)
	if o.torch.Tag == "" {
		o.torch = uvTorch(py, p)
	}
	return o
}

// namedIndexes checks the package indexes of the project file, and the secrets that they need.
func namedIndexes(report *yamldoc.Report, list []indexSpec) (indexes []recipe.Index) {
	seen := map[string]bool{}
	standard := false
	for _, s := range list {
		checkIndex(report, s, seen)
		if s.standard && standard {
			report.Specf(s.at, "two indexes are marked default: true").Hint("one index replaces the default index")
		}
		standard = standard || s.standard
		indexes = append(indexes, recipe.Index{
			Name: s.name.Value, URL: s.url.Value, Packages: normalizedNames(s.packages), Default: s.standard, Secret: s.secret.Value,
		})
	}
	return indexes
}

// checkIndex checks one index; seen are the names of those before it, and gets its own.
func checkIndex(report *yamldoc.Report, s indexSpec, seen map[string]bool) {
	if !s.name.Set || !s.url.Set {
		report.Specf(s.at, "an index needs a name and a url")
		return
	}
	if !indexName.MatchString(s.name.Value) {
		report.Specf(s.name.At, "%q cannot name an index", s.name.Value).Hint("use lower-case letters, digits and dashes")
	}
	if seen[s.name.Value] {
		report.Specf(s.name.At, "two indexes are named %q", s.name.Value)
	}
	seen[s.name.Value] = true
	report.CheckURL(s.url, "the index "+s.name.Value)
	if s.secret.Set && !yamldoc.SecretID.MatchString(s.secret.Value) {
		report.Specf(s.secret.At, "%q is not the id of a secret", s.secret.Value)
	}
}

// leakedURL adds the fault of a requirement or index whose URL has a password in it.
func leakedURL(report *yamldoc.Report, at fault.Position) {
	report.Leakf(at, "a URL here holds credentials").
		Hint("name the index in %s: python: {indexes: [{name: …, url: …, secret: id}]}, and give --secret id=…", files.ProjectFile)
}
