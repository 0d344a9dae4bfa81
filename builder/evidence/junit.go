package evidence

import (
	"bytes"
	"fmt"
	"html"
	"strings"
	"unicode/utf8"

	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Suite is what was checked together: an image of a profile on a platform, or what comes before it.
type Suite struct {
	Name   string // "gpu linux/amd64"
	Checks []Check
	Faults fault.List // what ended it
}

// Suites returns those of one profile: one for each platform, with a further one for faults where there are several platforms, as nobody knows of which they are.
func Suites(profile string, checks []Check, faults fault.List) []Suite {
	of := platforms(checks)
	var all []Suite
	for _, platform := range of {
		s := Suite{Name: profile + " " + platform}
		for _, c := range checks {
			if c.Platform == platform {
				s.Checks = append(s.Checks, c)
			}
		}
		all = append(all, s)
	}
	switch {
	case len(faults) == 0:
	case len(all) == 1:
		all[0].Faults = faults
	default:
		all = append(all, Suite{Name: profile, Faults: faults})
	}
	return all
}

// tally counts test cases.
type tally struct {
	tests, failures, errors, skipped int
	seconds                          float64
}

func (t *tally) add(o tally) {
	t.tests, t.failures, t.errors, t.skipped, t.seconds = t.tests+o.tests, t.failures+o.failures, t.errors+o.errors, t.skipped+o.skipped, t.seconds+o.seconds
}

func (t tally) attributes() string {
	return fmt.Sprintf(`tests="%d" failures="%d" errors="%d" skipped="%d" time="%.3f"`, t.tests, t.failures, t.errors, t.skipped, t.seconds)
}

// JUnit returns a report in JUnit's XML: a test suite for each of the suites, in it a test case for each check and for each fault. What a check has found is a failure, any other fault an
// error; a check that did not run is skipped.
func JUnit(suites []Suite) []byte {
	var all tally
	var body bytes.Buffer
	for _, s := range suites {
		var n tally
		var cases bytes.Buffer
		for _, c := range s.Checks {
			n.add(writeCheck(&cases, s.Name, c))
		}
		for _, f := range s.Faults {
			n.add(writeFault(&cases, s.Name, f))
		}
		all.add(n)
		fmt.Fprintf(&body, "  <testsuite name=\"%s\" %s>\n%s  </testsuite>\n", escape(s.Name), n.attributes(), cases.Bytes())
	}
	var report bytes.Buffer
	fmt.Fprintf(&report, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"mlbuild\" %s>\n%s</testsuites>\n", all.attributes(), body.Bytes())
	return report.Bytes()
}

func writeCheck(w *bytes.Buffer, suite string, c Check) tally {
	n := tally{tests: 1, seconds: c.Seconds}
	open := fmt.Sprintf(`    <testcase classname="mlbuild.%s" name="%s" time="%.3f"`, escape(suite), c.Name, c.Seconds)
	switch c.State {
	case Failed:
		n.failures++
		fmt.Fprintf(w, "%s>\n      <failure type=\"%s\" message=\"the check of %s failed\"/>\n    </testcase>\n", open, check.Code, c.Name)
	case Off, None, NotRun:
		n.skipped++
		fmt.Fprintf(w, "%s>\n      <skipped message=\"%s\"/>\n    </testcase>\n", open, escape(skipped(c)))
	default:
		if said := remarks(c); said != "" {
			fmt.Fprintf(w, "%s>\n      <system-out>%s</system-out>\n    </testcase>\n", open, escape(said))
			break
		}
		fmt.Fprintf(w, "%s/>\n", open)
	}
	return n
}

// skipped says why a check did not run.
func skipped(c Check) string {
	if c.State == Off {
		return "--checks leaves it out"
	}
	return c.Why
}

// remarks are what else is to be said of a check that passed, one a line.
func remarks(c Check) string {
	var lines []string
	if c.State == Reused {
		lines = append(lines, "it passed before, on the same layers")
	}
	if c.GPU != "" {
		lines = append(lines, "gpu: "+c.GPU)
	}
	return strings.Join(append(lines, c.Notes...), "\n")
}

func writeFault(w *bytes.Buffer, suite string, f *fault.Fault) tally {
	n, element := tally{tests: 1, errors: 1}, "error"
	if f.Code == check.Code {
		n, element = tally{tests: 1, failures: 1}, "failure"
	}
	said, _, _ := strings.Cut(f.Message, "\n")
	where := ""
	if f.At.File != "" {
		where = fmt.Sprintf(` file="%s"`, escape(f.At.File))
		if f.At.Line > 0 {
			where += fmt.Sprintf(` line="%d"`, f.At.Line)
		}
	}
	fmt.Fprintf(w, "    <testcase classname=\"mlbuild.%s\" name=\"%s\" time=\"0.000\"%s>\n      <%s type=\"%s\" message=\"%s\">%s</%s>\n    </testcase>\n",
		escape(suite), escape(string(f.Code)+": "+said), where, element, f.Code, escape(said), escape(Text(f)), element)
	return n
}

// Text is a fault as plain text of several lines: the message, its place, what to do.
func Text(f *fault.Fault) string {
	lines := []string{f.Message}
	if f.At.File != "" {
		lines = append(lines, "--> "+f.At.String())
	}
	for _, h := range f.Hints {
		lines = append(lines, "hint: "+h)
	}
	return strings.Join(lines, "\n")
}

// escape returns a text as it stands in XML 1.0, in an element or between double quotes. Characters that XML cannot have are U+FFFD.
func escape(text string) string {
	clean := strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r >= 0x20 && r <= 0xd7ff || r >= 0xe000 && r < 0xfffe || r > 0xffff {
			return r
		}
		return utf8.RuneError
	}, text)
	return html.EscapeString(clean)
}
