package profiles

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
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
	replace               bool
}

// fields reads the keys of an output.
func outputFields(d *yamldoc.Decoder, o *outputSpec) yamldoc.Fields {
	return yamldoc.Fields{
		"from": files.DecodePath(d, &o.from, "from"), "to": files.DecodePath(d, &o.to, "to"),
		"mode": d.String(&o.mode, "mode"), "owner": d.String(&o.owner, "owner"), "replace": d.Flag(&o.replace, "replace"),
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

// resolveCopyFrom decides which files of other images, and of the build steps, the image has.
func resolveCopyFrom(report *yamldoc.Report, list []copyFromSpec, steps []recipe.BuildStep, side files.Placement) []recipe.CopyFrom {
	var all []recipe.CopyFrom
	for _, s := range list {
		c, dir := recipe.CopyFrom{Step: s.step.Value}, "/"
		switch {
		case s.image.Set == s.step.Set:
			report.Specf(s.at, "an item of copyFrom needs an image or the name of a build step, and not both")
			continue
		case s.image.Set:
			c.Image = readReference(report, s.image, "")
		default:
			dir = recipe.SourceDir
			knownStep(report, s.step, steps)
		}
		var ok bool
		if c.Output, ok = output(report, s.outputSpec, dir, side); !ok {
			continue
		}
		if i := slices.IndexFunc(all, func(o recipe.CopyFrom) bool { return clash(o.Output, c.Output) }); i >= 0 {
			report.Specf(s.to.At, "%s and %s would both become %s", all[i].From, c.From, strings.TrimSuffix(c.To, "/")).
				Hint("give one of them another destination with to:")
		}
		all = append(all, c)
	}
	return all
}

// knownStep refuses the name of a build step that there is not.
func knownStep(report *yamldoc.Report, s yamldoc.String, steps []recipe.BuildStep) {
	var names []string
	for _, b := range steps {
		names = append(names, b.Name)
	}
	if slices.Contains(names, s.Value) {
		return
	}
	f := fault.New(fault.Spec, "there is no build step %q", s.Value).In(s.At)
	if len(names) > 0 {
		yamldoc.DidYouMean(f, s.Value, names)
	}
	report.Add(f.Hint("steps of build: are those whose files can be taken"))
}

// clash reports whether two outputs have one destination.
func clash(a, b recipe.Output) bool {
	if recipe.IsGlob(a.From) || recipe.IsGlob(b.From) {
		return false
	}
	return a.Target() == b.Target()
}

// output reads one output. A relative source starts at dir, a relative destination at the working directory.
func output(report *yamldoc.Report, s outputSpec, dir string, side files.Placement) (recipe.Output, bool) {
	o := recipe.Output{From: files.InImage(s.from.Value, side.Python), Replace: s.replace}
	if !s.from.Set || !s.to.Set {
		report.Specf(s.at, "files from elsewhere need from and to").Hint("for example {from: /usr/local/bin/tool, to: /usr/local/bin/}")
		return o, false
	}
	if strings.ContainsAny(o.From, "\x00\n") || o.From == "" || files.HasDotDot(o.From) {
		report.Specf(s.from.At, "from %q is no path", o.From)
		return o, false
	}
	if !path.IsAbs(o.From) {
		o.From = path.Join(dir, o.From)
	}
	o.From = path.Clean(o.From)
	if strings.Contains(o.From, "**") {
		report.Specf(s.from.At, "from %q has **, which works for the project's own files only", s.from.Value).Hint("name the directory: it is copied with all that is in it")
	}
	to, ok := files.StepDestination(report, s.to, side)
	if !ok {
		return o, false
	}
	o.To = to
	if recipe.IsGlob(o.From) && !strings.HasSuffix(o.To, "/") {
		report.Specf(s.to.At, "what matches %s would become the one file %s", s.from.Value, o.To).
			Hint("end the destination with a slash to keep the names: to: %s/", s.to.Value)
	}
	if o.From == "/" {
		report.Specf(s.from.At, "from is the root of another file system").Hint("name the directories that are wanted")
	}
	if s.mode.Set {
		o.Mode = fmt.Sprintf("%04o", files.ReadMode(report, s.mode, 0))
	}
	if s.owner.Set {
		uid, gid := files.ReadOwner(report, s.owner, side.User)
		o.Owner = fmt.Sprintf("%d:%d", uid, gid)
	}
	return o, true
}
