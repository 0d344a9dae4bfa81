package profiles

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/requirements"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

type baseSpec struct {
	given                     []yamldoc.String // the names of its keys
	kind                      yamldoc.String
	image, interpreter, glibc yamldoc.String
	variant, version, distro  yamldoc.String
	python                    yamldoc.String // image whose Python is laid over the base
	packages                  bool           // the base's own packages count
	suite                     yamldoc.String
	shell                     bool
	repositories              []repositorySpec
}

// decodeBase reads an image reference, or a mapping with it or a kind.
func decodeBase(d *yamldoc.Decoder, n *yamldoc.Node, b *baseSpec) {
	if n.Kind != yamldoc.Mapping {
		d.String(&b.image, "base")(n)
		return
	}
	for _, e := range n.Keys {
		if e.Value.Kind != yamldoc.Null {
			b.given = append(b.given, yamldoc.String{Value: e.Name, At: e.At, Set: true})
		}
	}
	d.Mapping(n, "base", yamldoc.Fields{
		"kind": d.String(&b.kind, "base.kind"), "image": d.String(&b.image, "base.image"), "interpreter": d.String(&b.interpreter, "base.interpreter"),
		"glibc": d.String(&b.glibc, "base.glibc"), "suite": d.String(&b.suite, "base.suite"), "shell": d.Flag(&b.shell, "base.shell"),
		"repositories": decodeRepositories(d, &b.repositories, "base.repositories"),
		"variant":      d.String(&b.variant, "base.variant"), "version": d.String(&b.version, "base.version"), "distro": d.String(&b.distro, "base.distro"),
		"python": d.String(&b.python, "base.python"), "packages": d.Flag(&b.packages, "base.packages"),
	})
}

// baseKind is a value of base.kind.
type baseKind struct {
	keys   []string // of base that go with it, beside kind
	decide func(baseQuestion) recipe.BaseImage
}

var baseKinds = map[recipe.BaseKind]baseKind{
	imageKind:             {[]string{"image", "interpreter", "glibc", "python", "packages"}, baseQuestion.image},
	pythonKind:            {[]string{"variant", "suite"}, baseQuestion.python},
	recipe.BaseDebian:     {[]string{"suite", "shell", "repositories"}, baseQuestion.debian},
	recipe.BaseDistroless: {[]string{"variant", "suite", "python"}, baseQuestion.distroless},
	recipe.BaseCUDA:       {[]string{"variant", "version", "distro", "python"}, baseQuestion.cuda},
	recipe.BasePyTorch:    {[]string{"variant", "version"}, baseQuestion.pytorch},
	recipe.BaseTensorFlow: {[]string{"version"}, baseQuestion.tensorflow},
}

// longBase writes a base as a mapping. One that names its kind takes away what was said of another kind before, in the top level or by a profile that
// it extends.
func longBase(n *yamldoc.Node) *yamldoc.Node {
	long := &yamldoc.Node{Kind: yamldoc.Mapping, At: n.At, Keys: slices.Clone(n.Keys)}
	kind := long.Get("kind")
	if n.Kind == yamldoc.Text {
		kind = &yamldoc.Node{Kind: yamldoc.Text, Text: string(imageKind), At: n.At}
		if _, known := baseKinds[recipe.BaseKind(n.Text)]; known {
			kind = n
		} else {
			long.Keys = []yamldoc.Entry{{Name: "image", At: n.At, Value: n}}
		}
		long.Keys = append(long.Keys, yamldoc.Entry{Name: "kind", At: n.At, Value: kind})
	}
	if kind == nil || baseKinds[recipe.BaseKind(kind.Text)].keys == nil {
		return long
	}
	for _, name := range slices.Sorted(maps.Keys(baseKinds)) {
		for _, key := range baseKinds[name].keys {
			if !slices.Contains(baseKinds[recipe.BaseKind(kind.Text)].keys, key) && long.Get(key) == nil {
				long.Keys = append(long.Keys, yamldoc.Entry{Name: key, At: n.At, Value: &yamldoc.Node{At: n.At}})
			}
		}
	}
	return long
}

// baseQuestion is what a base is decided by.
type baseQuestion struct {
	*yamldoc.Report
	spec        baseSpec
	profile     string
	wanted      recipe.Python
	wantedAt    yamldoc.String // python.version as the project names it
	accelerator recipe.Accelerator
	cudaAt      yamldoc.String             // accelerator.cuda as the project names it
	direct      []requirements.Requirement // what the project asks for by name
	system      []yamldoc.String           // Debian packages that the image is to have
}

// resolveBase decides what the image stands on, and where its Python is.
func resolveBase(q baseQuestion) recipe.BaseImage {
	s := q.spec
	name := recipe.BaseKind(s.kind.Or(string(imageKind)))
	kind, known := baseKinds[name]
	if !known {
		f := fault.New(fault.Spec, "the kind of base %q does not exist", name).In(s.kind.At)
		yamldoc.DidYouMean(f, string(name), slices.Sorted(maps.Keys(baseKinds)))
		q.Add(f)
		return recipe.BaseImage{}
	}
	for _, key := range s.given {
		if key.Value != "kind" && !slices.Contains(kind.keys, key.Value) {
			q.Specf(key.At, "the key %q does not go with a base of kind %s", key.Value, name).Hint("its keys: %s", strings.Join(kind.keys, ", "))
		}
	}
	return kind.decide(q)
}

// image is an image: the one that the project names, or the official one of its Python.
func (q baseQuestion) image() recipe.BaseImage {
	var b recipe.BaseImage
	s, version := q.spec, q.wanted.Version
	b.Ref = readReference(q.Report, s.image, "docker.io/library/python:"+version+"-slim")
	b.Interpreter = s.interpreter.Or(interpreterOf(b.Ref, version))
	if !path.IsAbs(b.Interpreter) || path.Clean(b.Interpreter) != b.Interpreter {
		q.Specf(s.interpreter.At, "base.interpreter %q is not an absolute path", b.Interpreter)
	}
	b.Packages = s.packages
	b.Alone = !s.packages && slices.ContainsFunc(s.given, func(key yamldoc.String) bool { return key.Value == "packages" })
	b.Look = s.packages || s.image.Set && !s.interpreter.Set && !s.python.Set && !isPythonImage(b.Ref)
	if s.glibc.Set && !glibcVersion.MatchString(s.glibc.Value) {
		q.Specf(s.glibc.At, "%q is not a glibc version", s.glibc.Value).Hint("for example glibc: \"2.36\"")
	}
	glibc, musl, _ := compat.GlibcOf(b.Ref, nil, nil)
	b.Glibc = s.glibc.Or(glibc)
	if musl {
		q.Add(compat.MuslFault(b.Ref).In(s.image.At))
	}
	q.checkPythonTag(s.image)
	if s.python.Set {
		if b.Interpreter = "/usr/local/bin/python" + version; s.interpreter.Set || s.packages {
			q.Specf(s.python.At, "base.python brings a Python, so that the base's own interpreter and packages do not count").
				Hint("leave out python, or interpreter and packages")
		}
		return q.layPython(b)
	}
	return b
}

var glibcVersion = lazyregexp.New(`^2\.[0-9]{1,2}$`)

// interpreterOf guesses where a base has its Python: the official images compile it below /usr/local,
// distributions have it in /usr/bin.
func interpreterOf(ref, version string) string {
	if named, err := reference.ParseNormalizedNamed(ref); err == nil {
		switch path.Base(named.Name()) {
		case "debian", "ubuntu", "cuda", "ubi", "ubi-minimal", "rockylinux":
			return "/usr/bin/python" + version
		}
	}
	return "/usr/local/bin/python" + version
}

func isPythonImage(ref string) bool {
	named, err := reference.ParseNormalizedNamed(ref)
	return err == nil && path.Base(named.Name()) == "python"
}

var pythonTag = lazyregexp.New(`^(3\.[0-9]{1,2})(?:[.-]|$)`)

// checkPythonTag compares the Python in the base's tag with the one that the wheels are for.
func (q baseQuestion) checkPythonTag(image yamldoc.String) {
	if !image.Set || !isPythonImage(image.Value) {
		return
	}
	named, err := reference.ParseNormalizedNamed(image.Value)
	if err != nil {
		return // reported by reference
	}
	tagged, ok := named.(reference.Tagged)
	if !ok {
		return
	}
	if m := pythonTag.FindStringSubmatch(tagged.Tag()); m != nil && m[1] != q.wanted.Version {
		q.Add(compat.PythonFault(image.Value, m[1], q.wanted.Version, q.wanted.From).In(image.At))
	}
}
