package profiles

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// The kinds of base that only the project file knows: in the recipe both are plain images.
const (
	imageKind  recipe.BaseKind = "image"
	pythonKind recipe.BaseKind = "python"
)

// python is the official image of the project's Python: python:3.11-slim, python:3.11-slim-bookworm.
func (q baseQuestion) python() recipe.BaseImage {
	s := q.spec
	variant, ok := q.variantOf(s.variant, "slim", "full")
	if !ok {
		return recipe.BaseImage{}
	}
	tag := q.wanted.Version
	if variant == "slim" {
		tag += "-slim"
	}
	if s.suite.Set {
		if _, known := pythonSuite(s.suite.Value); !known {
			q.unknownSuite(s.suite)
			return recipe.BaseImage{}
		}
		tag += "-" + s.suite.Value
	}
	b := recipe.BaseImage{Ref: "docker.io/library/python:" + tag, Interpreter: "/usr/local/bin/python" + q.wanted.Version}
	b.Glibc, _, _ = compat.GlibcOf(b.Ref, nil, nil)
	return b
}

// cuda is NVIDIA's image of a CUDA, by the rules of its tags, with the Python of an official image laid over it: it has none of its own.
func (q baseQuestion) cuda() recipe.BaseImage {
	s, a := q.spec, q.accelerator
	variant, ok := q.variantOf(s.variant, "runtime", "base", "cudnn-runtime", "devel", "cudnn-devel")
	if !ok || q.onlyForCUDA(recipe.BaseCUDA) {
		return recipe.BaseImage{}
	}
	version := s.version.Or(a.CUDA)
	if version == "" {
		q.Specf(s.kind.At, "a base of kind cuda needs the version of CUDA").
			Hint("write base: {kind: cuda, version: \"12.6\"}, or accelerator: {cuda: \"12.6\"}")
		return recipe.BaseImage{}
	}
	ref, ok := compat.NvidiaImage(version, variant, strings.TrimPrefix(s.distro.Value, "ubuntu"))
	if !ok {
		q.noNvidiaImage(version, ref)
		return recipe.BaseImage{}
	}
	glibc, _, _ := compat.GlibcOf(ref, nil, nil)
	b := recipe.BaseImage{Kind: recipe.BaseCUDA, Ref: ref, Glibc: glibc, Interpreter: "/usr/local/bin/python" + q.wanted.Version}
	return q.layPython(b)
}

// noNvidiaImage says which images of nvidia/cuda there are instead. A ref is what the tag would be.
func (q baseQuestion) noNvidiaImage(version, ref string) {
	s := q.spec
	at := s.version.At
	if !s.version.Set {
		at = q.cudaAt.At
	}
	if ref != "" {
		row := compat.NvidiaRow(version)
		q.Add(fault.New(fault.Cuda, "nvidia/cuda has no CUDA %s on %s", version, s.distro.Value).In(s.distro.At).
			Hint("it has it on ubuntu%s", strings.Join(row.Ubuntu, ", ubuntu")))
		return
	}
	var near []string
	for _, row := range compat.Known().NvidiaImages {
		for _, full := range row.CUDA {
			if compat.MajorOf(full) == compat.MajorOf(version) {
				near = append(near, full)
			}
		}
	}
	f := fault.New(fault.Cuda, "nvidia/cuda is not known to have an image of CUDA %s (tables of %s)", version, compat.Known().AsOf).In(at)
	if len(near) > 0 {
		f.Hint("it has %s", strings.Join(near, ", "))
	}
	q.Add(f.Hint("an image that is newer than the tables: base: {image: \"nvidia/cuda:<tag>\", python: \"python:%s-slim\"}", q.wanted.Version))
}

// pytorch is PyTorch's image of a release. Its packages are not installed again.
func (q baseQuestion) pytorch() recipe.BaseImage {
	s, a := q.spec, q.accelerator
	variant, ok := q.variantOf(s.variant, "runtime", "devel")
	if !ok || q.onlyForCUDA(recipe.BasePyTorch) {
		return recipe.BaseImage{}
	}
	version, ok := q.frameworkVersion("torch")
	if !ok {
		return recipe.BaseImage{}
	}
	cuda := a.CUDA
	row := compat.Torch().Release(version)
	if cuda == "" && row != nil {
		cuda = row.CUDA
	}
	if cuda == "" {
		q.Specf(s.kind.At, "the tables of this mlbuild (%s) do not know the CUDA of torch %s", compat.Known().AsOf, version).
			Hint("name it: accelerator: {cuda: \"12.8\"}")
		return recipe.BaseImage{}
	}
	if f := compat.Torch().CUDAFault(version, cuda); f != nil {
		q.Add(f.In(q.cudaAt.At))
		return recipe.BaseImage{}
	}
	cudnn := "cudnn9"
	if compat.CompareVersions(version, "2.4") < 0 {
		cudnn = "cudnn8"
	}
	ref := fmt.Sprintf("docker.io/pytorch/pytorch:%s-cuda%s-%s-%s", version, cuda, cudnn, variant)
	return q.framework(recipe.BasePyTorch, ref, "/opt/conda/bin")
}

// tensorflow is TensorFlow's image of a release. Its packages are not installed again.
func (q baseQuestion) tensorflow() recipe.BaseImage {
	version, ok := q.frameworkVersion("tensorflow")
	if !ok {
		return recipe.BaseImage{}
	}
	ref := "docker.io/tensorflow/tensorflow:" + version
	if q.accelerator.Kind == recipe.CUDA {
		ref += "-gpu"
	}
	return q.framework(recipe.BaseTensorFlow, ref, "/usr/bin")
}

// framework is an image with a framework in it. Where its Python is and which packages it has is read from it.
func (q baseQuestion) framework(kind recipe.BaseKind, ref, bin string) recipe.BaseImage {
	glibc, _, _ := compat.GlibcOf(ref, nil, nil)
	return recipe.BaseImage{
		Kind: kind, Ref: ref, Glibc: glibc, Interpreter: bin + "/python" + q.wanted.Version, Look: true, Packages: true,
	}
}

// frameworkVersion is the release whose image is the base: the one that base names, else the one that the project pins.
func (q baseQuestion) frameworkVersion(name string) (version string, ok bool) {
	s := q.spec
	at := s.version.At
	if version = s.version.Value; !s.version.Set {
		at = s.kind.At
		for _, d := range q.direct {
			if slices.Contains(compat.NamesOf(d.Name), name) && d.Pin != "" {
				version, at = d.Pin, d.At
			}
		}
	}
	version, _, _ = strings.Cut(version, "+")
	if version == "" {
		q.Specf(at, "a base of kind %s needs the version of %s", s.kind.Value, name).
			Hint("pin %s in the requirements, or write base: {kind: %s, version: …}", name, s.kind.Value)
		return "", false
	}
	if strings.Count(version, ".") != 2 {
		q.Specf(at, "%s %s is not a whole version: the images are tagged by three numbers", name, version).Hint("for example %s.0", compat.MinorOf(version))
		return "", false
	}
	return version, true
}

// distrolessNumbers are the numbers by which distroless images name the releases of Debian.
var distrolessNumbers = map[string]string{"bookworm": "12", "trixie": "13"}

// distroless is an image without a shell and without apt: with the Python of its Debian, else with one that is laid over it.
func (q baseQuestion) distroless() recipe.BaseImage {
	s, python := q.spec, q.wanted.Version
	tag, ok := q.variantOf(s.variant, "latest", "nonroot", "debug", "debug-nonroot")
	if !ok {
		return recipe.BaseImage{}
	}
	suite := s.suite.Or(cmp.Or(suiteOf(python), "bookworm"))
	number, known := distrolessNumbers[suite]
	if !known {
		q.unknownSuite(s.suite)
		return recipe.BaseImage{}
	}
	glibc := compat.DebianReleases[suite].Glibc
	b := recipe.BaseImage{Kind: recipe.BaseDistroless, Glibc: glibc, Ref: "gcr.io/distroless/python3-debian" + number + ":" + tag, Interpreter: "/usr/bin/python" + python}
	own := compat.DebianReleases[suite].Python == python
	if !own {
		b.Ref, b.Interpreter = "gcr.io/distroless/cc-debian"+number+":"+tag, "/usr/local/bin/python"+python
		b = q.layPython(b)
	}
	if len(q.system) > 0 {
		q.Specf(q.system[0].At, "a distroless base has no apt that could say what these packages need").
			Hint("base: {kind: debian} is as small, and made of packages")
	}
	return b
}

// ofDistribution is the value of base.python for the Python that the base's distribution has as a package.
const ofDistribution = "distribution"

// layPython returns the base with a Python: that of an official slim image laid over it, that of the image which the project names, or the distribution's own.
func (q baseQuestion) layPython(b recipe.BaseImage) recipe.BaseImage {
	version, glibc := q.wanted.Version, b.Glibc
	suite := suiteFor(version, glibc)
	switch s := q.spec.python; {
	case s.Value == ofDistribution:
		return q.distributionPython(b)
	case s.Set:
		b.Python = readReference(q.Report, s, "")
	case suite != "":
		b.Python = "docker.io/library/python:" + version + "-slim-" + suite
		q.noteEnded(b, suite)
	default:
		q.Specf(q.spec.kind.At, "no official image of Python %s is built for a glibc as old as %s, which the base %s has", version, glibc, b.Ref).
			Hint("take a newer base, or another Python").Hint("or name an image with a Python in /usr/local: base: {python: image}").
			Hint("%s", ownPythonHint(b))
		return b
	}
	q.checkLaidPython(b)
	return b
}

// distributionPython returns the base with the Python that its distribution has as a package.
func (q baseQuestion) distributionPython(b recipe.BaseImage) recipe.BaseImage {
	b.Packaged, b.Interpreter = true, "/usr/bin/python"+q.wanted.Version
	has := compat.DistributionPython(b.Ref)
	switch {
	case b.Kind == recipe.BaseDistroless:
		q.Specf(q.spec.python.At, "a distroless base has no apt that could say what the distribution's Python needs").Hint("base: {kind: debian} is as small, and made of packages")
	case has != "" && compat.MinorOf(has) != q.wanted.Version:
		q.Specf(q.spec.python.At, "the distribution of %s has Python %s and no other, the project wants %s (%s)", b.Ref, compat.MinorOf(has), q.wanted.Version, q.wanted.From).
			Hint("set python: {version: %q}, or leave out base.python: an official image's Python is laid over the base", compat.MinorOf(has))
	}
	return b
}

// noteEnded tells that the Python which is laid over the base is no longer renewed, and what there is in its place.
func (q baseQuestion) noteEnded(b recipe.BaseImage, suite string) {
	if row, _ := pythonSuite(suite); row.Ended {
		q.Notef("the Python over the base is that of %s, which is no longer renewed: newer ones need a newer glibc than %s, which %s has; take a newer base, or %s",
			b.Python, b.Glibc, b.Ref, ownPythonHint(b))
	}
}

// ownPythonHint says what brings the distribution's own Python.
func ownPythonHint(b recipe.BaseImage) string {
	hint := "the distribution's own Python"
	if has := compat.DistributionPython(b.Ref); has != "" {
		hint += ", " + compat.MinorOf(has)
	}
	return hint + ": base: {python: " + ofDistribution + "}"
}

// checkLaidPython refuses a Python that the base cannot run.
func (q baseQuestion) checkLaidPython(b recipe.BaseImage) {
	at := q.spec.python.At
	needs, musl, known := compat.GlibcOf(b.Python, nil, nil)
	switch {
	case musl:
		q.Add(compat.MuslFault(b.Python).In(at))
	case known && b.Glibc != "" && compat.CompareVersions(needs, b.Glibc) > 0:
		q.Add(fault.New(fault.ABI, "the Python of %s is built for glibc %s, the base %s has %s", b.Python, needs, b.Ref, b.Glibc).In(at).
			Hint("take an image of an older Debian: python:%s-slim-bookworm has glibc 2.36", q.wanted.Version))
	}
	q.checkPythonTag(q.spec.python)
}

// suiteFor is the newest Debian whose official image of a Python runs on a glibc, "" if there is none. On an unknown glibc it is bookworm.
func suiteFor(python, glibc string) string {
	if glibc == "" {
		glibc = compat.DebianReleases["bookworm"].Glibc
	}
	for _, row := range slices.Backward(compat.Known().PythonSuites) {
		has, _, _ := compat.GlibcOf("docker.io/library/python:slim-"+row.Suite, nil, nil)
		newest := row.Suite == compat.Known().PythonSuites[len(compat.Known().PythonSuites)-1].Suite
		fits := compat.CompareVersions(python, row.Python[0]) >= 0 && (newest || compat.CompareVersions(python, row.Python[1]) <= 0)
		if fits && compat.CompareVersions(has, glibc) <= 0 {
			return row.Suite
		}
	}
	return ""
}

func pythonSuite(name string) (compat.SuiteRow, bool) {
	i := slices.IndexFunc(compat.Known().PythonSuites, func(s compat.SuiteRow) bool { return s.Suite == name })
	if i < 0 {
		return compat.SuiteRow{}, false
	}
	return compat.Known().PythonSuites[i], true
}

func (q baseQuestion) unknownSuite(s yamldoc.String) {
	var known []string
	for _, row := range compat.Known().PythonSuites {
		known = append(known, row.Suite)
	}
	f := fault.New(fault.Spec, "no base of kind %s stands on the Debian release %q", q.spec.kind.Value, s.Value).In(s.At)
	yamldoc.DidYouMean(f, s.Value, known)
	q.Add(f)
}

// variantOf reads base.variant, one of some words; the first is the default.
func (q baseQuestion) variantOf(s yamldoc.String, words ...string) (value string, ok bool) {
	value = s.Or(words[0])
	if !slices.Contains(words, value) {
		f := fault.New(fault.Spec, "base.variant %q does not exist", value).In(s.At)
		yamldoc.DidYouMean(f, value, words)
		q.Add(f.Hint("there are: %s", strings.Join(words, ", ")))
		return value, false
	}
	return value, true
}

// onlyForCUDA refuses a base with CUDA in a CPU profile.
func (q baseQuestion) onlyForCUDA(kind recipe.BaseKind) bool {
	if q.accelerator.Kind == recipe.CUDA {
		return false
	}
	q.Add(fault.New(fault.Variant, "the profile %s is for CPU, and a base of kind %s brings CUDA, several GB of it", q.profile, kind).In(q.spec.kind.At).
		Hint("give it to the profile that wants it: profiles: {gpu: {base: {kind: %s}}}", kind))
	return true
}
