package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// issue is an entry of a report of GitLab's code quality (https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format).
type issue struct {
	Description string   `json:"description"`
	Check       string   `json:"check_name"`
	Fingerprint string   `json:"fingerprint"`
	Severity    string   `json:"severity"`
	Location    location `json:"location"`
}

type location struct {
	Path  string `json:"path"`
	Lines lines  `json:"lines"`
}

type lines struct {
	Begin int `json:"begin"`
}

// CodeQuality returns faults as a report of GitLab's code quality. An entry has to have a place: file is that of a fault without one. A fingerprint stays the same where lines are
// moved, and two equal faults have two.
func CodeQuality(faults fault.List, file string) ([]byte, error) {
	issues, seen := []issue{}, map[string]int{}
	for _, f := range faults {
		i := issue{Description: Text(f), Check: string(f.Code), Severity: "blocker", Location: location{f.At.File, lines{max(1, f.At.Line)}}}
		if f.Retry {
			i.Severity = "major"
		}
		if i.Location.Path == "" {
			i.Location = location{file, lines{1}}
		}
		same := i.Check + "\x00" + i.Location.Path + "\x00" + f.Message
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", same, seen[same]))
		seen[same]++
		i.Fingerprint = hex.EncodeToString(sum[:16])
		issues = append(issues, i)
	}
	data, err := json.MarshalIndent(issues, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the report: %w", err)
	}
	return append(data, '\n'), nil
}
