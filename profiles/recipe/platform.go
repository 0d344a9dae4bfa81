package recipe

// Platforms are the platforms that images can be built for.
var Platforms = []string{"linux/amd64", "linux/arm64"}
