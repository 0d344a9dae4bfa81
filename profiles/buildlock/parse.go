package buildlock

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"

	"github.com/distribution/reference"
	"github.com/pelletier/go-toml/v2"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// maxBytes bounds a lock: a hundred lists of a thousand packages are 40 MB.
const maxBytes = 64 << 20

// The raw types are the file's keys.
type rawLock struct {
	Version  int           `toml:"version"`
	Image    []rawImage    `toml:"image"`
	System   []rawSystem   `toml:"system"`
	Model    []rawModel    `toml:"model"`
	Contents []rawContents `toml:"contents"`
}

type rawImage struct {
	Ref      string   `toml:"ref"`
	Digest   string   `toml:"digest"`
	Profiles []string `toml:"profiles"`
}

type rawSystem struct {
	Image        string       `toml:"image"`
	Digest       string       `toml:"digest"`
	Platform     string       `toml:"platform"`
	Profiles     []string     `toml:"profiles"`
	Inputs       string       `toml:"inputs"`
	Asked        []string     `toml:"asked"`
	Distribution string       `toml:"distribution"`
	Suite        string       `toml:"suite"`
	Architecture string       `toml:"architecture"`
	Dpkg         string       `toml:"dpkg"`
	Links        []string     `toml:"links"`
	Present      []string     `toml:"present"`
	Removes      []string     `toml:"removes"`
	Package      []rawPackage `toml:"package"`
}

type rawPackage struct {
	Name         string   `toml:"name"`
	Version      string   `toml:"version"`
	Architecture string   `toml:"architecture"`
	Size         int64    `toml:"size"`
	SHA256       string   `toml:"sha256"`
	URL          string   `toml:"url"`
	Replaces     string   `toml:"replaces"`
	Handling     Handling `toml:"way"`
	Reason       string   `toml:"reason"`
}

// Parse reads an mlbuild.lock strictly; name is its path, for messages. Everything that is wrong comes back at once as a fault.List with line and
// column: fault.Lock for what cannot be used, fault.LockHash for a package without sha256, fault.SecretLeak for credentials in a URL, which no
// message repeats. TOML that is malformed is one fault.
func Parse(name string, data []byte) (*Lock, error) {
	if len(data) > maxBytes {
		return nil, fault.New(fault.Lock, "the lock has %d bytes, more than the %d that mlbuild reads", len(data), maxBytes).In(fault.Position{File: name})
	}
	raw := &rawLock{}
	d := toml.NewDecoder(bytes.NewReader(data))
	if err := d.DisallowUnknownFields().Decode(raw); err != nil {
		return nil, malformed(name, data, err)
	}
	r := &reader{name: name, places: locate(data)}
	l := r.lock(raw)
	if err := r.faults.Err(); err != nil {
		return nil, err
	}
	return l, nil
}

// malformed turns the decoder's error into faults.
func malformed(name string, data []byte, err error) error {
	const hint = "make the lock again: remove it and run mlbuild lock"
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) {
		var faults fault.List
		for _, e := range unknown.Errors {
			line, column := e.Position()
			faults = append(faults, fault.New(fault.Lock, "unknown key %q", strings.Join(e.Key(), ".")).
				In(fault.Position{File: name, Line: line, Column: column}).Hint("update mlbuild, if a newer one wrote the lock; else %s", hint))
		}
		return faults.Err()
	}
	at := fault.Position{File: name}
	var de *toml.DecodeError
	if errors.As(err, &de) {
		at.Line, at.Column = de.Position()
	}
	f := fault.New(fault.Lock, "malformed TOML: %s", redact(strings.TrimPrefix(err.Error(), "toml: "))).In(at)
	if bytes.Contains(data, []byte("\n<<<<<<< ")) {
		f.Hint("the file holds a merge that was not resolved: take one side, then run mlbuild lock")
	}
	return fault.List{f.Hint(hint)}
}

// reader turns the raw lock into a Lock and collects what is wrong.
type reader struct {
	name   string
	places places
	faults fault.List
}

// fail adds a fault at the place of a key such as "system[3].digest".
func (r *reader) fail(code fault.Code, key, format string, args ...any) *fault.Fault {
	f := fault.New(code, format, args...).In(r.places.position(r.name, key))
	r.faults = append(r.faults, f)
	return f
}

var (
	packagesText = lazyregexp.New(`^debian [a-z]+$`) // a base that is made of packages
	digestText   = lazyregexp.New(`^sha256:[0-9a-f]{64}$`)
	sha256Text   = lazyregexp.New(`^[0-9a-f]{64}$`)
	platformText = lazyregexp.New(`^linux/[a-z0-9]+(/v[0-9]+)?$`)
	nameText     = lazyregexp.New(`^[a-z0-9][a-z0-9+.-]+$`)         // Debian policy 5.6.7
	versionText  = lazyregexp.New(`^[0-9A-Za-z][A-Za-z0-9.+:~-]*$`) // Debian policy 5.6.12
	archText     = lazyregexp.New(`^[a-z0-9][a-z0-9-]+$`)
)

func (r *reader) lock(raw *rawLock) *Lock {
	if raw.Version != 1 {
		r.fail(fault.Lock, "version", "version %d of the lock is not supported, this mlbuild reads version 1", raw.Version).Hint("update mlbuild, or make the lock again")
		return nil
	}
	l := &Lock{}
	seen := map[string]bool{}
	for i, m := range raw.Image {
		key := fmt.Sprintf("image[%d]", i)
		r.ref(key+".ref", m.Ref)
		r.match(key+".digest", digestText, m.Digest, "a digest")
		r.profiles(key, m.Profiles)
		if seen[m.Ref] {
			r.fail(fault.Lock, key+".ref", "the image %s is listed twice", m.Ref)
		}
		seen[m.Ref] = true
		l.Images = append(l.Images, Image(m))
	}
	for i := range raw.Contents {
		l.Looks = append(l.Looks, r.contents(fmt.Sprintf("contents[%d]", i), &raw.Contents[i]))
	}
	for i := range raw.System {
		l.Systems = append(l.Systems, r.system(fmt.Sprintf("system[%d]", i), &raw.System[i]))
	}
	for i := range raw.Model {
		l.Models = append(l.Models, r.model(fmt.Sprintf("model[%d]", i), &raw.Model[i]))
	}
	return l
}

func (r *reader) profiles(key string, list []string) {
	if len(list) == 0 {
		r.fail(fault.Lock, key+".profiles", "profiles is empty")
	}
}

func (r *reader) match(key string, pattern *lazyregexp.Regexp, value, what string) {
	if !pattern.MatchString(value) {
		r.fail(fault.Lock, key, "%q is not %s", redact(value), what)
	}
}

func (r *reader) ref(key, ref string) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil || named.String() != ref {
		r.fail(fault.Lock, key, "%q is not the full reference of an image", redact(ref))
	}
}

func (r *reader) system(key string, raw *rawSystem) System {
	if !packagesText.MatchString(raw.Image) || raw.Digest != "" {
		r.ref(key+".image", raw.Image)
		r.match(key+".digest", digestText, raw.Digest, "a digest")
	}
	r.match(key+".platform", platformText, raw.Platform, "a platform")
	r.match(key+".inputs", sha256Text, raw.Inputs, "a sha256")
	r.match(key+".architecture", archText, raw.Architecture, "an architecture of dpkg")
	r.profiles(key, raw.Profiles)
	s := System{
		Image: raw.Image, Digest: raw.Digest, Platform: raw.Platform, Profiles: raw.Profiles, Inputs: raw.Inputs, Asked: raw.Asked,
		Distribution: raw.Distribution, Suite: raw.Suite, Architecture: raw.Architecture, Dpkg: raw.Dpkg,
		Present: raw.Present, Removes: raw.Removes,
	}
	for _, text := range raw.Links {
		s.Links = append(s.Links, r.link(key+".links", text))
	}
	seen := map[string]bool{}
	for i, p := range raw.Package {
		place := fmt.Sprintf("%s.package[%d]", key, i)
		r.pkg(place, &p, raw.Architecture)
		if id := p.Name + ":" + p.Architecture; seen[id] {
			r.fail(fault.Lock, place+".name", "%s is listed twice", p.Name)
		} else {
			seen[id] = true
		}
		s.Packages = append(s.Packages, Package(p))
	}
	return s
}

// link reads "/bin -> usr/bin".
func (r *reader) link(key, text string) Link {
	from, to, ok := strings.Cut(text, " -> ")
	if !ok || !path.IsAbs(from) || path.Clean(from) != from || to == "" {
		r.fail(fault.Lock, key, "%q is not a link such as \"/bin -> usr/bin\"", text)
	}
	return Link{Path: from, Target: to}
}

func (r *reader) pkg(key string, p *rawPackage, arch string) {
	r.match(key+".name", nameText, p.Name, "the name of a Debian package")
	r.match(key+".version", versionText, p.Version, "the version of a Debian package")
	if p.Architecture != arch && p.Architecture != "all" {
		r.fail(fault.Lock, key+".architecture", "%s is for %q, the base is %s", p.Name, p.Architecture, arch)
	}
	if p.Size <= 0 {
		r.fail(fault.Lock, key+".size", "size %d of %s is no size", p.Size, p.Name)
	}
	if !sha256Text.MatchString(p.SHA256) {
		r.fail(fault.LockHash, key+".sha256", "%s %s has no sha256", p.Name, p.Version).Hint("mlbuild lock --upgrade system")
	}
	if p.Handling != Layer && p.Handling != Rules && p.Handling != Dpkg {
		r.fail(fault.Lock, key+".way", "%q is no way for a package: none, %q or %q", p.Handling, Rules, Dpkg)
	}
	u, err := url.Parse(p.URL)
	switch {
	case err == nil && u.User != nil, err != nil && redact(p.URL) != p.URL:
		r.fail(fault.SecretLeak, key+".url", "the URL of %s holds credentials", p.Name).Hint("take them out of the lock; whoever has read this file may know them")
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		r.fail(fault.Lock, key+".url", "%s has no http or https URL", p.Name)
	}
}

var credentials = lazyregexp.New(`://[^\s"']*@`)

// redact hides what stands before the last @ of a URL.
func redact(s string) string { return credentials.ReplaceAllString(s, "://***@") }
