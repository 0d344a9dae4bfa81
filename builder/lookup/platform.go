package lookup

import (
	"slices"

	"github.com/containerd/platforms"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// ParsePlatform reads "linux/arm64" into its normal form. The error is a fault.Platform.
func ParsePlatform(s string) (ocispecs.Platform, error) {
	p, err := platforms.Parse(s)
	if err != nil {
		return p, fault.New(fault.Platform, "platform %q: %w", s, err)
	}
	return platforms.Normalize(p), nil
}

// RunsOn reports whether a daemon of these platforms can run programs of the platform.
func RunsOn(have []string, platform string) bool {
	wanted, err := ParsePlatform(platform)
	return err == nil && slices.ContainsFunc(have, func(p string) bool {
		h, err := platforms.Parse(p)
		return err == nil && platforms.OnlyStrict(h).Match(wanted)
	})
}
