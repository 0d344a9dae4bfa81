package convert

import (
	"strconv"
	"strings"

	"github.com/distribution/reference"

	"github.com/mlbuild/mlbuild/profiles/dockerfile"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/scaffold"
)

// base is what an image stands on.
type base struct {
	ref    string // as the Dockerfile has it
	line   int
	key    string // the value of the key base, "" = the default
	python string // version of Python that it says, "" = none
	cuda   string // "12.6", "" = none
	why    string // what the base is not taken over for, "" = it is
}

var (
	pythonTag = lazyregexp.New(`^(3\.[0-9]+)(\.[0-9]+)?`)
	cudaTag   = lazyregexp.New(`^([0-9]+\.[0-9]+)\.[0-9]+-(cudnn[0-9]*-)?(base|runtime|devel)-([a-z]+[0-9.]+)`)
	torchTag  = lazyregexp.New(`^([0-9]+\.[0-9]+\.[0-9]+)-cuda([0-9]+\.[0-9]+)`)
	suites    = lazyregexp.New(`(bookworm|trixie|bullseye)`)
)

// readBase decides what the image stands on.
func readBase(stage dockerfile.Stage) base {
	b := base{ref: stage.Base, line: stage.Line}
	named, err := reference.ParseNormalizedNamed(stage.Base)
	if err != nil || stage.Base == "scratch" {
		b.why = "mlbuild puts Python under the project: base: {kind: debian} is the smallest image"
		return b
	}
	name, tag := reference.FamiliarName(named), ""
	if tagged, ok := reference.TagNameOnly(named).(reference.Tagged); ok {
		tag = tagged.Tag()
	}
	if t, ok := named.(reference.Tagged); ok {
		tag = t.Tag()
	}
	if _, ok := named.(reference.Digested); ok {
		b.key = scaffold.Word(stage.Base)
	}
	switch {
	case name == "python" || strings.HasSuffix(name, "/library/python"):
		return pythonBase(b, tag)
	case name == "nvidia/cuda":
		return cudaBase(b, tag)
	case name == "pytorch/pytorch":
		if m := torchTag.FindStringSubmatch(tag); m != nil {
			b.key, b.cuda = "{kind: pytorch, version: "+scaffold.Word(strconv.Quote(m[1]))+"}", m[2]
			b.key = "{kind: pytorch, version: " + strconv.Quote(m[1]) + "}"
			return b
		}
	case strings.HasSuffix(name, "astral-sh/uv"):
		b.python = strings.TrimPrefix(pythonOf(tag), "python")
		return b
	case strings.HasPrefix(name, "gcr.io/distroless/python3"):
		b.key = "distroless"
		return b
	case name == "ubuntu" || name == "debian":
		b.why = "an image of Python is taken; for this one write base: {image: " + stage.Base + ", python: distribution}"
		return b
	case strings.Contains(name, "conda") || strings.Contains(name, "mamba"):
		b.why = "conda's packages are not installed: an image of Python is taken"
		return b
	}
	if b.key == "" {
		b.key = scaffold.Word(stage.Base)
	}
	return b
}

// pythonOf is the version in a tag like python3.12-bookworm-slim, "" if there is none.
func pythonOf(tag string) string {
	if m := pythonTag.FindStringSubmatch(strings.TrimPrefix(tag, "python")); m != nil {
		return m[1]
	}
	return ""
}

func pythonBase(b base, tag string) base {
	b.python = pythonOf(tag)
	suite := suites.FindString(tag)
	switch {
	case strings.Contains(tag, "alpine"):
		b.key, b.why = "", "Alpine has musl, for which few wheels are made: the slim image of Debian is taken"
	case b.key != "": // by digest
	case suite != "" && suite != "bullseye" && b.python != "":
		b.key = "{kind: python, suite: " + suite + "}"
	case suite == "bullseye":
		b.key = scaffold.Word(b.ref)
	}
	return b
}

func cudaBase(b base, tag string) base {
	m := cudaTag.FindStringSubmatch(tag)
	if m == nil {
		b.why = "its tag is not one that mlbuild knows: wheels bring their CUDA, and an image of Python is taken in the profile gpu"
		return b
	}
	b.cuda = m[1]
	variant := m[3]
	if m[2] != "" {
		variant = "cudnn-" + strings.Replace(variant, "base", "runtime", 1)
	}
	if strings.HasSuffix(variant, "devel") {
		variant = strings.Replace(variant, "devel", "runtime", 1)
	}
	b.key = "{kind: cuda, variant: " + variant + "}"
	return b
}
