package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	namedTest = regexp.MustCompile("`([a-z][a-z0-9]*(?:/[a-z0-9]+)*)\\.(Test[A-Za-z0-9]+)[`/]")
	testFunc  = regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(`)
)

// TestDocsNameTestsThatAreThere: a page that says by which test something is held names one, in the package where it is.
func TestDocsNameTestsThatAreThere(t *testing.T) {
	there := map[string]bool{}
	err := filepath.WalkDir("..", func(p string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(p, "_test.go") {
			return err
		}
		data, err := os.ReadFile(p)
		for _, m := range testFunc.FindAllStringSubmatch(string(data), -1) {
			dir := filepath.ToSlash(filepath.Dir(strings.TrimPrefix(p, "../")))
			there[dir+"."+m[1]], there[filepath.Base(dir)+"."+m[1]] = true, true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	pages, _ := filepath.Glob("../docs/*.md")
	named := 0
	for _, page := range pages {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range namedTest.FindAllStringSubmatch(string(data), -1) {
			named++
			if name := m[1] + "." + m[2]; m[2] != "TestName" && !there[name] && !there["cmd/"+name] {
				t.Errorf("%s names %s, which is no test", filepath.Base(page), name)
			}
		}
	}
	if named < 50 {
		t.Errorf("%d names of tests were found", named)
	}
}
