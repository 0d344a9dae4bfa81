package profiles

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// FileName is the project file's name where no other is asked for.
const FileName = "mlbuild.yaml"

// Project is a project file that was read and found well formed, or a directory without one. Its profiles are
// decided by Resolve.
type Project struct {
	// DefaultName names the project if neither its file nor its pyproject.toml does: usually the directory's
	// name. It may hold any characters.
	DefaultName string

	fsys   fs.FS
	file   string // "" = no project file
	root   *node
	args   map[string]string // declared build arguments with their defaults
	must   []string          // declared build arguments without a default, sorted
	report *report
}

// ProfileInfo is what a list of profiles shows.
type ProfileInfo struct {
	Name        string `json:"name"`
	Extends     string `json:"extends,omitempty"`
	Accelerator string `json:"accelerator"` // "none", "cuda" or "cuda 12.6"
	Description string `json:"description"`
	BuiltIn     bool   `json:"built_in,omitempty"` // exists without being named in the project file
}

// builtIn are the profiles that every project has.
var builtIn = map[string]*node{
	"cpu":   object("built-in profile", "accelerator", "none", "description", "CPU only, without CUDA libraries"),
	"gpu":   object("built-in profile", "accelerator", "cuda", "description", "NVIDIA GPU, CUDA from the Python packages"),
	"train": object("built-in profile", "extends", "gpu", "description", "training on several GPUs: torchrun, NCCL, MPI for what needs it"),
}

// builtIn gives the built-in profile of a name, nil if there is none or the file has a profile of its own under the name: one
// that says what it extends.
func (p *Project) builtIn(name string) *node {
	profile := builtIn[name]
	if profile.get("extends") != nil && p.own(name).get("extends") != nil {
		return nil
	}
	return profile
}

// Load reads the project in fsys. File is the project file's slash path in it; "" means mlbuild.yaml if there
// is one, else a project without a file, which is deduced from what is there. Every fault of the file is
// reported at once, as a fault.List with E-SPEC.
func Load(fsys fs.FS, file string) (*Project, error) {
	p := &Project{fsys: fsys, file: file, report: newReport(), args: map[string]string{}}
	data, err := p.read()
	if err != nil {
		return nil, err
	}
	p.root = &node{kind: mapping}
	if p.file != "" {
		p.root = readYAML(p.file, data, p.report)
	}
	if p.root != nil {
		p.check()
	}
	if err := p.report.faults.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

// read gives the project file's bytes, at most one more than the limit, and sets p.file.
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
		return nil, fault.New(fault.Spec, "the project file cannot be read: %w", err).
			In(fault.Position{File: name}).Hint("Check the path given with -f.")
	}
	defer f.Close()
	p.file = name
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
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
				In(fault.Position{File: name}).Hint("Rename it, or give -f %s.", name)
		}
	}
	return nil
}

// check finds what is wrong in the file whatever profile is built.
func (p *Project) check() {
	if p.root.kind != mapping {
		p.report.specf(p.root.at, "the project file must be a mapping, this is %s", p.root.kind)
		return
	}
	p.checkVersion()
	p.readArgs()
	p.root = normalize(p.root)
	for _, key := range profileOnly {
		if p.root.get(key) != nil {
			p.report.specf(p.root.keyAt(key), "the key %q belongs into a profile", key).
				Hint("Write it below profiles: → a profile's name.")
		}
	}
	d := &decoder{report: p.report, args: p.args}
	d.spec(p.root.without(append(profileOnly, "version", "args", "profiles")...))
	p.checkProfiles(d)
}

func (p *Project) checkVersion() {
	n := p.root.get("version")
	if n == nil || n.kind == integer && n.text == "1" || n.kind == text && n.text == "1" {
		return
	}
	p.report.specf(n.at, "version %q of the project file is not supported; this mlbuild reads version 1", n.text).
		Hint("Write version: 1, or use a newer mlbuild.")
}

// normalize writes the short form "base: image" as the long one, so that a profile can add to it.
func normalize(n *node) *node {
	base := n.get("base")
	if base == nil || base.kind != text && base.kind != mapping {
		return n
	}
	long := longBase(base)
	copied := *n
	copied.keys = slices.Clone(n.keys)
	for i := range copied.keys {
		if copied.keys[i].name == "base" {
			copied.keys[i].value = long
		}
	}
	return &copied
}

// readArgs reads the declared build arguments. One without a default must be given.
func (p *Project) readArgs() {
	n := p.root.get("args")
	if n == nil || n.kind == null {
		return
	}
	if n.kind != mapping {
		p.report.specf(n.at, "args must be a mapping of names and defaults, this is %s", n.kind)
		return
	}
	for _, e := range n.keys {
		switch {
		case !argName.MatchString(e.name):
			p.report.specf(e.at, "%q is not a name for a build argument", e.name).Hint("Use letters, digits and _.")
		case e.value.kind == list || e.value.kind == mapping:
			p.report.specf(e.value.at, "args.%s must be a text, this is %s", e.name, e.value.kind)
		case e.value.kind == null:
			p.must = append(p.must, e.name)
			p.args[e.name] = ""
		default:
			p.args[e.name] = e.value.text
		}
	}
	slices.Sort(p.must)
}

var profileName = lazyregexp.New(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func (p *Project) checkProfiles(d *decoder) {
	all := p.root.get("profiles")
	if all == nil || all.kind == null {
		return
	}
	if all.kind != mapping {
		p.report.specf(all.at, "profiles must be a mapping of names and profiles, this is %s", all.kind)
		return
	}
	for _, e := range all.keys {
		if !profileName.MatchString(e.name) || len(e.name) > 63 {
			p.report.specf(e.at, "%q cannot name a profile", e.name).
				Hint("Use lower-case letters, digits and single dashes; the name becomes part of tags and file names.")
		}
		p.checkProfile(d, e)
		p.checkExtends(e)
	}
}

func (p *Project) checkProfile(d *decoder, e entry) {
	if e.value.kind != mapping {
		if e.value.kind != null {
			p.report.specf(e.value.at, "the profile %s must be a mapping, this is %s", e.name, e.value.kind)
		}
		return
	}
	for _, key := range topOnly {
		if e.value.get(key) != nil {
			p.report.specf(e.value.keyAt(key), "the key %q belongs to the top level, not into a profile", key)
		}
	}
	var ignored str
	s := &spec{}
	known := d.specFields(s)
	known["extends"] = d.str(&ignored, "extends")
	known["description"] = d.str(&ignored, "description")
	d.mapping(e.value.without(topOnly...), "the profile "+e.name, known)
}

// checkExtends follows a profile's chain and reports an unknown link or a cycle at its first link.
func (p *Project) checkExtends(e entry) {
	chain := []string{e.name}
	for name := e.name; ; {
		next := p.extends(name)
		if next == nil {
			return
		}
		if slices.Contains(chain, next.text) {
			p.report.specf(p.extends(e.name).at, "the profiles extend each other in a circle: %s",
				strings.Join(append(chain, next.text), " → ")).Hint("Remove one extends of the circle.")
			return
		}
		if !slices.Contains(p.names(), next.text) {
			if len(chain) == 1 {
				f := fault.New(fault.Spec, "profile %s extends %q, which does not exist", e.name, next.text).In(next.at)
				didYouMean(f, next.text, p.names())
				p.report.add(f)
			}
			return
		}
		chain = append(chain, next.text)
		name = next.text
	}
}

// own gives what the file says of a profile, nil if it says nothing.
func (p *Project) own(name string) *node {
	profile := p.root.get("profiles").get(name)
	if profile == nil || profile.kind != mapping {
		return nil
	}
	return normalize(profile)
}

// extends gives the name that a profile extends, nil if there is none.
func (p *Project) extends(name string) *node {
	n := p.own(name).get("extends")
	if n == nil {
		n = builtIn[name].get("extends")
	}
	if n == nil || n.kind == null || n.kind == list || n.kind == mapping {
		return nil
	}
	return n
}

// names gives every profile's name, sorted.
func (p *Project) names() []string {
	names := slices.Collect(maps.Keys(builtIn))
	if all := p.root.get("profiles"); all != nil {
		for _, e := range all.keys {
			names = append(names, e.name)
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
		d := &decoder{report: newReport(), args: p.args}
		d.accelerator(orEmpty(merged.get("accelerator")), &s.accelerator)
		info := ProfileInfo{Name: name, Accelerator: s.accelerator.kind.or("none"), BuiltIn: builtIn[name] != nil && p.own(name) == nil}
		if s.accelerator.cuda.set {
			info.Accelerator += " " + s.accelerator.cuda.value
		}
		if n := p.extends(name); n != nil {
			info.Extends = n.text
		}
		info.Description = p.describe(name, info)
		infos = append(infos, info)
	}
	return infos
}

func (p *Project) describe(name string, info ProfileInfo) string {
	for _, from := range []*node{p.own(name), p.builtIn(name)} {
		if n := from.get("description"); n != nil {
			return n.text
		}
	}
	if info.Extends != "" {
		return info.Extends + " with changes from " + p.file
	}
	return "from " + p.file
}

func orEmpty(n *node) *node {
	if n == nil {
		return scalar("none", "")
	}
	return n
}

// merged lays together, from the bottom: the built-in profile that the chain starts at, the file's top level,
// the chain of profiles.
func (p *Project) merged(name string) *node {
	chain := p.chain(name)
	var under *node
	for _, link := range chain {
		under = merge(under, p.builtIn(link))
	}
	merged := merge(under, p.root.without(append(profileOnly, "version", "args", "profiles")...))
	for _, link := range chain {
		merged = merge(merged, p.own(link))
	}
	return merged
}

// chain gives a profile's ancestors from the root down to the profile itself.
func (p *Project) chain(name string) []string {
	chain := []string{name}
	for {
		next := p.extends(chain[0])
		if next == nil || slices.Contains(chain, next.text) {
			return chain
		}
		chain = slices.Insert(chain, 0, next.text)
	}
}
