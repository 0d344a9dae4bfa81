package query

import (
	"archive/zip"
	"bytes"
	"cmp"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Installed is a package that a base has, as it describes itself.
type Installed struct {
	Name     string // normalized
	Version  string // with its local part: 2.3.0a0+ebedce2
	Extras   []string
	Requires []string // as Requires-Dist has them
}

// ParseInstalled reads METADATA or PKG-INFO of a package (core metadata). What the header does not say stays as it is in p, which is told by the name of
// the directory.
func ParseInstalled(p Installed, metadata string) Installed {
	for line := range strings.Lines(metadata) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			break // the description follows
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch {
		case strings.EqualFold(field, "Version") && value != "":
			p.Version = value
		case strings.EqualFold(field, "Provides-Extra"):
			p.Extras = append(p.Extras, value)
		case strings.EqualFold(field, "Requires-Dist"):
			p.Requires = append(p.Requires, value)
		}
	}
	return p
}

// packageTools install packages: that a base has one of them says nothing of what the project may have.
var packageTools = []string{"pip", "setuptools", "wheel", "uv"}

// InstallsPackages reports whether a package is one of these tools.
func InstallsPackages(name string) bool { return slices.Contains(packageTools, name) }

// ForResolver returns what a base has as a resolution of the recipe is told it: an installer leaves alone what is installed. The tools that install are left out, and what the project
// wants built from source. Of what packages require, only that counts which the base fulfils: it works without the rest. A name for which the accelerator has another stands under both.
// full is the whole version of the base's Python, "" = unknown.
func ForResolver(r *recipe.Recipe, base []Installed, full string) []Installed {
	env, has := environment(r, r.Platform, full), map[string]pypi.Version{}
	for _, p := range base {
		if v, err := pypi.ParseVersion(p.Version); err == nil {
			has[p.Name] = v
		}
	}
	var all []Installed
	for _, p := range base {
		if _, known := has[p.Name]; !known || slices.Contains(packageTools, p.Name) || slices.Contains(r.Requires.Source, p.Name) {
			continue
		}
		p.Requires = slices.DeleteFunc(slices.Clone(p.Requires), func(text string) bool { return !fulfilled(text, env, has) })
		all = append(all, p)
		if other := NameFor(r, p.Name); other != p.Name {
			p.Name = other
			all = append(all, p)
		}
	}
	return all
}

// fulfilled reports whether a requirement of a base's package counts: that of an extra always, any other where the base has what it wants.
func fulfilled(text string, env *pypi.Environment, has map[string]pypi.Version) bool {
	q, err := pypi.ParseRequirement(text)
	if err != nil || slices.Contains(packageTools, q.Name) {
		return false
	}
	if extraMarker.MatchString(text) {
		return true
	}
	v, there := has[q.Name]
	return there && q.Holds(env) && q.Specifiers.Admit(v)
}

var extraMarker = lazyregexp.New(`;.*\bextra\b`)

// baseDir holds wheels that stand for what the base has: a resolver takes them as it takes what is installed.
const baseDir = "base"

// baseFiles are those wheels, and the versions in the form of earlier requirements, which uv prefers.
func (in ResolveInputs) baseFiles() ([]recipe.File, error) {
	if len(in.Base) == 0 {
		return nil, nil
	}
	var files []recipe.File
	pins := ""
	for _, p := range in.Base {
		data, err := p.wheel()
		if err != nil {
			return nil, err
		}
		files = append(files, recipe.File{Path: baseDir + "/" + p.wheelName(), Data: data})
		pins += p.Name + "==" + p.Version + "\n"
	}
	return append(files, recipe.File{Path: "base.txt", Data: pins}), nil
}

// previous is the earlier lock with the versions of the base before its own: of several, uv takes the first that fits.
func (in ResolveInputs) previous() string {
	if len(in.Base) == 0 {
		return in.Previous
	}
	text := cmp.Or(in.Previous, "lock-version = \"1.0\"\ncreated-by = \"mlbuild\"\n")
	const header = "[[packages]]\n"
	var pins strings.Builder
	for _, p := range in.Base {
		fmt.Fprintf(&pins, "%sname = %q\nversion = %q\n\n", header, p.Name, p.Version)
	}
	at := strings.Index(text, "\n"+header) + 1
	if at == 0 {
		at = len(text)
		if tool := strings.Index(text, "\n[tool"); tool >= 0 {
			at = tool + 1
		}
	}
	return text[:at] + pins.String() + text[at:]
}

func (p Installed) stem() string { return strings.ReplaceAll(p.Name, "-", "_") + "-" + p.Version }

func (p Installed) wheelName() string { return p.stem() + "-py3-none-any.whl" }

// wheel is a wheel with nothing but the description.
func (p Installed) wheel() (string, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range [][2]string{{"METADATA", p.description()}, {"WHEEL", "Wheel-Version: 1.0\nGenerator: mlbuild\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}, {"RECORD", ""}} {
		size := uint64(len(f[1]))
		// Written with its size before it: uv refuses one that follows (a data descriptor).
		file, err := w.CreateRaw(&zip.FileHeader{
			Name: p.stem() + ".dist-info/" + f[0], CRC32: crc32.ChecksumIEEE([]byte(f[1])), CompressedSize64: size, UncompressedSize64: size,
		})
		if err == nil {
			_, err = file.Write([]byte(f[1]))
		}
		if err != nil {
			return "", fmt.Errorf("describe %s of the base: %w", p.Name, err)
		}
	}
	if err := w.Close(); err != nil {
		return "", fmt.Errorf("describe %s of the base: %w", p.Name, err)
	}
	return b.String(), nil
}

func (p Installed) description() string {
	lines := []string{"Metadata-Version: 2.1", "Name: " + p.Name, "Version: " + p.Version}
	for _, e := range p.Extras {
		lines = append(lines, "Provides-Extra: "+e)
	}
	for _, q := range p.Requires {
		lines = append(lines, "Requires-Dist: "+q)
	}
	return strings.Join(lines, "\n") + "\n"
}

// fromBase is a file of a lock that stands for what the base has.
const fromBase = `url = "file:///src/` + baseDir + `/`

// WithoutBase returns uv's lock without the packages that it takes from the base, and these, "numpy==1.26.4", sorted.
func WithoutBase(lock []byte) (rest []byte, taken []string) {
	const header = "[[packages]]\n"
	blocks := strings.Split(string(lock), header)
	var kept strings.Builder
	kept.WriteString(blocks[0])
	for _, block := range blocks[1:] {
		if !strings.Contains(block, fromBase) {
			kept.WriteString(header + block)
			continue
		}
		m := pinned.FindStringSubmatch(block)
		if m == nil {
			kept.WriteString(header + block) // not as uv writes it: whoever reads it refuses the file
			continue
		}
		taken = append(taken, m[1]+"=="+m[2])
	}
	return []byte(kept.String()), recipe.SortedUnique(taken)
}

var pinned = lazyregexp.New(`^name = "([^"]+)"\nversion = "([^"]+)"\n`)
