package llb

import (
	"fmt"
	"testing"

	"github.com/mlbuild/mlbuild/llb/llbtest"
)

// BenchmarkCompile10000Files is a project of many files that a rule names one by one.
func BenchmarkCompile10000Files(b *testing.B) {
	r, in := llbtest.Recipe(), inputs()
	var files []string
	for i := range 10_000 {
		files = append(files, fmt.Sprintf("src/dir%03d/file%05d.py", i/100, i))
	}
	r.App.Copy[0].Files = files
	for b.Loop() {
		if _, err := Compile(r, in); err != nil {
			b.Fatal(err)
		}
	}
}
