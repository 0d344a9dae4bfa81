package buildlock

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// Model is what the source of a model held when it was locked.
type Model struct {
	Name     string      // as the profiles name it
	Profiles []string    // that want it, sorted
	Source   string      // for people: huggingface:org/name@main
	Inputs   string      // sha256 (hex) of what was asked: Model.Inputs of a recipe
	Revision string      // the commit that a branch or tag named; "" = the source has none
	Files    []ModelFile // sorted by path
}

// ModelFile is one file of a model.
type ModelFile struct {
	Path   string // slash path in the model; "" = the model is this file
	Size   int64  // bytes; 0 = unknown or empty
	SHA256 string // hex; "" = the commit stands for it: a file that git itself holds
}

// Model returns the entry that answers what a model's source is asked, or says in words why none does. A nil lock has none.
func (l *Lock) Model(name, inputs string) (m *Model, reason string) {
	if l == nil {
		return nil, "there is none"
	}
	reason = "it does not have the model " + name
	for i := range l.Models {
		switch m := &l.Models[i]; {
		case m.Inputs == inputs:
			return m, ""
		case m.Name == name:
			reason = fmt.Sprintf("its model %s is %s", name, m.Source)
		}
	}
	return nil, reason
}

// PutModels takes all models of a profile that need a lock; others of the profile are forgotten. Their Profiles are not read.
func (l *Lock) PutModels(profile string, models []Model) {
	for i := range l.Models {
		l.Models[i].Profiles = less(l.Models[i].Profiles, profile)
	}
	for _, m := range models {
		m.Profiles = nil
		i := slices.IndexFunc(l.Models, func(o Model) bool { return o.Name == m.Name && o.Inputs == m.Inputs })
		if i < 0 {
			i = len(l.Models)
			l.Models = append(l.Models, m)
		}
		m.Profiles = with(l.Models[i].Profiles, profile)
		l.Models[i] = m
	}
	l.tidy()
}

func (l *Lock) tidyModels() {
	l.Models = slices.DeleteFunc(l.Models, func(m Model) bool { return len(m.Profiles) == 0 })
	slices.SortFunc(l.Models, func(a, b Model) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Inputs, b.Inputs)) })
	for i := range l.Models {
		l.Models[i].Files = slices.SortedFunc(slices.Values(l.Models[i].Files), func(a, b ModelFile) int { return cmp.Compare(a.Path, b.Path) })
	}
}

func (w *writer) model(m *Model) {
	w.WriteString("\n[[model]]\n")
	w.text("name", m.Name)
	w.texts("profiles", m.Profiles)
	w.text("source", m.Source)
	w.text("inputs", m.Inputs)
	w.text("revision", m.Revision)
	for _, f := range m.Files {
		w.WriteString("\n[[model.file]]\n")
		w.text("path", f.Path)
		if f.Size > 0 {
			fmt.Fprintf(w, "size = %d\n", f.Size)
		}
		w.text("sha256", f.SHA256)
	}
}

type rawModel struct {
	Name     string         `toml:"name"`
	Profiles []string       `toml:"profiles"`
	Source   string         `toml:"source"`
	Inputs   string         `toml:"inputs"`
	Revision string         `toml:"revision"`
	File     []rawModelFile `toml:"file"`
}

type rawModelFile struct {
	Path   string `toml:"path"`
	Size   int64  `toml:"size"`
	SHA256 string `toml:"sha256"`
}

var (
	modelText  = lazyregexp.New(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	commitText = lazyregexp.New(`^[0-9a-f]{40}([0-9a-f]{24})?$`) // SHA-1 or SHA-256
)

func (r *reader) model(key string, raw *rawModel) Model {
	r.match(key+".name", modelText, raw.Name, "the name of a model")
	r.match(key+".inputs", sha256Text, raw.Inputs, "a sha256")
	r.profiles(key, raw.Profiles)
	if raw.Revision != "" {
		r.match(key+".revision", commitText, raw.Revision, "a commit")
	}
	if holdsAccount(raw.Source) {
		r.fail(fault.SecretLeak, key+".source", "the source of %s holds credentials", raw.Name).Hint("take them out of the lock; whoever has read this file may know them")
	}
	if len(raw.File) == 0 {
		r.fail(fault.Lock, key, "the model %s has no file", raw.Name).Hint("mlbuild lock --upgrade models")
	}
	m := Model{Name: raw.Name, Profiles: raw.Profiles, Source: raw.Source, Inputs: raw.Inputs, Revision: raw.Revision}
	seen := map[string]bool{}
	for i, f := range raw.File {
		place := fmt.Sprintf("%s.file[%d]", key, i)
		r.modelFile(place, raw, f)
		if seen[f.Path] {
			r.fail(fault.Lock, place+".path", "the file %s is listed twice", f.Path)
		}
		seen[f.Path] = true
		m.Files = append(m.Files, ModelFile(f))
	}
	return m
}

func (r *reader) modelFile(key string, m *rawModel, f rawModelFile) {
	if f.Size < 0 {
		r.fail(fault.Lock, key+".size", "size %d of %s is no size", f.Size, f.Path)
	}
	if f.SHA256 == "" && m.Revision == "" || f.SHA256 != "" && !sha256Text.MatchString(f.SHA256) {
		r.fail(fault.LockHash, key+".sha256", "%s has no sha256", cmp.Or(f.Path, m.Name)).Hint("mlbuild lock --upgrade models")
	}
	if !(f.Path == "" && m.Revision == "") && !InsideModel(f.Path) {
		r.fail(fault.Lock, key+".path", "%q is no path of a file inside of the model", f.Path)
	}
}

// InsideModel reports whether a name is the path of a file below the directory of its model, of characters that a name may hold.
func InsideModel(name string) bool {
	return name != "" && path.Clean("/"+name) == "/"+name && utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsControl)
}

// Unsafe returns why a model that a source described is not to be fetched or locked, nil if nothing speaks against it: whoever answers for the source could write anywhere in the
// image, or promise what is no hash. The errors are of fault.Download.
func (m *Model) Unsafe() error {
	var faults fault.List
	refuse := func(format string, args ...any) {
		faults = append(faults, fault.New(fault.Download, "the source %s of the model %s %s", m.Source, m.Name, fmt.Sprintf(format, args...)).
			Hint("do not use it; tell who runs the source"))
	}
	if m.Revision != "" && !commitText.MatchString(m.Revision) {
		refuse("names the commit %q, which is none", m.Revision)
	}
	seen := map[string]bool{}
	for _, f := range m.Files {
		switch {
		case f.Path == "" && m.Revision == "" && len(m.Files) == 1: // the source is one file
		case !InsideModel(f.Path):
			refuse("lists %q, which is no path inside of the model", f.Path)
		case seen[f.Path]:
			refuse("lists %q twice", f.Path)
		}
		if f.Size < 0 || f.SHA256 != "" && !sha256Text.MatchString(f.SHA256) {
			refuse("says of %q that its size is %d and its sha256 %q", f.Path, f.Size, f.SHA256)
		}
		seen[f.Path] = true
	}
	return faults.Err()
}

// account is the part of a URL before its host.
var account = lazyregexp.New(`://[^/?#\s]*@`)

// holdsAccount reports whether a model's source names an account. The last @ of a repository stands before its revision.
func holdsAccount(source string) bool {
	before := source
	if i := strings.LastIndex(source, "@"); i >= 0 {
		before = source[:i]
	}
	return account.MatchString(source) || redact(before) != before
}
