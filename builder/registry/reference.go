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
