package pylock

import (
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/pypi"
)

// file checks one file of a package. What is wrong with its place is reported at once, a missing sha256 by
// the caller, once for the whole package.
func (r *reader) file(key string, p *Package, raw *rawFile) File {
	whose := p.label()
	f := File{Name: raw.Name, Size: raw.Size, SHA256: strings.ToLower(raw.Hashes["sha256"])}
	if !sha256Hex(f.SHA256) {
		f.SHA256 = ""
	}
	switch {
	case raw.Path != "":
		f.Path = r.inside(key, whose, raw.Path)
	case raw.URL != "":
		if r.download(key, whose, raw.URL) {
			f.URL = raw.URL
		}
	default:
		r.fail(fault.Lock, key, "a file of %s has neither url nor path", whose)
	}
	if f.Name == "" {
		f.Name = fileName(raw)
	}
	if strings.ContainsAny(f.Name, "/\\\x00") {
		r.fail(fault.Lock, key, "file name %q of %s is a path", redact(f.Name), whose)
	}
	if f.Size < 0 {
		r.fail(fault.Lock, key, "size %d of %s is negative", f.Size, f.Name)
	}
	return f
}

// fileName is the last part of the path or of the URL, without query and percent signs, as PEP 751 says.
func fileName(raw *rawFile) string {
	if raw.Path != "" {
		return path.Base(strings.ReplaceAll(raw.Path, "\\", "/"))
	}
	u, err := url.Parse(raw.URL)
	if err != nil {
		return ""
	}
	_, last, _ := cutLast(u.EscapedPath(), "/")
	if name, err := url.PathUnescape(last); err == nil {
		return name
	}
	return last
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+len(sep):], true
}

func sha256Hex(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// source checks a version control checkout or a directory.
func (r *reader) source(key, whose string, raw *rawSource) *Source {
	if raw == nil {
		return nil
	}
	s := &Source{Type: raw.Type, URL: raw.URL, Commit: raw.Commit, Revision: raw.Revision, Editable: raw.Editable}
	s.Subdir = r.subdirectory(key, whose, raw.Subdir)
	r.plainURL(key, whose, raw.URL)
	if raw.Path != "" {
		s.Path = r.inside(key, whose, raw.Path)
	}
	return s
}

func leaves(clean string) bool { return clean == ".." || strings.HasPrefix(clean, "../") }

// subdirectory refuses one that leads out of its source.
func (r *reader) subdirectory(key, whose, p string) string {
	if p == "" {
		return ""
	}
	clean := path.Clean(p)
	if path.IsAbs(p) || leaves(clean) || strings.Contains(p, "\\") {
		r.fail(fault.Lock, key, "subdirectory %q of %s leaves its source", redact(p), whose)
	}
	return clean
}

// inside resolves a path against the lock's directory and refuses what leaves the project: only the
// project's own files are sent to the builder.
func (r *reader) inside(key, whose, p string) string {
	clean := path.Join(r.dir(), p)
	switch {
	case strings.HasPrefix(p, "file:"):
		r.fail(fault.Lock, key, "path of %s is a file:// URL: %s", whose, redact(p)).
			Hint("put the file into the project and give its relative path")
	case path.IsAbs(p) || strings.Contains(p, "\\") || len(p) > 1 && p[1] == ':':
		r.fail(fault.Lock, key, "path of %s is not a relative slash path: %s", whose, redact(p)).
			Hint("put the file into the project and give its relative path")
	case leaves(path.Join(r.place, clean)):
		r.fail(fault.Lock, key, "path of %s leaves the project: %s", whose, redact(p)).
			Hint("put the file into the project and make the lock again")
	default:
		return clean
	}
	return ""
}

// dir is the directory of the lock inside the project.
func (r *reader) dir() string {
	d := path.Dir(strings.ReplaceAll(r.name, "\\", "/"))
	if path.IsAbs(d) || leaves(d) {
		return "."
	}
	return d
}

// download reports whether u can be fetched by the builder.
func (r *reader) download(key, whose, text string) bool {
	if !r.plainURL(key, whose, text) {
		return false
	}
	u, _ := url.Parse(text)
	switch {
	case u.Scheme == "file":
		r.fail(fault.Lock, key, "%s comes from a file:// URL, which names a file of one machine", whose).
			Hint("put the file into the project and give it as path")
	case u.Scheme != "https" && u.Scheme != "http", u.Host == "":
		r.fail(fault.Lock, key, "%s has a URL that is not http or https but %q", whose, u.Scheme)
	default:
		return true
	}
	return false
}

// plainURL refuses credentials in a URL: a lock is committed. An empty text passes.
func (r *reader) plainURL(key, whose, text string) bool {
	u, err := url.Parse(text)
	switch {
	case err == nil && u.User != nil && !sshUser(u), err != nil && redact(text) != text:
		host := "its host"
		if err == nil {
			host = u.Host
		}
		r.fail(fault.SecretLeak, key, "a URL of %s holds credentials for %s", whose, host).
			Hint("take them out of the lock and give them as a secret of the index; whoever has read this file may know them")
		return false
	case err != nil:
		r.fail(fault.Lock, key, "%s has a malformed URL", whose)
		return false
	}
	return true
}

// sshUser reports that the user part is a login name and no secret: ssh://git@host.
func sshUser(u *url.URL) bool {
	_, password := u.User.Password()
	return strings.HasSuffix(u.Scheme, "ssh") && !password
}

var credentials = lazyregexp.New(`://[^\s"']*@`)

// redact hides what stands before the last @ of a URL: too much rather than too little.
func redact(s string) string { return credentials.ReplaceAllString(s, "://***@") }

// wheelName checks that a wheel's file name is one, and of this package.
func (r *reader) wheelName(key string, p *Package, f File) {
	if f.Name == "" {
		return
	}
	w, err := pypi.ParseWheelName(f.Name)
	switch {
	case err != nil:
		r.fail(fault.Lock, key, "a wheel of %s has a malformed file name: %s", p.label(), redact(err.Error()))
	case pypi.Normalize(w.Name) != p.Name:
		r.fail(fault.Lock, key, "%s lists the wheel %s, which is of another package", p.label(), f.Name)
	case p.Version != "" && pypi.CompareVersions(w.Version, p.Version) != 0:
		r.fail(fault.Lock, key, "%s lists the wheel %s, which is of another version", p.label(), f.Name)
	}
}

// missingHash is a file without a usable sha256.
type missingHash struct {
	key, name string
	hashes    map[string]string
}

// hashes reports the files of a package that have no sha256, as one fault at the first of them.
func (r *reader) hashes(p *Package, bare []missingHash) {
	if len(bare) == 0 {
		return
	}
	first := bare[0]
	what := first.name
	if len(bare) > 1 {
		what = plural(len(bare), "file") + ", first " + first.name
	}
	why := "no sha256"
	switch weak := slices.Sorted(maps.Keys(first.hashes)); {
	case first.hashes["sha256"] != "":
		why = "a malformed sha256"
	case len(weak) > 0:
		why = "only " + strings.Join(weak, " and ") + ", no sha256"
	}
	r.fail(fault.LockHash, first.key, "%s from %s: %s: %s", p.label(), p.origin(), why, redact(what)).
		Hint("mlbuild installs nothing without a sha256; make the lock again with `mlbuild lock`").
		Hint("if the index gives no sha256, take %s from an index that does", p.Name)
}

// origin names where a package comes from: its index, else the host of its files.
func (p *Package) origin() string {
	if p.Index != "" {
		return "index " + redact(p.Index)
	}
	for _, f := range p.Wheels {
		if u, err := url.Parse(f.URL); err == nil && u.Host != "" {
			return u.Host
		}
	}
	if p.Sdist != nil {
		if u, err := url.Parse(p.Sdist.URL); err == nil && u.Host != "" {
			return u.Host
		}
	}
	return "an unnamed index"
}
