package compat

import (
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Framework is everything that is known of a machine learning framework, or of a package that is trained with. compat.yaml says what each field
// is; an empty one says nothing.
type Framework struct {
	Name          string            `yaml:"name"` // normalized, as every name here is
	Names         Names             `yaml:"names"`
	Also          []string          `yaml:"also"`
	ReleasedAs    []string          `yaml:"released_as"`
	WithoutCUDA   map[string]string `yaml:"without_cuda"`
	CUDAInVersion bool              `yaml:"cuda_in_version"`
	Index         Index             `yaml:"index"`
	Pairs         []string          `yaml:"pairs"`
	FirstLayers   []string          `yaml:"first_layers"`
	Train         Train             `yaml:"train"`
	Init          Init              `yaml:"init"`
	Releases      []Release         `yaml:"releases"`
}

// Names are the packages of a framework that has others for CPU and for CUDA.
type Names struct {
	All         []string `yaml:"all"` // empty: the framework's own name
	CPU         string   `yaml:"cpu"`
	CPUArm      string   `yaml:"cpu_arm"`
	CPUSince    string   `yaml:"cpu_since"` // the first version of CPU, "" = every version of the framework has it
	CUDA        string   `yaml:"cuda"`
	CUDA13      string   `yaml:"cuda13"`
	NeedsExtras bool     `yaml:"needs_extras"`

	ReleasedApart bool `yaml:"released_apart"` // CPU and CUDA do not have all of each other's patch releases
}

// Index is a framework's own package index, which has a folder for each accelerator.
type Index struct {
	URL     string   `yaml:"url"`
	Family  []string `yaml:"family"`
	Follow  []string `yaml:"follow"`
	Apart   []string `yaml:"apart"`
	AArch64 []string `yaml:"aarch64"`
}

// Init is what a new project with the framework is proposed.
type Init struct {
	Profiles bool     `yaml:"profiles"`
	System   []string `yaml:"system"`
}

// Release is a minor version of a framework.
type Release struct {
	Version string            `yaml:"version"` // "2.9": the row holds for every 2.9.x
	CUDA    string            `yaml:"cuda"`
	Builds  []string          `yaml:"builds"`
	CuDNN   string            `yaml:"cudnn"`
	Python  []string          `yaml:"python"`
	With    map[string]string `yaml:"with"`
}

// Frameworks are rows of the table.
type Frameworks []Framework

// Named returns the row of a framework by its own name, nil if there is none.
func (fs Frameworks) Named(name string) *Framework {
	i := slices.IndexFunc(fs, func(f Framework) bool { return f.Name == name })
	if i < 0 {
		return nil
	}
	return &fs[i]
}

// Of returns the row of the framework that a package is, under whichever of its names; nil if it is none.
func (fs Frameworks) Of(name string) *Framework {
	i := slices.IndexFunc(fs, func(f Framework) bool { return slices.Contains(f.names(), name) })
	if i < 0 {
		return nil
	}
	return &fs[i]
}

// Torch returns the row of PyTorch, the one framework of which mlbuild chooses the index: a lock says which it was.
func Torch() *Framework { return Known().Frameworks.Named("torch") }

// SameProject reports whether two normalized names are the same framework's: tensorflow and tensorflow-cpu have the same modules.
func SameProject(a, b string) bool { return slices.Contains(NamesOf(a), b) }

// NamesOf lists the names under which one framework is published: tensorflow, tensorflow-cpu, tensorflow-gpu.
func NamesOf(name string) []string {
	if f := Known().Frameworks.Of(name); f != nil {
		return f.names()
	}
	return []string{name}
}

// sameModules lists every name under which the modules of the framework are published.
func (f *Framework) sameModules() []string { return slices.Concat(f.names(), f.Also) }

func (f *Framework) names() []string {
	if len(f.Names.All) == 0 {
		return []string{f.Name}
	}
	return f.Names.All
}

// PackageFor returns the name and extras, "tensorflow[and-cuda]", that a requirement of the framework has on an accelerator and a platform. name
// and extras ("[and-cuda]" or "") are those that the project wrote, which stay where there is nothing to choose or the project chose itself. Extras
// that have nothing to do with CUDA go along to another name.
func (f *Framework) PackageFor(name, extras string, a recipe.Accelerator, platform string) string {
	own, n := name+extras, f.Names
	switch ownCUDA := strings.Contains(extras, "cuda"); {
	case a.Kind == recipe.CUDA && (ownCUDA || n.CUDA == ""), a.Kind != recipe.CUDA && n.CPU == "":
		return own
	case a.Kind == recipe.CUDA && n.CUDA13 != "" && MajorOf(a.CUDA) == "13":
		return withExtras(n.CUDA13, extras)
	case a.Kind == recipe.CUDA:
		return withExtras(n.CUDA, extras)
	case n.CPUArm != "" && platform == "linux/arm64":
		return withExtras(n.CPUArm, extras)
	case !ownCUDA && name == n.CPU:
		return own
	}
	return withExtras(n.CPU, extras)
}

// withExtras adds the extras of a requirement, "[a,b]", to a name that may have some; those that are about CUDA are left out.
func withExtras(name, extras string) string {
	var others []string
	for extra := range strings.SplitSeq(strings.Trim(extras, "[]"), ",") {
		if extra = strings.TrimSpace(extra); extra != "" && !strings.HasPrefix(extra, "cu") && !strings.Contains(extra, "cuda") {
			others = append(others, extra)
		}
	}
	switch own, open := strings.CutSuffix(name, "]"); {
	case len(others) == 0:
		return name
	case open:
		return own + "," + strings.Join(others, ",") + "]"
	}
	return name + "[" + strings.Join(others, ",") + "]"
}

// In returns the package that an accelerator and a platform have in the place of another of the framework's, in its version ("" = not known yet): name
// and extras, "onnxruntime-gpu[cuda,cudnn]". It is "" where that is the package itself.
func (f *Framework) In(name, version string, a recipe.Accelerator, platform string) string {
	if !slices.Contains(f.names(), name) {
		return ""
	}
	to := f.PackageFor(name, "", a, platform)
	switch bare, _, _ := strings.Cut(to, "["); {
	case bare == name:
		return ""
	case bare == f.Names.CPU && f.Names.CPUSince != "" && version != "" && CompareVersions(version, f.Names.CPUSince) < 0:
		return ""
	}
	return to
}

// cudaName is the name of the package for CUDA, without its extras.
func (f *Framework) cudaName() string {
	if f.Names.CUDA == "" {
		return f.Name
	}
	name, _, _ := strings.Cut(f.Names.CUDA, "[")
	return name
}

// WithoutCUDA returns the package that does the work of another without CUDA libraries, "" if none is known.
func (fs Frameworks) WithoutCUDA(name string) string {
	for _, f := range fs {
		if instead := f.WithoutCUDA[name]; instead != "" {
			return instead
		}
	}
	return ""
}

// linksCUDA reports whether a package is what a CUDA profile is told to require, and another one does its work without CUDA: its own files have what it needs of it.
func (fs Frameworks) linksCUDA(name string) bool {
	return slices.ContainsFunc(fs, func(f Framework) bool { return f.Names.CUDA == name && f.WithoutCUDA[name] != "" })
}

// needingExtras returns the row whose CUDA package a name is, where that package does not bring the CUDA libraries by itself; nil otherwise.
func (fs Frameworks) needingExtras(name string) *Framework {
	i := slices.IndexFunc(fs, func(f Framework) bool { return f.Names.NeedsExtras && f.cudaName() == name })
	if i < 0 {
		return nil
	}
	return &fs[i]
}

// InFirstLayers reports whether a package's layer comes before those of other packages: it is large, changes rarely and is in many images.
func (fs Frameworks) InFirstLayers(name string) bool {
	for _, f := range fs {
		for _, pattern := range f.FirstLayers {
			if prefix, open := strings.CutSuffix(pattern, "*"); name == pattern || open && strings.HasPrefix(name, prefix) {
				return true
			}
		}
	}
	return false
}

// Profiles reports whether a project that asks for these packages is usually wanted for CPU and for CUDA.
func (fs Frameworks) Profiles(asked func(name string) bool) bool {
	return slices.ContainsFunc(fs, func(f Framework) bool { return f.Init.Profiles && asked(f.Name) })
}

// Libraries maps frameworks to the Debian packages that they load and do not bring.
func (fs Frameworks) Libraries() map[string][]string {
	all := map[string][]string{}
	for _, f := range fs {
		if len(f.Init.System) > 0 {
			all[f.Name] = f.Init.System
		}
	}
	return all
}
