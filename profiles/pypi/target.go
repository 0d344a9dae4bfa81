package pypi

// Target is what wheels are picked for.
type Target struct {
	// Python is "3.11" or, where the base's patch release is known, "3.11.9". Without it, markers see the
	// lowest patch release that the lock's requires-python admits, as uv's do.
	Python   string
	Platform string   // linux/amd64 or linux/arm64
	Glibc    string   // "2.36" of the base; "" = unknown: no wheel is refused for its glibc, the lowest is preferred
	Musl     bool     // the base has musl instead of glibc
	Extras   []string // extras that are wanted
	Groups   []string // dependency groups that are wanted; none = the lock's default groups
	Source   []string // packages that are built from source although a wheel fits, normalised
	NoBuild  []string // packages whose source distributions of an index may not be built, normalised, unless Source has them; ":all:" = all
}
