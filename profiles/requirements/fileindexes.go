package requirements

import (
	"cmp"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// indexOptions are the options of requirements files that say where packages come from.
var indexOptions = []string{pypi.IndexURL, pypi.ExtraIndexURL, pypi.FindLinks}

// indexLine is an option of a requirements file that names an index.
type indexLine struct {
	option, url string
	at          fault.Position
}

// TorchLine is an option that names an index of PyTorch: its root, and the tag behind it.
type TorchLine struct {
	Root, Tag string
	At        fault.Position
}

// takeIndexes takes the options that name indexes out of a requirements file and returns the rest of it, line for line.
func (q *reader) takeIndexes(file, text string) string {
	lines := strings.Split(text, "\n")
	for _, l := range pypi.ParseLines(text) {
		if l.Required.Text != "" || len(l.Options) == 0 || !slices.Contains(indexOptions, l.Options[0].Name) {
			continue
		}
		rest := q.indexLines(l.Options, fault.Position{File: file, Line: l.Number, Column: 1})
		for i := range l.Count {
			lines[l.Number-1+i] = ""
		}
		lines[l.Number-1] = strings.Join(rest, " ")
	}
	return strings.Join(lines, "\n")
}

// indexLines keeps the options of one line that name indexes and returns the words of the others.
func (q *reader) indexLines(options []pypi.Option, at fault.Position) (rest []string) {
	for _, o := range options {
		if o.Value == "" || !slices.Contains(indexOptions, o.Name) {
			rest = append(rest, strings.Fields(o.Text)...)
			continue
		}
		q.indexLine(indexLine{o.Name, o.Value, at})
	}
	return rest
}

// envUser is user and password of a URL that pip takes from the environment.
var envUser = lazyregexp.New(`^(https?://)(?:[A-Za-z0-9_.~-]*:)?(?:\$\{[A-Za-z_][A-Za-z0-9_]*\}:?)+@`)

// indexLine checks one option and keeps it.
func (q *reader) indexLine(l indexLine) {
	if m := envUser.FindStringSubmatchIndex(l.url); m != nil {
		l.url = l.url[:m[3]] + l.url[m[1]:]
		if i := indexAt(q.own, l.url); i < 0 || !q.own[i].secret.Set {
			q.Specf(l.at, "%s wants credentials from the environment, which no step of a build has", l.option).
				Hint("name the index in %s: python: {indexes: [{name: …, url: %q, secret: id}]}, and give --secret id=…", files.ProjectFile, l.url)
			return
		}
	}
	if q.variable(pypi.ParseItem(l.option+" "+l.url), l.at) {
		return
	}
	if yamldoc.HasUserInfo(l.url) {
		leakedURL(q.Report, l.at)
		return
	}
	if l.option == pypi.FindLinks && !strings.Contains(l.url, "://") {
		q.wheelhouse(l)
		return
	}
	if !q.Report.CheckURL(yamldoc.String{Value: l.url, At: l.at, Set: true}, l.option) {
		return
	}
	q.indexes = append(q.indexes, l)
}

// wheelhouse takes a directory of the project that holds wheels and source distributions. As pip reads it, its path starts at the file that names it, or else at
// the project's directory.
func (q *reader) wheelhouse(l indexLine) {
	dir, ok := q.Reaches(path.Join(path.Dir(l.at.File), l.url), l.at, l.option)
	if path.IsAbs(l.url) || ok && !q.Exists(dir) && !strings.HasPrefix(l.at.File, "../") {
		dir, ok = q.Inside(l.url, l.at, l.option)
	}
	if !ok {
		return
	}
	real, ok := q.Follow(dir, l.at)
	if !ok {
		return
	}
	entries, err := fs.ReadDir(q.FS, real)
	if err != nil {
		q.Add(q.Missing(dir, l.at, "directory of wheels"))
		return
	}
	names := ""
	for _, e := range entries {
		names += e.Name() + "\n"
	}
	l.url = dir
	q.indexes = append(q.indexes, l)
	// What lies there makes a lock stale by its names; the files themselves are held by the lock's hashes.
	q.local = append(q.local, recipe.LocalSource{Path: dir, Meta: []recipe.File{{Path: dir, Data: names}}})
}

// wheelhouses takes those places of a list that are directories of the project.
func (q *reader) wheelhouses(places []yamldoc.String) {
	for _, s := range places {
		if !strings.Contains(s.Value, "://") {
			q.wheelhouse(indexLine{pypi.FindLinks, s.Value, s.At})
		}
	}
}

// indexAt returns the place among indexes of the one with this URL, -1 if there is none.
func indexAt(indexes []indexSpec, address string) int {
	return slices.IndexFunc(indexes, func(s indexSpec) bool {
		return strings.TrimRight(s.url.Value, "/") == strings.TrimRight(address, "/")
	})
}

// torchIndex is an index of PyTorch, at its own place or in a mirror: …/whl/cu126, …/whl/nightly/cpu, …/whl/rocm6.4.
var torchIndex = lazyregexp.New(`^(.*/whl(?:/.*)?)/(cpu|cu[0-9]{2,3}|rocm[0-9]+(?:\.[0-9]+)*|xpu)/?$`)

// withFileIndexes adds what the requirements files say to the indexes of the project file (own). An index that both name is the project file's. An
// index of PyTorch serves the torch family and nothing else: it also holds old copies of common packages.
func withFileIndexes(report *yamldoc.Report, own []indexSpec, lines []indexLine, o origins) origins {
	for _, l := range lines {
		m := torchIndex.FindStringSubmatch(l.url)
		switch {
		case l.option == pypi.FindLinks:
			if !slices.Contains(o.findLinks, l.url) {
				o.findLinks = append(o.findLinks, l.url)
			}
		case indexAt(own, l.url) >= 0 || slices.ContainsFunc(o.indexes, func(ix recipe.Index) bool { return ix.URL == l.url }):
		case m != nil:
			if o.torch.Tag == "" {
				o.torch = TorchLine{m[1], m[2], l.at}
			}
		default:
			o.indexes = withFileIndex(report, l, o.indexes)
		}
	}
	return o
}

// withFileIndex makes an index of an option.
func withFileIndex(report *yamldoc.Report, l indexLine, indexes []recipe.Index) []recipe.Index {
	standard := l.option == pypi.IndexURL
	if i := slices.IndexFunc(indexes, func(ix recipe.Index) bool { return ix.Default }); standard && i >= 0 {
		report.Specf(l.at, "%s names a second default index, beside %s", l.option, indexes[i].URL).Hint("one index replaces the default index: make the other an --extra-index-url")
		return indexes
	}
	return append(indexes, recipe.Index{Name: freeName(l.url, indexes), URL: l.url, Default: standard})
}

// freeName names an index after its host, and numbers it if that name is taken.
func freeName(address string, taken []recipe.Index) string {
	host := "index"
	if u, err := url.Parse(address); err == nil {
		host = cmp.Or(recipe.CleanName(u.Hostname()), host)
	}
	for n := 1; ; n++ {
		name := host
		if n > 1 {
			name = fmt.Sprintf("%s-%d", host, n)
		}
		if !slices.ContainsFunc(taken, func(ix recipe.Index) bool { return ix.Name == name }) {
			return name
		}
	}
}

// strategies are uv's index strategies.
var strategies = []string{"first-index", "unsafe-best-match", "unsafe-first-match"}

// resolveStrategy reads python.index_strategy. The default is left out of the recipe.
func resolveStrategy(report *yamldoc.Report, s yamldoc.String) string {
	if !s.Set || s.Value == strategies[0] {
		return ""
	}
	if !slices.Contains(strategies, s.Value) {
		f := fault.New(fault.Spec, "the index strategy %q does not exist", s.Value).In(s.At)
		yamldoc.DidYouMean(f, s.Value, strategies)
		report.Add(f)
		return ""
	}
	return s.Value
}
