package buildlock

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/tomltext"
)

const header = `# Written by "mlbuild lock": base images and system packages. Commit it. Renew it with
# "mlbuild lock --upgrade base" and "mlbuild lock --upgrade system".
version = 1
`

// Marshal renders the lock. Equal locks give equal bytes.
func (l *Lock) Marshal() []byte {
	c := l.Clone()
	c.tidy()
	w := &writer{}
	w.WriteString(header)
	for _, m := range c.Images {
		w.WriteString("\n[[image]]\n")
		w.text("ref", m.Ref)
		w.text("digest", m.Digest)
		w.texts("profiles", m.Profiles)
	}
	for i := range c.Looks {
		w.contents(&c.Looks[i])
	}
	for i := range c.Systems {
		w.system(&c.Systems[i])
	}
	for i := range c.Models {
		w.model(&c.Models[i])
	}
	return w.Bytes()
}

type writer struct{ bytes.Buffer }

func (w *writer) system(s *System) {
	w.WriteString("\n[[system]]\n")
	w.text("image", s.Image)
	w.text("digest", s.Digest)
	w.text("platform", s.Platform)
	w.texts("profiles", s.Profiles)
	w.text("inputs", s.Inputs)
	w.texts("asked", s.Asked)
	w.text("distribution", s.Distribution)
	w.text("suite", s.Suite)
	w.text("architecture", s.Architecture)
	w.text("dpkg", s.Dpkg)
	var links []string
	for _, l := range s.Links {
		links = append(links, l.Path+" -> "+l.Target)
	}
	w.texts("links", links)
	w.texts("present", s.Present)
	w.texts("removes", s.Removes)
	for _, p := range s.Packages {
		w.WriteString("\n[[system.package]]\n")
		w.text("name", p.Name)
		w.text("version", p.Version)
		w.text("architecture", p.Architecture)
		fmt.Fprintf(w, "size = %d\n", p.Size)
		w.text("sha256", p.SHA256)
		w.text("url", p.URL)
		w.text("replaces", p.Replaces)
		w.text("way", string(p.Handling))
		w.text("reason", p.Reason)
	}
}

func (w *writer) text(key, value string) {
	if value != "" {
		fmt.Fprintf(w, "%s = %s\n", key, tomltext.Quote(value))
	}
}

// texts writes a short list on one line and a long one with an element a line, so that a diff shows which one changed.
func (w *writer) texts(key string, values []string) {
	if len(values) == 0 {
		return
	}
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = tomltext.Quote(v)
	}
	if line := strings.Join(quoted, ", "); len(line) <= 100 {
		fmt.Fprintf(w, "%s = [%s]\n", key, line)
		return
	}
	fmt.Fprintf(w, "%s = [\n  %s,\n]\n", key, strings.Join(quoted, ",\n  "))
}
