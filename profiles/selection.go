package profiles

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// Selection says which profile and platform to resolve, and what the command line sets over the file.
type Selection struct {
	Profile  string            // "" = cpu
	Target   recipe.Stage      // the stage that is wanted: testing and dev are decided without their keys if asked for; "" = runtime
	Platform string            // "" = linux/amd64
	Args     map[string]string // values of build arguments, by declared name
	Python   string            // replaces python.version
	Base     string            // replaces base.image
	Tool     string            // replaces tool
	Image    string            // replaces image
	Env      map[string]string // added to app.env, and wins
	Labels   map[string]string // added to app.labels, and wins

	Annotations map[string]string // added to app.annotations, and wins
	Origin      Origin
}

// Origin is where the project comes from. The images' labels, which tools read from the config, and their manifests' annotations, which registries show,
// say it (https://specs.opencontainers.org/image-spec/annotations) where the project does not say the same itself.
type Origin struct {
	Revision string // of the commit, "" = not known
	Source   string // URL of the repository, "" = not known
	Created  string // the images' creation time (RFC 3339), "" = not known
}

// WithoutUser takes the user and the password out of a repository's URL: no image says that there is one.
func WithoutUser(remote string) string {
	u, err := url.Parse(remote)
	if err != nil || u.Host == "" {
		return remote // git@host:path holds no password
	}
	u.User = nil
	return u.String()
}

const ociPrefix = "org.opencontainers.image."

// labels returns the labels of an origin.
func (o Origin) labels() []recipe.Pair {
	var labels []recipe.Pair
	for _, p := range []recipe.Pair{{Name: ociPrefix + "revision", Value: o.Revision}, {Name: ociPrefix + "source", Value: o.Source}} {
		if p.Value != "" {
			labels = append(labels, p)
		}
	}
	return labels
}

// annotations returns the annotations of an origin, which say what the labels of the image say. The creation time is an annotation alone: the config has a
// field for it.
func (o Origin) annotations(labels []recipe.Pair) []recipe.Pair {
	var all []recipe.Pair
	for _, p := range o.labels() {
		i := slices.IndexFunc(labels, func(l recipe.Pair) bool { return l.Name == p.Name })
		all = append(all, labels[i])
	}
	if o.Created != "" {
		all = append(all, recipe.Pair{Name: ociPrefix + "created", Value: o.Created})
	}
	return all
}

// node returns what the flags say in the shape of the project file.
func (s Selection) node() *yamldoc.Node {
	n := &yamldoc.Node{Kind: yamldoc.Mapping}
	set := func(name, flag string, value *yamldoc.Node) {
		n.Keys = append(n.Keys, yamldoc.Entry{Name: name, At: fault.Position{File: flag}, Value: value})
	}
	if s.Python != "" {
		set("python", "--python", yamldoc.Object("--python", "version", s.Python))
	}
	if s.Base != "" {
		set("base", "--base", longBase(yamldoc.Scalar(s.Base, "--base")))
	}
	if s.Tool != "" {
		set("tool", "--tool", yamldoc.Scalar(s.Tool, "--tool"))
	}
	if s.Image != "" {
		set("image", "--image", yamldoc.Scalar(s.Image, "--image"))
	}
	app := yamldoc.Object("flags")
	for _, part := range []struct {
		key, flag string
		Values    map[string]string
		literal   func(string) string // a flag's value is literal: ${NAME} in it was the shell's business
	}{{"env", "--env", s.Env, recipe.Escape}, {"labels", "--label", s.Labels, func(v string) string { return strings.ReplaceAll(v, "${", "$${") }}} {
		value := yamldoc.Object(part.flag)
		for _, name := range slices.Sorted(maps.Keys(part.Values)) {
			literal := yamldoc.Scalar(part.literal(part.Values[name]), part.flag)
			value.Keys = append(value.Keys, yamldoc.Entry{Name: name, At: value.At, Value: literal})
		}
		if len(value.Keys) > 0 {
			app.Keys = append(app.Keys, yamldoc.Entry{Name: part.key, At: value.At, Value: value})
		}
	}
	if len(app.Keys) > 0 {
		set("app", "flags", app)
	}
	return n
}

// argValues returns every build argument's value: the default, or what the selection says.
func (p *Project) argValues(report *yamldoc.Report, sel Selection) map[string]string {
	args := maps.Clone(p.args)
	declared := slices.Sorted(maps.Keys(args))
	for _, name := range slices.Sorted(maps.Keys(sel.Args)) {
		if _, known := args[name]; !known {
			f := fault.New(fault.Spec, "the build argument %q is not declared in the project", name).
				In(fault.Position{File: "--build-arg"})
			if len(declared) > 0 {
				yamldoc.DidYouMean(f, name, declared)
			}
			report.Add(f.Hint("declare it in %s: args: {%s: default}", FileName, name))
			continue
		}
		args[name] = sel.Args[name]
	}
	for _, name := range p.must {
		if _, given := sel.Args[name]; !given {
			report.Specf(p.root.Get("args").KeyAt(name), "the build argument %s has no value", name).
				Hint("give --build-arg %s=value, or a default in args", name)
		}
	}
	return args
}

// argPairs returns the declared build arguments with their values.
func (p *Project) argPairs(sel Selection) []yamldoc.Pair {
	var pairs []yamldoc.Pair
	declared := p.root.Get("args")
	for _, name := range slices.Sorted(maps.Keys(p.args)) {
		at := declared.KeyAt(name)
		value := p.args[name]
		if given, ok := sel.Args[name]; ok {
			value, at = given, fault.Position{File: "--build-arg"}
		}
		pairs = append(pairs, yamldoc.Pair{Name: yamldoc.String{Value: name, At: at, Set: true}, Value: yamldoc.String{Value: value, At: at, Set: true}})
	}
	return pairs
}
