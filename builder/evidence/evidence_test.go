package evidence

import (
	"encoding/json"
	"encoding/xml"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/llb/check"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// someChecks are those of an image that passed all of them, one before and one now.
func someChecks() []Check {
	ran := Check{Name: Packages, Platform: "linux/amd64", State: Passed, GPU: NoGPU}.With(check.Report{Imported: 3, Libraries: 41, Seconds: 3.4, Notes: []string{"idna <was> slow"}})
	ran.GPU = NoGPU
	return []Check{
		{Name: Project, Platform: "linux/amd64", State: Passed}, ran,
		{Name: Service, Platform: "linux/amd64", State: Reused},
	}
}

func someFaults() fault.List {
	first := fault.New(check.Code, "the image of profile gpu does not work: torch cannot be imported: \x1b[31mImportError\x00: a < b && \"c\"\nlast line").Hint("name it")
	first.At = fault.Position{File: "main.py", Line: 3, Column: 1}
	return fault.List{first, fault.New(fault.Download, "no answer").Retryable()}
}

func TestJUnit(t *testing.T) {
	several := []Check{
		{Name: Packages, Platform: "linux/amd64", State: Failed, Seconds: 2}, {Name: Service, Platform: "linux/amd64", State: NotRun, Why: "the build failed before it"},
		{Name: Packages, Platform: "linux/arm64", State: Off}, {Name: Service, Platform: "linux/arm64", State: None, Why: "the project has no smoke section"},
	}
	suites := Suites("cpu", someChecks(), nil)
	suites = append(suites, Suites("gpu", several, someFaults())...)
	suites = append(suites, Suite{Name: "project", Faults: someFaults()[1:]})
	report := JUnit(suites)
	golden(t, "junit.xml", report)
	var parsed struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Suites   []struct {
			Name  string `xml:"name,attr"`
			Cases []struct {
				Name    string `xml:"name,attr"`
				Failure string `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(report, &parsed); err != nil {
		t.Fatalf("no XML: %v", err)
	}
	if parsed.Tests != 10 || parsed.Failures != 2 || len(parsed.Suites) != 5 {
		t.Errorf("%+v", parsed)
	}
	if said := parsed.Suites[3].Cases[0].Failure; !strings.Contains(said, "a < b && \"c\"\nlast line\n--> main.py:3:1\nhint: name it") {
		t.Errorf("the fault is told as %q", said)
	}
}

// TestFaultsOfOnePlatform: the faults of an image of one platform stand beside its checks, and those of one that was not even looked up by themselves.
func TestFaultsOfOnePlatform(t *testing.T) {
	one := Suites("cpu", someChecks(), someFaults())
	if len(one) != 1 || len(one[0].Faults) != 2 || one[0].Name != "cpu linux/amd64" {
		t.Errorf("%+v", one)
	}
	none := Suites("cpu", nil, someFaults())
	if len(none) != 1 || len(none[0].Faults) != 2 || none[0].Name != "cpu" {
		t.Errorf("%+v", none)
	}
}

func TestStatement(t *testing.T) {
	image := "sha256:" + strings.Repeat("a", 64)
	data, ok, err := Statement("registry.example.com/team/app:1.2-gpu", image, "1.4.0+dirty", someChecks())
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	var indented strings.Builder
	enc := json.NewEncoder(&indented)
	enc.SetIndent("", "  ")
	if err := enc.Encode(json.RawMessage(data)); err != nil {
		t.Fatal(err)
	}
	golden(t, "statement.json", []byte(indented.String()))

	failed := append(someChecks(), Check{Name: Packages, Platform: "linux/arm64", State: Failed})
	data, _, _ = Statement("app:1", image, "dev", failed)
	for _, want := range []string{`"result":"FAILED"`, `"failedTests":["packages on linux/arm64"]`, `"passedTests":["project on linux/amd64",`} {
		if !strings.Contains(string(data), want) {
			t.Errorf("%s lacks %s", data, want)
		}
	}
	if _, ok, _ := Statement("app:1", image, "dev", []Check{{Name: Packages, State: Off}, {Name: Service, State: None}}); ok {
		t.Error("there is a statement though nothing was checked")
	}
}

func TestCodeQuality(t *testing.T) {
	faults := someFaults()
	data, err := CodeQuality(append(faults, faults[1]), "service/mlbuild.yaml")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "quality.json", data)
	var issues []issue
	if err := json.Unmarshal(data, &issues); err != nil || issues[1].Fingerprint == issues[2].Fingerprint {
		t.Errorf("two equal faults are one to GitLab: %v", err)
	}
	faults[0].At.Line = 17
	moved, err := CodeQuality(faults, "service/mlbuild.yaml")
	if err != nil || !strings.Contains(string(moved), issues[0].Fingerprint) {
		t.Error("a fault whose line was moved is another one")
	}
	if none, err := CodeQuality(nil, "mlbuild.yaml"); err != nil || string(none) != "[]\n" {
		t.Errorf("no fault: %q, %v", none, err)
	}
}
