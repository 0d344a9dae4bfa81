package check

import "testing"

// TestReadAnswer: the last report counts, and what a service's log says inside of one is none.
func TestReadAnswer(t *testing.T) {
	report := Report{Faults: []Fault{{Kind: Service, Text: "it ended", Output: "mlbuild-check: {}\nmlbuild-check: {\"seconds\": 1}"}}, Seconds: 2}
	for output, want := range map[string]float64{
		report.Line() + "\n": 2,
		"mlbuild-check: {\"seconds\":1}\nlog\n" + report.Line():            2,
		"no end of line" + report.Line() + "\nmlbuild-check: not this one": 2,
	} {
		if got, ok := ReadAnswer(output); !ok || got.Seconds != want || len(got.Faults) != 1 || got.Faults[0].Output != report.Faults[0].Output {
			t.Errorf("%q: got %+v, %v", output, got, ok)
		}
	}
	if _, ok := ReadAnswer("mlbuild-check: {"); ok {
		t.Error("half a report is read")
	}
}
