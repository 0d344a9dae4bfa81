package rows

import (
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

var (
	sized  = lazyregexp.New(` \(([0-9.]+) ([kMG]?B)\)$`)
	pinned = lazyregexp.New(`@sha256:[0-9a-f]{64}`)
	wheel  = lazyregexp.New(`^([^-]+)-([^-]+)-.+\.whl$`)
	binned = lazyregexp.New(` \(bin [0-9]+\)`)
	wheels = lazyregexp.New(`^look into ([0-9]+) wheels?$`)
)

var units = map[string]float64{"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}

// cut returns what people call a step, by the name of its vertex, and the bytes that the name tells: "[download] scipy-1.17.1-cp311-….whl (35.3 MB)" is scipy 1.17.1 of 35,300,000 bytes.
func cut(name string) (string, int64) {
	if _, rest, ok := strings.Cut(name, "] "); ok && strings.HasPrefix(name, "[") {
		name = rest
	}
	name = pinned.ReplaceAllString(name, "")
	var size int64
	if m := sized.FindStringSubmatch(name); m != nil {
		n, _ := strconv.ParseFloat(m[1], 64) // the expression lets numbers pass alone
		size, name = int64(n*units[m[2]]), strings.TrimSuffix(name, m[0])
	}
	if m := wheel.FindStringSubmatch(name); m != nil {
		name = strings.ReplaceAll(m[1], "_", "-") + " " + m[2]
	}
	name = binned.ReplaceAllString(strings.TrimSuffix(name, ", to read"), "")
	for _, w := range words {
		name = strings.Replace(name, w.ours, w.theirs, 1)
	}
	return name, size
}

// words are what steps are called by whoever reads the graph, and by whoever waits for them.
var words = []struct{ ours, theirs string }{{"docker.io/library/", ""}, {"pip: bring uv", "fetch uv"}, {"uv: ", ""}}
