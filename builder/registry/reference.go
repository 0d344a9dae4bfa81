package registry

import "github.com/distribution/reference"

// DigestOf is the digest in a reference, "" if there is none.
func DigestOf(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ""
	}
	if pinned, ok := named.(reference.Digested); ok {
		return pinned.Digest().String()
	}
	return ""
}

// Host is the registry of a reference, "docker.io" where it names none, "" if it is no reference.
func Host(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ""
	}
	return reference.Domain(named)
}

// Repository is a reference without tag and digest.
func Repository(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ref
	}
	return named.Name()
}

// Tag is the tag of a reference, "latest" where it names neither that nor a digest, "" if it is no reference or has a digest alone.
func Tag(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ""
	}
	if tagged, ok := reference.TagNameOnly(named).(reference.Tagged); ok {
		return tagged.Tag()
	}
	return ""
}

// Full is a reference as registries know it, with host and tag; the text itself if it is no reference.
func Full(ref string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ref
	}
	return reference.TagNameOnly(named).String()
}
