package evidence

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// The types of what Statement returns (in-toto attestation framework: spec/v1/statement.md, spec/predicates/test-result.md).
const (
	StatementType = "https://in-toto.io/Statement/v1"
	PredicateType = "https://in-toto.io/attestation/test-result/v0.1"
	MediaType     = "application/vnd.in-toto+json"
)

// statement is an in-toto statement that some tests ran on an artifact.
type statement struct {
	Type          string     `json:"_type"`
	Subject       []subject  `json:"subject"`
	PredicateType string     `json:"predicateType"`
	Predicate     testResult `json:"predicate"`
}

// subject is an artifact, by its digest.
type subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

type testResult struct {
	Result        string     `json:"result"` // PASSED or FAILED
	Configuration []resource `json:"configuration"`
	PassedTests   []string   `json:"passedTests"`
	FailedTests   []string   `json:"failedTests"`
}

// resource is an in-toto resource descriptor.
type resource struct {
	Name        string         `json:"name"`
	URI         string         `json:"uri"`
	Annotations map[string]any `json:"annotations,omitempty"`
}

// sources are where mlbuild has its checks.
var sources = map[Name]string{Project: "profiles/imports", Packages: "llb/check/packages", Service: "llb/check/service"}

// Statement returns an in-toto statement on the image of a reference, whose digest is "sha256:…": which checks passed on it, which failed, and the seconds that they took. version is
// mlbuild's. ok is false where no check passed or failed: then there is nothing to say. It has no time of day in it.
func Statement(ref, digest, version string, checks []Check) (data []byte, ok bool, err error) {
	algorithm, hex, _ := strings.Cut(digest, ":")
	s := statement{
		Type: StatementType, Subject: []subject{{ref, map[string]string{algorithm: hex}}}, PredicateType: PredicateType,
		Predicate: testResult{Result: "PASSED", Configuration: []resource{{Name: "mlbuild", URI: program(version)}}, PassedTests: []string{}, FailedTests: []string{}},
	}
	p, several := &s.Predicate, len(platforms(checks)) > 1
	for _, c := range checks {
		name := string(c.Name)
		if several {
			name += " on " + c.Platform
		}
		switch {
		case c.Good():
			p.PassedTests = append(p.PassedTests, name)
		case c.State == Failed:
			p.FailedTests, p.Result = append(p.FailedTests, name), "FAILED"
		default:
			continue
		}
		p.Configuration = append(p.Configuration, resource{name, program(version) + "#" + sources[c.Name], measures(c)})
	}
	if len(p.PassedTests)+len(p.FailedTests) == 0 {
		return nil, false, nil
	}
	if data, err = json.Marshal(s); err != nil {
		return nil, false, fmt.Errorf("encode the attestation: %w", err)
	}
	return data, true, nil
}

// program is mlbuild as a package URL.
func program(version string) string {
	return "pkg:golang/github.com/mlbuild/mlbuild@" + url.PathEscape(version)
}

// measures are what is known of how a check ended. Those of a service that took no time to end are left out as are those of a check that did not run.
func measures(c Check) map[string]any {
	all := map[string]any{"state": c.State, "platform": c.Platform}
	for _, n := range []struct {
		name  string
		value float64
	}{
		{"seconds", c.Seconds}, {"healthySeconds", c.Healthy}, {"stoppedSeconds", c.Stopped},
		{"imported", float64(c.Imported)}, {"libraries", float64(c.Libraries)}, {"gpus", float64(c.GPUs)},
	} {
		if n.value != 0 {
			all[n.name] = n.value
		}
	}
	if c.GPU != "" {
		all["gpu"] = c.GPU
	}
	return all
}
