package files

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// clutter is what no image needs. .dockerignore can take it back with !.
var clutter = []string{"**/.git", "**/__pycache__", "**/*.pyc", "**/.venv", "**/.mypy_cache", "**/.pytest_cache", "**/.ruff_cache"}

// secretFiles are files and directories that usually hold secrets. Only an exact path in app.copy or public lets one in.
var secretFiles = []string{
	"**/.env", "**/.env.*", "!**/.env.example", "!**/.env.sample", "!**/.env.template", "!**/.env.dist",
	"**/*.pem", "**/*.key", "**/*.p12", "**/*.pfx", "**/*.jks", "**/*.ppk",
	"**/id_rsa", "**/id_dsa", "**/id_ecdsa", "**/id_ed25519", "**/.ssh", "**/.gnupg",
	"**/.netrc", "**/_netrc", "**/.pypirc", "**/.git-credentials", "**/.pgpass", "**/.htpasswd",
	"**/.aws", "**/.azure", "**/.config/gcloud", "**/.docker", "**/.kube", "**/kubeconfig", "**/.huggingface", "**/.kaggle", "**/kaggle.json",
	"**/credentials.json", "**/application_default_credentials.json", "**/service-account*.json", "**/service_account*.json",
	"**/.streamlit/secrets.toml",
}

// Ignores says which files are left out, and why.
type Ignores struct {
	Patterns   []string // what user has, for Recipe.App.Ignore: no secret file gets past Resolve unless it is wanted
	user       *matcher
	secret     *matcher
	exceptions bool     // some pattern begins with !, so a file below an ignored directory may be wanted
	secrets    []string // secret files that the rule at hand would copy
}

// ReadIgnores joins the clutter and .dockerignore. assumed is the text of a .dockerignore for a project that has none, "" = nothing is assumed.
// Rules without wildcards and the list public take a secret file back.
func ReadIgnores(t Tree, rules []CopySpec, public []string, assumed string) *Ignores {
	patterns, ofFile := dockerignore(t, assumed)
	user := slices.Concat(clutter, leftAtTop(t, exactly(rules, nil)), patterns)
	plain := user
	if !ofFile { // nobody has said that a secret file is not missed
		plain = slices.DeleteFunc(slices.Clone(user), isOfSecrets)
	}
	var wanted []string
	for _, name := range exactly(rules, public) {
		if clean, ok := SecretFile(name); ok {
			wanted = append(wanted, "!"+clean)
			t.Notef("%s is copied because the project names it; everyone who has the image can read it", clean)
		}
	}
	i := &Ignores{Patterns: user, user: newMatcher(t.Report, plain), secret: newMatcher(t.Report, slices.Concat(secretFiles, wanted))}
	i.exceptions = i.user.Exclusions() || len(wanted) > 0
	return i
}

// leftAtTop lists what is at the top of this project and no image needs: mlbuild's own locks, which a newer package changes, and virtual environments by any name. What app.copy
// names by itself is wanted.
func leftAtTop(t Tree, named []string) []string {
	var left []string
	for _, e := range t.Entries() {
		name := e.Name()
		lock, _ := path.Match("pylock.?*.toml", name)
		lock = lock || name == "mlbuild.lock"
		environment := e.IsDir() && name != ".venv" && t.Exists(path.Join(name, "pyvenv.cfg"))
		if (lock && !e.IsDir() || environment) && !slices.Contains(named, name) && !strings.ContainsAny(name, `*?[\\`) {
			left = append(left, name)
		}
	}
	return left
}

// ignoreName is the file with what the image leaves out.
const ignoreName = ".dockerignore"

// isOfSecrets reports whether a pattern is one of secret files alone.
func isOfSecrets(pattern string) bool {
	_, is := SecretFile(strings.ReplaceAll(path.Base(pattern), "*", "x"))
	return is
}

// dockerignore reads the patterns of .dockerignore, and those of assumed where there is no such file: ofFile is false then. One that cannot be read is a fault: what it leaves out would be in the image.
func dockerignore(t Tree, assumed string) (patterns []string, ofFile bool) {
	at := fault.Position{File: ignoreName}
	data, err := fs.ReadFile(t.FS, ignoreName)
	if errors.Is(err, fs.ErrNotExist) {
		patterns, _ = ignorefile.ReadAll(strings.NewReader(assumed)) // reading a text does not fail
		return patterns, false
	}
	if err != nil {
		t.Add(fault.New(fault.Context, "%s cannot be read, and what it leaves out would be in the image: %w", ignoreName, err).In(at).
			Hint("make it a file that you may read, or remove it"))
		return nil, true
	}
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) || bytes.IndexByte(data, 0) >= 0 {
		t.Add(fault.New(fault.Context, "%s is not text in UTF-8; it looks like UTF-16", ignoreName).In(fault.Position{File: ignoreName, Line: 1}).
			Hint("write it again as UTF-8; in PowerShell: … | Out-File -Encoding utf8 %s", ignoreName))
		return nil, true
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "#") {
			continue
		}
		if i := strings.IndexFunc(line, unicode.IsControl); i >= 0 {
			c, _ := utf8.DecodeRuneInString(line[i:])
			t.Add(fault.New(fault.Context, "a pattern holds the control character %+q", string(c)).In(fault.Position{File: ignoreName, Line: n}).
				Hint("one pattern a line, without tabs in it and without a comment behind it; lines end with LF or CRLF"))
			return nil, true
		}
	}
	lines, err := ignorefile.ReadAll(bytes.NewReader(data))
	if err != nil {
		t.Add(fault.New(fault.Context, "%s cannot be read: %w", ignoreName, err).In(at))
	}
	return lines, true
}

// exactly lists the paths that app.copy and public name without a wildcard.
func exactly(rules []CopySpec, public []string) []string {
	names := slices.Clone(public)
	for _, rule := range rules {
		names = append(names, rule.From.Value)
	}
	return slices.DeleteFunc(names, func(n string) bool { return recipe.IsGlob(n) || path.Clean(n) == "." })
}

// SecretFile reports whether a path is one of secretFiles or below one, and returns it clean.
func SecretFile(name string) (clean string, is bool) {
	clean = path.Clean(name)
	matches, err := patternmatcher.MatchesOrParentMatches(clean, secretFiles)
	return clean, err == nil && matches
}

// ByUser reports whether .dockerignore or the clutter list leaves a path out.
func (i *Ignores) ByUser(name string) bool {
	return name != "." && i.user.matches(name)
}

// leavesAll reports whether a directory is left out and no pattern names a file in it that is taken back.
func (i *Ignores) leavesAll(dir string) bool {
	return i.ByUser(dir) && !slices.ContainsFunc(i.Patterns, func(p string) bool { return strings.HasPrefix(p, "!"+dir+"/") })
}

// IsSecret reports whether a path is a secret file, or below a secret directory, and the project does not name it.
func (i *Ignores) IsSecret(name string) bool { return i.secret.matches(name) }

// leaves reports whether a path below a copied directory stays behind, and remembers a secret one. Of a secret directory in which the project may name a
// file, the files are remembered.
func (i *Ignores) leaves(name string, d fs.DirEntry) bool {
	if i.ByUser(name) {
		return true
	}
	if !i.IsSecret(name) {
		return false
	}
	if !d.IsDir() || !i.exceptions {
		i.secrets = append(i.secrets, name)
	}
	return true
}

// refuseSecrets makes a fault of the secret files that a rule would copy. One that is left out silently would be missed only when the container runs.
func (c *copier) refuseSecrets(at fault.Position) {
	met := recipe.SortedUnique(c.ignore.secrets)
	c.ignore.secrets = nil
	if len(met) == 0 {
		return
	}
	shown := strings.Join(met[:min(5, len(met))], ", ")
	if len(met) > 5 {
		shown += fmt.Sprintf(" and %d more", len(met)-5)
	}
	c.Add(fault.New(fault.SecretLeak, "files that usually hold secrets would be copied, and everyone who has the image could read them: %s", shown).In(at).
		Hint("list them in .dockerignore, and give the container its secrets when it starts").
		Hint("one that holds no secret goes by its exact path into app.copy, or into public: [%s]", met[0]))
}

// anyLeft reports whether something below an ignored directory is taken back by an exception.
func (c *copier) anyLeft(dir string) bool {
	left := false
	err := fs.WalkDir(c.FS, dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return Skip(d)
		}
		if !d.IsDir() && !c.ignore.ByUser(name) {
			left = true
			return fs.SkipAll
		}
		return nil
	})
	return err == nil && left
}
