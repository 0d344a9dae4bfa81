package profiles

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/distribution/reference"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// The readers of single values. Each takes the report that faults go to and the text as the file has it, and returns the value, or a harmless one
// after a fault.

// readRepository reads an image name that must have no tag or digest: the tag comes from the command line.
func readRepository(report *yamldoc.Report, s yamldoc.String) string {
	named, err := reference.ParseNormalizedNamed(s.Value)
	if err != nil {
		badReference(report, s, err)
		return s.Value
	}
	if !reference.IsNameOnly(named) {
		report.Add(fault.New(fault.Ref, "image %q has a tag or a digest; tags are given with --tag", s.Value).In(s.At).
			Hint("write image: %s", named.Name()))
	}
	return named.Name()
}

// readReference reads an image reference and spells it out: docker.io/library/python:3-slim.
func readReference(report *yamldoc.Report, s yamldoc.String, fallback string) string {
	if !s.Set {
		return fallback
	}
	named, err := reference.ParseNormalizedNamed(s.Value)
	if err != nil {
		badReference(report, s, err)
		return s.Value
	}
	return reference.TagNameOnly(named).String()
}

// badReference says why a text is no image reference, without what may be a password in it.
func badReference(report *yamldoc.Report, s yamldoc.String, err error) {
	if yamldoc.URLWithUser.MatchString(s.Value) {
		report.Leakf(s.At, "the image reference holds credentials")
		return
	}
	f := fault.New(fault.Ref, "%q is not an image reference: %w", s.Value, err).In(s.At)
	if lower := strings.ToLower(s.Value); lower != s.Value {
		f.Hint("repositories are lower case: %s", lower)
	}
	report.Add(f)
}

// numberBetween returns the number if it lies in its bounds, the fallback if none was given.
func numberBetween(report *yamldoc.Report, n yamldoc.Number, what string, fallback, low, high int64) int64 {
	if !n.Set {
		return fallback
	}
	if n.Value < low || n.Value > high {
		report.Specf(n.At, "%s is %d, it must lie between %d and %d", what, n.Value, low, high)
		return fallback
	}
	return n.Value
}

var sizeText = lazyregexp.New(`^([0-9]{1,9})\s*([kMG]?)(i?)B?$`)

// readSize reads a size as ParseSize does.
func readSize(report *yamldoc.Report, s yamldoc.String, what string, fallback int64) int64 {
	if !s.Set {
		return fallback
	}
	n, ok := ParseSize(s.Value)
	if !ok {
		report.Specf(s.At, "%s %q is not a size", what, s.Value).Hint("for example 5MB or 140MiB")
		return fallback
	}
	if n == 0 {
		report.Specf(s.At, "%s must be more than 0", what)
	}
	return n
}

// ParseSize reads "5MB" (decimal) or "5MiB" (binary) as bytes, false for what is no size.
func ParseSize(text string) (n int64, ok bool) {
	m := sizeText.FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	unit := int64(1000)
	if m[3] != "" {
		unit = 1024
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	for range strings.Index(" kMG", cmp.Or(m[2], " ")) {
		n *= unit
	}
	return n, err == nil
}

// readSeconds reads "30s", "1m30s" or a bare number of seconds.
func readSeconds(report *yamldoc.Report, s yamldoc.String, what string) float64 {
	if !s.Set {
		return 0
	}
	if n, err := strconv.ParseFloat(s.Value, 64); err == nil && n > 0 && n < 86400 {
		return n
	}
	d, err := time.ParseDuration(s.Value)
	if err != nil || d <= 0 || d > 24*time.Hour {
		report.Specf(s.At, "app.healthcheck.%s %q is not a time", what, s.Value).Hint("for example 30s or 2m")
		return 0
	}
	return d.Seconds()
}

// readDuration reads "90", "90s" or "15m" as seconds.
func readDuration(report *yamldoc.Report, s yamldoc.String, what string) float64 {
	if !s.Set {
		return 0
	}
	d, err := time.ParseDuration(s.Value)
	if err != nil {
		d, err = time.ParseDuration(s.Value + "s")
	}
	if err != nil || d <= 0 || d > 24*time.Hour {
		report.Specf(s.At, "%s %q is not a time", what, s.Value).Hint("for example 90s or 15m; 24h at most")
		return 0
	}
	return d.Seconds()
}

// readID reads a uid or gid.
func readID(report *yamldoc.Report, n yamldoc.Number, what string) int {
	if n.Value < 0 || n.Value > files.MaxID {
		badUser(report, n.At, "the %s %d is impossible; it must lie between 0 and %d", what, n.Value, files.MaxID)
		return 1000
	}
	return int(n.Value)
}

// badUser adds an E-USER fault and returns it for hints.
func badUser(report *yamldoc.Report, at fault.Position, format string, args ...any) *fault.Fault {
	f := fault.New(fault.User, format, args...).In(at)
	report.Add(f)
	return f
}

// readPairs checks the names of variables, labels or annotations; what says which.
func readPairs(report *yamldoc.Report, list []yamldoc.Pair, what string, valid *lazyregexp.Regexp) []recipe.Pair {
	var pairs []recipe.Pair
	for _, p := range list {
		if !valid.MatchString(p.Name.Value) {
			report.Specf(p.Name.At, "%q cannot name an %s", p.Name.Value, what)
		}
		if strings.ContainsRune(p.Value.Value, 0) {
			report.Specf(p.Value.At, "the %s %s holds a zero byte", what, p.Name.Value)
		}
		pairs = append(pairs, recipe.Pair{Name: p.Name.Value, Value: p.Value.Value})
	}
	return pairs
}

var portText = lazyregexp.New(`^([0-9]{1,5})(?:/(tcp|udp|sctp))?$`)

// readPorts reads ports of a container, "8000" or "5353/udp", and returns them sorted with their protocols.
func readPorts(report *yamldoc.Report, given []yamldoc.String) []string {
	var ports []string
	for _, s := range given {
		m := portText.FindStringSubmatch(s.Value)
		n := 0
		if m != nil {
			n, _ = strconv.Atoi(m[1])
		}
		if n < 1 || n > 65535 {
			f := report.Specf(s.At, "%q is not a port", s.Value)
			f.Hint("write a number from 1 to 65535, with /udp where it is not tcp")
			if strings.Contains(s.Value, ":") {
				f.Hint("which port of the host it becomes is decided when the container starts")
			}
			continue
		}
		ports = append(ports, m[1]+"/"+cmp.Or(m[2], "tcp"))
	}
	return recipe.SortedUnique(ports)
}

// decodeWords reads a command: a list of words. A single text is refused, because whether a shell splits it would
// be a guess.
func decodeWords(d *yamldoc.Decoder, to *[]yamldoc.String, what string) func(*yamldoc.Node) {
	return func(n *yamldoc.Node) {
		if n.Kind != yamldoc.List {
			d.Wrong(n, what, "a list of words").
				Hint("for example [python, main.py]; for a shell write [sh, -c, \"…\"]")
			return
		}
		d.Strings(to, what)(n)
		for _, word := range *to {
			if strings.ContainsRune(word.Value, 0) {
				d.Report.Specf(word.At, "a word of %s holds a zero byte, which no program can be given", what)
			}
		}
	}
}

// eachMapping returns the items of a list that must be mappings.
func eachMapping(d *yamldoc.Decoder, n *yamldoc.Node, what, with string) []*yamldoc.Node {
	if n.Kind != yamldoc.List {
		d.Wrong(n, what, "a list of mappings with "+with)
		return nil
	}
	var good []*yamldoc.Node
	for _, item := range n.Items {
		if item.Kind != yamldoc.Mapping {
			d.Wrong(item, "an item of "+what, "a mapping with "+with)
			continue
		}
		good = append(good, item)
	}
	return good
}
