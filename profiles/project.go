package profiles

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/projectdir"
	"github.com/mlbuild/mlbuild/profiles/scaffold"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// FileName is the project file's name where no other is asked for.
const FileName = files.ProjectFile

// Project is a project file that was read and found well formed, or a directory without one. Its profiles are
// decided by Resolve.
type Project struct {
	// DefaultName names the project if neither its file nor its pyproject.toml does: usually the directory's
	// name. It may hold any characters.
	DefaultName string

	fsys   fs.FS
	file   string // "" = no project file
	root   *yamldoc.Node
	args   map[string]string // declared build arguments with their defaults
	must   []string          // declared build arguments without a default, sorted
	report *yamldoc.Report
	found  *scaffold.Suggestion // what a project without a file is taken for, else nil
}

// ProfileInfo is what a list of profiles shows.
type ProfileInfo struct {
	Name        string `json:"name"`               // of the profile
	Extends     string `json:"extends,omitempty"`  // the profile that it is made from
	Accelerator string `json:"accelerator"`        // "none", "cuda", "cuda 12.6", "rocm 6.4", …
	Description string `json:"description"`        // in a few words
	BuiltIn     bool   `json:"built_in,omitempty"` // exists without being named in the project file
}

// builtIn are the profiles that every project has.
var builtIn = map[string]*yamldoc.Node{
	"cpu":   yamldoc.Object("built-in profile", "accelerator", "none", "description", "CPU only, without CUDA libraries"),
	"gpu":   yamldoc.Object("built-in profile", "accelerator", "cuda", "description", "NVIDIA GPU, CUDA from the Python packages"),
	"train": yamldoc.Object("built-in profile", "extends", "gpu", "description", "training on several GPUs: torchrun, NCCL, MPI for what needs it"),
}

// builtIn returns the built-in profile of a name, nil if there is none or the file has a profile of its own under the name: one
// that says what it extends.
func (p *Project) builtIn(name string) *yamldoc.Node {
	profile := builtIn[name]
	if profile.Get("extends") != nil && p.own(name).Get("extends") != nil {
		return nil
	}
	return profile
}

// Load reads the project in fsys. File is the project file's slash path in it; "" means mlbuild.yaml if there
// is one, else a project without a file, which is deduced from what is there. Every fault of the file is
// reported at once, as a fault.List with E-SPEC.
func Load(fsys fs.FS, file string) (*Project, error) {
	p := &Project{fsys: fsys, file: file, report: yamldoc.NewReport(), args: map[string]string{}}
	data, err := p.read()
	if err != nil {
		return nil, err
	}
	p.root = &yamldoc.Node{Kind: yamldoc.Mapping}
	if p.file != "" {
		p.root = yamldoc.Read(p.file, data, p.report)
	} else {
		found := Suggest(fsys, "")
		p.found, p.root = &found, withoutFile(found)
	}
	if p.root != nil {
		p.check()
	}
	if err := p.report.Faults.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

// read returns the project file's bytes, at most one more than the limit, and sets p.file.
func (p *Project) read() ([]byte, error) {
	name := p.file
	if name == "" {
		name = FileName
	}
	f, err := p.fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) && p.file == "" {
		return nil, p.otherSpelling()
	}
	if err != nil {
		f := fault.New(fault.Spec, "the project file cannot be read: %w", err).In(fault.Position{File: name})
		if errors.Is(err, projectdir.ErrOutside) {
			return nil, f.Hint("copy the file into the project: nothing outside of it is read")
		}
		return nil, f.Hint("check the path given with -f")
	}
	defer f.Close()
	p.file = name
	data, err := io.ReadAll(io.LimitReader(f, yamldoc.MaxFileBytes+1))
	if err != nil {
		return nil, fault.New(fault.Spec, "the project file cannot be read: %w", err).In(fault.Position{File: name})
	}
	return data, nil
}

// otherSpelling refuses to overlook a project file whose name is almost right.
func (p *Project) otherSpelling() error {
	for _, name := range []string{"mlbuild.yml", ".mlbuild.yaml", "Mlbuild.yaml"} {
		if _, err := fs.Stat(p.fsys, name); err == nil {
			return fault.New(fault.Spec, "the project file is named %s, mlbuild looks for %s", name, FileName).
				In(fault.Position{File: name}).Hint("rename it, or give -f %s", name)
		}
	}
	return nil
}

// check finds what is wrong in the file whatever profile is built.
func (p *Project) check() {
	if p.root.Kind != yamldoc.Mapping {
		p.report.Specf(p.root.At, "the project file must be a mapping, this is %s", p.root.Kind)
		return
	}
	p.checkVersion()
	p.readArgs()
	p.root = normalize(p.root)
	for _, key := range profileOnly {
		if p.root.Get(key) != nil {
			p.report.Specf(p.root.KeyAt(key), "the key %q is only allowed in a profile", key).
				Hint("write it below profiles: → a profile's name")
		}
	}
	d := &yamldoc.Decoder{Report: p.report, Args: p.args}
	decodeSpec(d, p.root.Without(append(profileOnly, "version", "args", "profiles")...))
	p.checkProfiles(d)
}

func (p *Project) checkVersion() {
	n := p.root.Get("version")
	if n == nil || n.Kind == yamldoc.Integer && n.Text == "1" || n.Kind == yamldoc.Text && n.Text == "1" {
		return
	}
	p.report.Specf(n.At, "version %q of the project file is not supported; this mlbuild reads version 1", n.Text).
		Hint("write version: 1, or use a newer mlbuild")
}

// normalize writes the short form "base: image" as the long one, so that a profile can add to it.
func normalize(n *yamldoc.Node) *yamldoc.Node {
	base := n.Get("base")
	if base == nil || base.Kind != yamldoc.Text && base.Kind != yamldoc.Mapping {
		return n
	}
	long := longBase(base)
	copied := *n
	copied.Keys = slices.Clone(n.Keys)
	for i := range copied.Keys {
		if copied.Keys[i].Name == "base" {
			copied.Keys[i].Value = long
		}
	}
	return &copied
}

// readArgs reads the declared build arguments. One without a default must be given.
func (p *Project) readArgs() {
	n := p.root.Get("args")
	if n == nil || n.Kind == yamldoc.Null {
		return
	}
	if n.Kind != yamldoc.Mapping {
		p.report.Specf(n.At, "args must be a mapping of names and defaults, this is %s", n.Kind)
		return
	}
	for _, e := range n.Keys {
		switch {
		case !yamldoc.ArgName.MatchString(e.Name):
			p.report.Specf(e.At, "%q is not a name for a build argument", e.Name).Hint("use letters, digits and _")
		case e.Value.Kind == yamldoc.List || e.Value.Kind == yamldoc.Mapping:
			p.report.Specf(e.Value.At, "args.%s must be a text, this is %s", e.Name, e.Value.Kind)
		case e.Value.Kind == yamldoc.Null:
			p.must = append(p.must, e.Name)
			p.args[e.Name] = ""
		default:
			p.args[e.Name] = e.Value.Text
		}
	}
	slices.Sort(p.must)
}

var profileName = lazyregexp.New(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func (p *Project) checkProfiles(d *yamldoc.Decoder) {
	all := p.root.Get("profiles")
	if all == nil || all.Kind == yamldoc.Null {
		return
	}
	if all.Kind != yamldoc.Mapping {
		p.report.Specf(all.At, "profiles must be a mapping of names and profiles, this is %s", all.Kind)
		return
	}
	for _, e := range all.Keys {
		if !profileName.MatchString(e.Name) || len(e.Name) > 63 {
			p.report.Specf(e.At, "%q cannot name a profile", e.Name).
				Hint("use lower-case letters, digits and single dashes; the name becomes part of tags and file names")
		}
		p.checkProfile(d, e)
		p.checkExtends(e)
	}
}

func (p *Project) checkProfile(d *yamldoc.Decoder, e yamldoc.Entry) {
	if e.Value.Kind != yamldoc.Mapping {
		if e.Value.Kind != yamldoc.Null {
			p.report.Specf(e.Value.At, "the profile %s must be a mapping, this is %s", e.Name, e.Value.Kind)
		}
		return
	}
	for _, key := range topOnly {
		if e.Value.Get(key) != nil {
			p.report.Specf(e.Value.KeyAt(key), "the key %q belongs to the top level, not in a profile", key)
		}
	}
	var ignored yamldoc.String
	s := &spec{}
	known := specFields(d, s)
	known["extends"] = d.String(&ignored, "extends")
	known["description"] = d.String(&ignored, "description")
	d.Mapping(e.Value.Without(topOnly...), "the profile "+e.Name, known)
}

// checkExtends follows a profile's chain and reports an unknown link or a cycle at its first link.
func (p *Project) checkExtends(e yamldoc.Entry) {
	chain := []string{e.Name}
	for name := e.Name; ; {
		next := p.extends(name)
		if next == nil {
			return
		}
		if slices.Contains(chain, next.Text) {
			p.report.Specf(p.extends(e.Name).At, "the profiles extend each other in a circle: %s",
				strings.Join(append(chain, next.Text), " → ")).Hint("remove one extends of the circle")
			return
		}
		if !slices.Contains(p.names(), next.Text) {
			if len(chain) == 1 {
				f := fault.New(fault.Spec, "profile %s extends %q, which does not exist", e.Name, next.Text).In(next.At)
				yamldoc.DidYouMean(f, next.Text, p.names())
				p.report.Add(f)
			}
			return
		}
		chain = append(chain, next.Text)
		name = next.Text
	}
}

// own returns what the file says of a profile, nil if it says nothing.
func (p *Project) own(name string) *yamldoc.Node {
	profile := p.root.Get("profiles").Get(name)
	if profile == nil || profile.Kind != yamldoc.Mapping {
		return nil
	}
	return normalize(profile)
}

// extends returns the name that a profile extends, nil if there is none.
func (p *Project) extends(name string) *yamldoc.Node {
	n := p.own(name).Get("extends")
	if n == nil {
		n = builtIn[name].Get("extends")
	}
	if n == nil || n.Kind == yamldoc.Null || n.Kind == yamldoc.List || n.Kind == yamldoc.Mapping {
		return nil
	}
	return n
}

// names returns every profile's name, sorted.
func (p *Project) names() []string {
	names := slices.Collect(maps.Keys(builtIn))
	if all := p.root.Get("profiles"); all != nil {
		for _, e := range all.Keys {
			names = append(names, e.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// File is the path of the project file in the project, "" if there is none.
func (p *Project) File() string { return p.file }

// Profiles lists the built-in profiles and the file's, sorted by name.
func (p *Project) Profiles() []ProfileInfo {
	var infos []ProfileInfo
	for _, name := range p.names() {
		merged := p.merged(name)
		s := &spec{}
		d := &yamldoc.Decoder{Report: yamldoc.NewReport(), Args: p.args}
		decodeAccelerator(d, orEmpty(merged.Get("accelerator")), &s.accelerator)
		info := ProfileInfo{Name: name, Accelerator: s.accelerator.kind.Or("none"), BuiltIn: builtIn[name] != nil && (p.own(name) == nil || p.file == "")}
		if s.accelerator.cuda.Set {
			info.Accelerator += " " + s.accelerator.cuda.Value
		}
		if s.accelerator.rocm.Set {
			info.Accelerator += " " + s.accelerator.rocm.Value
		}
		if n := p.extends(name); n != nil {
			info.Extends = n.Text
		}
		info.Description = p.describe(name, info)
		infos = append(infos, info)
	}
	return infos
}

func (p *Project) describe(name string, info ProfileInfo) string {
	for _, from := range []*yamldoc.Node{p.own(name), p.builtIn(name)} {
		if n := from.Get("description"); n != nil {
			return n.Text
		}
	}
	if info.Extends != "" {
		return info.Extends + " with changes from " + p.file
	}
	return "from " + p.file
}

func orEmpty(n *yamldoc.Node) *yamldoc.Node {
	if n == nil {
		return yamldoc.Scalar("none", "")
	}
	return n
}

// merged lays together, from the bottom: the built-in profile that the chain starts at, the file's top level,
// the chain of profiles.
func (p *Project) merged(name string) *yamldoc.Node {
	chain := p.chain(name)
	var under *yamldoc.Node
	for _, link := range chain {
		under = yamldoc.Merge(under, p.builtIn(link))
	}
	merged := yamldoc.Merge(under, p.root.Without(append(profileOnly, "version", "args", "profiles")...))
	for _, link := range chain {
		merged = yamldoc.Merge(merged, p.own(link))
	}
	return merged
}

// chain returns a profile's ancestors from the root down to the profile itself.
func (p *Project) chain(name string) []string {
	chain := []string{name}
	for {
		next := p.extends(chain[0])
		if next == nil || slices.Contains(chain, next.Text) {
			return chain
		}
		chain = slices.Insert(chain, 0, next.Text)
	}
}
