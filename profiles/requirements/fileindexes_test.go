package requirements

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// TestTakeIndexes: what names an index goes out of the file, line for line, and everything else stays as it is.
func TestTakeIndexes(t *testing.T) {
	r := &reader{Tree: files.Tree{Report: yamldoc.NewReport()}}
	in := "# first\r\n-i https://a.example/simple # why\nflask\n--extra-index-url=\"https://b.example/s\" --pre\n--find-links \\\n  https://c.example/w.html\n--only-binary :all:\nx @ https://d.example/--index-url/x.whl\n"
	want := "# first\r\n\nflask\n--pre\n\n\n--only-binary :all:\nx @ https://d.example/--index-url/x.whl\n"
	if d := cmp.Diff(want, r.takeIndexes("r.txt", in)); d != "" {
		t.Error(d)
	}
	var got []string
	for _, l := range r.indexes {
		got = append(got, l.option+" "+l.url+" "+l.at.String())
	}
	if d := cmp.Diff([]string{"--index-url https://a.example/simple r.txt:2:1", "--extra-index-url https://b.example/s r.txt:4:1", "--find-links https://c.example/w.html r.txt:5:1"}, got); d != "" {
		t.Error(d)
	}
	if len(r.Faults) > 0 {
		t.Errorf("unexpected faults: %v", r.Faults)
	}
}
