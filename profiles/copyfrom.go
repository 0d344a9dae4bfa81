package profiles

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

type copyFromSpec struct {
	at          fault.Position
	image, step str
	outputSpec
}

type outputSpec struct {
	at                    fault.Position
	from, to, mode, owner str
}

// fields reads the keys of an output.
func (d *decoder) outputFields(o *outputSpec) fields {
	return fields{
		"from": d.str(&o.from, "from"), "to": d.str(&o.to, "to"),
		"mode": d.str(&o.mode, "mode"), "owner": d.str(&o.owner, "owner"),
	}
}

func (d *decoder) copyFroms(n *node, s *spec) {
	s.copyFrom = nil
	for _, item := range d.mappings(n, "copyFrom", "image, from and to") {
		c := copyFromSpec{at: item.at}
		keys := d.outputFields(&c.outputSpec)
		keys["image"], keys["step"] = d.str(&c.image, "image"), d.str(&c.step, "step")
		d.mapping(item, "copyFrom", keys)
		c.outputSpec.at = item.at
		s.copyFrom = append(s.copyFrom, c)
	}
}

// mappings gives the items of a list that must be mappings.
func (d *decoder) mappings(n *node, what, with string) []*node {
	if n.kind != list {
		d.wrong(n, what, "a list of mappings with "+with)
		return nil
	}
	var good []*node
	for _, item := range n.items {
		if item.kind != mapping {
			d.wrong(item, "an item of "+what, "a mapping with "+with)
			continue
		}
		good = append(good, item)
	}
	return good
}

// copyFrom decides CopyFrom.
func (r *resolver) copyFrom() {
	for _, s := range r.spec.copyFrom {
		c, dir := recipe.CopyFrom{Step: s.step.value}, "/"
		switch {
		case s.image.set == s.step.set:
			r.specf(s.at, "an item of copyFrom needs an image or the name of a build step, and not both")
			continue
		case s.image.set:
			c.Image = r.reference(s.image, "")
		default:
			dir = recipe.SourceDir
			r.knownStep(s.step)
		}
		var ok bool
		if c.Output, ok = r.output(s.outputSpec, dir); !ok {
			continue
		}
		if i := slices.IndexFunc(r.recipe.CopyFrom, func(o recipe.CopyFrom) bool { return clash(o.Output, c.Output) }); i >= 0 {
			r.specf(s.to.at, "%s and %s would both become %s", r.recipe.CopyFrom[i].From, c.From, strings.TrimSuffix(c.To, "/")).
				Hint("Give one of them another destination with to:.")
		}
		r.recipe.CopyFrom = append(r.recipe.CopyFrom, c)
	}
}

func (r *resolver) knownStep(s str) {
	var names []string
	for _, b := range r.recipe.Build {
		names = append(names, b.Name)
	}
	if slices.Contains(names, s.value) {
		return
	}
	f := fault.New(fault.Spec, "there is no build step %q", s.value).In(s.at)
	if len(names) > 0 {
		didYouMean(f, s.value, names)
	}
	r.add(f.Hint("Steps of build: are those whose files can be taken."))
}

// clash tells whether two outputs have one destination.
func clash(a, b recipe.Output) bool {
	if recipe.IsGlob(a.From) || recipe.IsGlob(b.From) {
		return false
	}
	return a.Target() == b.Target()
}

// output reads one output. A relative source starts at dir, a relative destination at the working directory.
func (r *resolver) output(s outputSpec, dir string) (recipe.Output, bool) {
	o := recipe.Output{From: s.from.value}
	if !s.from.set || !s.to.set {
		r.specf(s.at, "files from elsewhere need from and to").Hint("For example {from: /usr/local/bin/tool, to: /usr/local/bin/}.")
		return o, false
	}
	if strings.ContainsAny(o.From, "\x00\n") || o.From == "" || hasDotDot(o.From) {
		r.specf(s.from.at, "from %q is no path", o.From)
		return o, false
	}
	if !path.IsAbs(o.From) {
		o.From = path.Join(dir, o.From)
	}
	o.From = path.Clean(o.From)
	if strings.Contains(o.From, "**") {
		r.specf(s.from.at, "from %q has **, which works for the project's own files only", s.from.value).Hint("Name the directory: it is copied with all that is in it.")
	}
	to, ok := r.stepDestination(s.to)
	if !ok {
		return o, false
	}
	o.To = to
	if recipe.IsGlob(o.From) && !strings.HasSuffix(o.To, "/") {
		r.specf(s.to.at, "what matches %s would become the one file %s", s.from.value, o.To).
			Hint("End the destination with a slash to keep the names: to: %s/", s.to.value)
	}
	if o.From == "/" {
		r.specf(s.from.at, "from is the root of another file system").Hint("Name the directories that are wanted.")
	}
	if s.mode.set {
		o.Mode = fmt.Sprintf("%04o", r.mode(s.mode, 0))
	}
	if s.owner.set {
		uid, gid := r.owner(s.owner)
		o.Owner = fmt.Sprintf("%d:%d", uid, gid)
	}
	return o, true
}

// closedTrees are those that files from elsewhere do not go to. What is left of the system, /usr and /etc, is open to them.
var closedTrees = []string{
	"/proc", "/sys", "/dev", "/boot", "/run", "/var/run", "/var/lock", "/var/lib/dpkg", "/opt/venv", "/tmp", "/var/tmp",
}

// linkedTrees are symbolic links into /usr on today's distributions. A layer's directory of that name would replace the link.
var linkedTrees = []string{"/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32"}

// stepDestination reads the destination of files from elsewhere; a trailing slash is kept.
func (r *resolver) stepDestination(s str) (string, bool) {
	p := s.value
	if !path.IsAbs(p) && !hasDotDot(p) {
		p = path.Join(r.recipe.App.Workdir, p)
	}
	why, hint := badDirectory(p), ""
	if tree := under(p, closedTrees); why == "" && tree != "" {
		why = "lies in " + tree + ", which belongs to the system"
	}
	if tree := under(p, linkedTrees); why == "" && tree != "" {
		why, hint = "lies in "+tree+", which is a link to /usr"+tree, "Write /usr"+p+"."
	}
	slash := strings.HasSuffix(s.value, "/") || s.value == "."
	if why == "" && path.Clean(p) == "/" && !slash {
		why = "is the root of the image"
	}
	if why != "" {
		f := r.specf(s.at, "the destination %q %s", s.value, why)
		if hint != "" {
			f.Hint("%s", hint)
		}
		return "", false
	}
	p = path.Clean(p)
	if slash {
		p = strings.TrimSuffix(p, "/") + "/"
	}
	return p, true
}
