package profiles

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

type copyFromSpec struct {
	at          fault.Position
	image, step yamldoc.String
	outputSpec
}

type outputSpec struct {
	at                    fault.Position
	from, to, mode, owner yamldoc.String
}

// fields reads the keys of an output.
func outputFields(d *yamldoc.Decoder, o *outputSpec) yamldoc.Fields {
	return yamldoc.Fields{
		"from": d.String(&o.from, "from"), "to": d.String(&o.to, "to"),
		"mode": d.String(&o.mode, "mode"), "owner": d.String(&o.owner, "owner"),
	}
}

func decodeCopyFrom(d *yamldoc.Decoder, n *yamldoc.Node, s *spec) {
	s.copyFrom = nil
	for _, item := range eachMapping(d, n, "copyFrom", "image, from and to") {
		c := copyFromSpec{at: item.At}
		keys := outputFields(d, &c.outputSpec)
		keys["image"], keys["step"] = d.String(&c.image, "image"), d.String(&c.step, "step")
		d.Mapping(item, "copyFrom", keys)
		c.outputSpec.at = item.At
		s.copyFrom = append(s.copyFrom, c)
	}
}

// eachMapping gives the items of a list that must be mappings.
func eachMapping(d *yamldoc.Decoder, n *yamldoc.Node, what, with string) []*yamldoc.Node {
	if n.Kind != yamldoc.List {
		d.Wrong(n, what, "a list of mappings with "+with)
		return nil
	}
	var good []*yamldoc.Node
	for _, item := range n.Items {
		if item.Kind != yamldoc.Mapping {
			d.Wrong(item, "an item of "+what, "a mapping with "+with)
			continue
		}
		good = append(good, item)
	}
	return good
}

// copyFrom decides CopyFrom.
func (r *resolver) copyFrom() {
	for _, s := range r.spec.copyFrom {
		c, dir := recipe.CopyFrom{Step: s.step.Value}, "/"
		switch {
		case s.image.Set == s.step.Set:
			r.Specf(s.at, "an item of copyFrom needs an image or the name of a build step, and not both")
			continue
		case s.image.Set:
			c.Image = readReference(r.Report, s.image, "")
		default:
			dir = recipe.SourceDir
			r.knownStep(s.step)
		}
		var ok bool
		if c.Output, ok = r.output(s.outputSpec, dir); !ok {
			continue
		}
		if i := slices.IndexFunc(r.recipe.CopyFrom, func(o recipe.CopyFrom) bool { return clash(o.Output, c.Output) }); i >= 0 {
			r.Specf(s.to.At, "%s and %s would both become %s", r.recipe.CopyFrom[i].From, c.From, strings.TrimSuffix(c.To, "/")).
				Hint("Give one of them another destination with to:.")
		}
		r.recipe.CopyFrom = append(r.recipe.CopyFrom, c)
	}
}

func (r *resolver) knownStep(s yamldoc.String) {
	var names []string
	for _, b := range r.recipe.Build {
		names = append(names, b.Name)
	}
	if slices.Contains(names, s.Value) {
		return
	}
	f := fault.New(fault.Spec, "there is no build step %q", s.Value).In(s.At)
	if len(names) > 0 {
		yamldoc.DidYouMean(f, s.Value, names)
	}
	r.Add(f.Hint("Steps of build: are those whose files can be taken."))
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
	o := recipe.Output{From: s.from.Value}
	if !s.from.Set || !s.to.Set {
		r.Specf(s.at, "files from elsewhere need from and to").Hint("For example {from: /usr/local/bin/tool, to: /usr/local/bin/}.")
		return o, false
	}
	if strings.ContainsAny(o.From, "\x00\n") || o.From == "" || hasDotDot(o.From) {
		r.Specf(s.from.At, "from %q is no path", o.From)
		return o, false
	}
	if !path.IsAbs(o.From) {
		o.From = path.Join(dir, o.From)
	}
	o.From = path.Clean(o.From)
	if strings.Contains(o.From, "**") {
		r.Specf(s.from.At, "from %q has **, which works for the project's own files only", s.from.Value).Hint("Name the directory: it is copied with all that is in it.")
	}
	to, ok := r.stepDestination(s.to)
	if !ok {
		return o, false
	}
	o.To = to
	if recipe.IsGlob(o.From) && !strings.HasSuffix(o.To, "/") {
		r.Specf(s.to.At, "what matches %s would become the one file %s", s.from.Value, o.To).
			Hint("End the destination with a slash to keep the names: to: %s/", s.to.Value)
	}
	if o.From == "/" {
		r.Specf(s.from.At, "from is the root of another file system").Hint("Name the directories that are wanted.")
	}
	if s.mode.Set {
		o.Mode = fmt.Sprintf("%04o", readMode(r.Report, s.mode, 0))
	}
	if s.owner.Set {
		uid, gid := readOwner(r.Report, s.owner, r.recipe.User)
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
func (r *resolver) stepDestination(s yamldoc.String) (string, bool) {
	p := s.Value
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
	slash := strings.HasSuffix(s.Value, "/") || s.Value == "."
	if why == "" && path.Clean(p) == "/" && !slash {
		why = "is the root of the image"
	}
	if why != "" {
		f := r.Specf(s.At, "the destination %q %s", s.Value, why)
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
