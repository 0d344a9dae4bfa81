package compat

import (
	"slices"
	"strings"

	"github.com/distribution/reference"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// GlibcOf deduces the C library of a base from its reference, and from its config's history (the created_by
// texts) and environment where the reference does not say it. Known is false if nothing tells; musl is true for
// Alpine, and then glibc is "".
func GlibcOf(ref string, history, env []string) (glibc string, musl, known bool) {
	if row := libcByReference(ref); row != nil {
		return row.Glibc, row.Musl, true
	}
	for _, createdBy := range history {
		if row := libcByHistory(createdBy); row != nil {
			return row.Glibc, row.Musl, true
		}
	}
	for _, e := range env {
		if strings.HasPrefix(e, "ALPINE_") {
			return "", true, true
		}
	}
	return "", false, false
}

// DistributionPython returns the whole version of the Python that the distribution of an image has as a package, "3.12.3" of ubuntu:24.04, read off the image's name. "" = not known.
func DistributionPython(ref string) string {
	if row := libcByReference(ref); row != nil {
		return row.Python
	}
	return ""
}

// libcByReference looks for a distribution's word in the tag (3.11-slim-bookworm, 12.6.3-base-ubuntu22.04) or
// for its repository (ubuntu:22.04, ubi9).
func libcByReference(ref string) *libcRow {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return nil
	}
	repository := named.Name()[strings.LastIndex(named.Name(), "/")+1:]
	tag := ""
	if tagged, ok := named.(reference.Tagged); ok {
		tag = tagged.Tag()
	}
	words := slices.Concat(strings.Split(tag, "-"), strings.Split(repository, "-"), []string{repository, repository + majorTag(repository, tag)})
	for i := range Known().Libc {
		row := &Known().Libc[i]
		for _, word := range words {
			for _, known := range row.Words {
				// alpine3.20 is Alpine; the other words stand alone.
				if word == known || row.Musl && strings.HasPrefix(word, known) {
					return row
				}
			}
		}
	}
	return nil
}

// majorTag cuts a tag to the part that names a distribution's release: 22.04 of ubuntu, 12 of debian.
func majorTag(repository, tag string) string {
	tag, _, _ = strings.Cut(tag, "-")
	if repository == "ubuntu" {
		return MinorOf(tag)
	}
	return MajorOf(tag)
}

// libcByHistory reads the first layer of an official image: Debian's is made by
// "debian.sh --arch 'amd64' out/ 'bookworm'", Ubuntu's label names its version, Alpine's file its name.
func libcByHistory(createdBy string) *libcRow {
	createdBy = strings.ToLower(createdBy)
	debian := strings.Contains(createdBy, "debian.sh")
	ubuntu := strings.Contains(createdBy, "org.opencontainers.image.version=")
	alpine := strings.Contains(createdBy, "alpine-minirootfs")
	if !debian && !ubuntu && !alpine {
		return nil
	}
	for i := range Known().Libc {
		row := &Known().Libc[i]
		for _, word := range row.Words {
			release, isUbuntu := strings.CutPrefix(word, "ubuntu")
			if debian && strings.Contains(createdBy, word) || alpine && row.Musl ||
				ubuntu && isUbuntu && strings.Contains(createdBy, "version="+release) {
				return row
			}
		}
	}
	return nil
}

// GlibcOfRelease reads the C library off a base's /etc/os-release (os-release(5)): "2.36" of Debian 12. "" = not known; musl is true for Alpine.
func GlibcOfRelease(osRelease string) (glibc string, musl bool) {
	values := map[string]string{}
	for line := range strings.Lines(osRelease) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[name] = strings.Trim(value, `"'`)
	}
	id, version := values["ID"], MajorOf(values["VERSION_ID"])
	switch id {
	case "ubuntu":
		version = values["VERSION_ID"]
	case "rhel":
		id = "ubi"
	case "rocky":
		id = "rockylinux"
	}
	for _, row := range Known().Libc {
		if slices.Contains(row.Words, id+version) || row.Musl && slices.Contains(row.Words, id) {
			return row.Glibc, row.Musl
		}
	}
	return "", false
}

// CheckLook refuses a base with musl, seen in its os-release, and returns its glibc, "" if nothing tells.
func CheckLook(r *recipe.Recipe, osRelease string) (glibc string, err error) {
	glibc, musl := GlibcOfRelease(osRelease)
	if musl {
		return "", MuslFault(r.Base.Ref)
	}
	return glibc, nil
}

// MuslFault refuses a base without glibc: no wheel with the manylinux tag can be loaded on it.
func MuslFault(ref string) *fault.Fault {
	return fault.New(fault.ABI, "the base %s has musl instead of glibc; the wheels of machine learning packages cannot be loaded there", ref).
		Hint("use a Debian base, for example docker.io/library/python:%s-slim", DefaultPython)
}
