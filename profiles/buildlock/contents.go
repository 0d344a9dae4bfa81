package buildlock

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// Contents is what a look into a base showed, so that no build has to pull it for another look.
type Contents struct {
	Image       string   // Ref of the base
	Digest      string   // of the base that was looked into
	Platform    string   // linux/amd64
	Python      string   // version that was looked for: 3.11
	Profiles    []string // that stand on it, sorted
	Glibc       string   // of the base's release: 2.36; "" = not known
	Interpreter string   // absolute path of that Python
	FullVersion string   // of that Python: 3.11.9; "" = not known
	Packages    []string // of that Python: "numpy==1.26.4", sorted
	Environment []string // of an environment in the place of the image's own, sorted; nil = there is none
	Shared      bool     // that environment shows the Python's packages too
	CUDA        string   // of the base: 12.4.1; "" = none, or not known
	NVCC        bool     // the base has that CUDA's compiler
}

// Contents returns what is known of an image by its digest, nil if nothing is. A nil lock knows nothing.
func (l *Lock) Contents(ref, digest, platform, python string) *Contents {
	if l == nil {
		return nil
	}
	i := slices.IndexFunc(l.Looks, func(c Contents) bool {
		return c.Image == ref && c.Digest == digest && c.Platform == platform && c.Python == python
	})
	if i < 0 {
		return nil
	}
	return &l.Looks[i]
}

// PutContents takes what was seen in the base of a profile on a platform; what was seen in another base for it is forgotten. Nil = nothing
// had to be seen. Its Profiles are not read.
func (l *Lock) PutContents(profile, platform string, seen *Contents) {
	for i := range l.Looks {
		if l.Looks[i].Platform == platform {
			l.Looks[i].Profiles = less(l.Looks[i].Profiles, profile)
		}
	}
	if seen != nil {
		c := *seen
		c.Profiles = []string{profile}
		if same := l.Contents(c.Image, c.Digest, c.Platform, c.Python); same != nil {
			c.Profiles = with(same.Profiles, profile)
			*same = c
		} else {
			l.Looks = append(l.Looks, c)
		}
	}
	l.tidy()
}

// WithFullVersions returns the lock without the contents that do not tell the whole version of their Python: nobody asked for it when they were written.
func (l *Lock) WithFullVersions() *Lock {
	if l == nil {
		return nil
	}
	known := *l
	known.Looks = slices.DeleteFunc(slices.Clone(l.Looks), func(c Contents) bool { return c.FullVersion == "" })
	return &known
}

func (l *Lock) tidyContents() {
	l.Looks = slices.DeleteFunc(l.Looks, func(c Contents) bool { return len(c.Profiles) == 0 })
	slices.SortFunc(l.Looks, func(a, b Contents) int {
		return cmp.Or(cmp.Compare(a.Image, b.Image), cmp.Compare(a.Platform, b.Platform), cmp.Compare(a.Python, b.Python), cmp.Compare(a.Digest, b.Digest))
	})
}

func (w *writer) contents(c *Contents) {
	w.WriteString("\n[[contents]]\n")
	w.text("image", c.Image)
	w.text("digest", c.Digest)
	w.text("platform", c.Platform)
	w.text("python", c.Python)
	w.texts("profiles", c.Profiles)
	w.text("glibc", c.Glibc)
	w.text("interpreter", c.Interpreter)
	if c.FullVersion != "" {
		w.text("full_version", c.FullVersion)
	}
	w.texts("packages", c.Packages)
	if c.Environment != nil && len(c.Environment) == 0 {
		w.WriteString("environment = []\n")
	}
	w.texts("environment", c.Environment)
	if c.Shared {
		w.WriteString("shared = true\n")
	}
	if c.CUDA != "" {
		w.text("cuda", c.CUDA)
	}
	if c.NVCC {
		w.WriteString("nvcc = true\n")
	}
}

type rawContents struct {
	Image       string   `toml:"image"`
	Digest      string   `toml:"digest"`
	Platform    string   `toml:"platform"`
	Python      string   `toml:"python"`
	Profiles    []string `toml:"profiles"`
	Glibc       string   `toml:"glibc"`
	Interpreter string   `toml:"interpreter"`
	FullVersion string   `toml:"full_version"`
	Packages    []string `toml:"packages"`
	Environment []string `toml:"environment"`
	Shared      bool     `toml:"shared"`
	CUDA        string   `toml:"cuda"`
	NVCC        bool     `toml:"nvcc"`
}

var (
	pythonText = lazyregexp.New(`^3\.[0-9]{1,2}$`)
	fullText   = lazyregexp.New(`^(3\.[0-9]{1,2}\.[0-9]{1,2}((a|b|rc)[0-9]{1,2})?)?$`)
	cudaText   = lazyregexp.New(`^([0-9]{1,3}\.[0-9]{1,3}(\.[0-9]{1,9})?)?$`)
	glibcText  = lazyregexp.New(`^(2\.[0-9]{1,2})?$`)
)

func (r *reader) contents(key string, raw *rawContents) Contents {
	r.ref(key+".image", raw.Image)
	r.match(key+".digest", digestText, raw.Digest, "a digest")
	r.match(key+".platform", platformText, raw.Platform, "a platform")
	r.match(key+".python", pythonText, raw.Python, "a Python version")
	r.match(key+".glibc", glibcText, raw.Glibc, "a glibc version")
	r.match(key+".cuda", cudaText, raw.CUDA, "a version of CUDA")
	r.match(key+".full_version", fullText, raw.FullVersion, "a whole Python version")
	r.profiles(key, raw.Profiles)
	if !path.IsAbs(raw.Interpreter) || path.Clean(raw.Interpreter) != raw.Interpreter {
		r.fail(fault.Lock, key+".interpreter", "%q is not an absolute path", raw.Interpreter)
	}
	r.packages(key+".packages", raw.Packages)
	r.packages(key+".environment", raw.Environment)
	return Contents(*raw)
}

func (r *reader) packages(key string, all []string) {
	for _, p := range all {
		if name, version, ok := strings.Cut(p, "=="); !ok || name == "" || version == "" {
			r.fail(fault.Lock, key, "%q is not a package such as \"numpy==1.26.4\"", p)
		}
	}
}
