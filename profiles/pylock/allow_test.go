package pylock

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

func TestRestrict(t *testing.T) {
	file := func(name, sum string) File {
		return File{Name: name, URL: "https://files.example/" + name, SHA256: strings.Repeat(sum, 64)}
	}
	source := file("a-1.tar.gz", "2")
	lock := &Lock{Packages: []Package{
		{Name: "a", Version: "1.0", Wheels: []File{file("a-1-py3-none-any.whl", "1"), file("a-1-cp311-cp311-linux_x86_64.whl", "3")}, Sdist: &source},
		{Name: "b", Version: "2.0+cpu", Wheels: []File{file("b-2+cpu-py3-none-any.whl", "4")}},
		{Name: "c", Version: "3", Wheels: []File{file("c-3-py3-none-any.whl", "5")}},
	}}
	sums := func(digits ...string) (all []string) {
		for _, d := range digits {
			all = append(all, strings.Repeat(d, 64))
		}
		return all
	}
	got, err := lock.Restrict([]Allowed{{"a", "1", sums("3")}, {"a", "1.0", sums("9")}, {"a", "2", sums("1")}, {"b", "2.0", sums("9")}, {"c", "", sums("5")}})
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, p := range got.Packages {
		for _, w := range p.Wheels {
			left = append(left, w.Name)
		}
	}
	if d := cmp.Diff([]string{"a-1-cp311-cp311-linux_x86_64.whl", "b-2+cpu-py3-none-any.whl", "c-3-py3-none-any.whl"}, left); d != "" || got.Packages[0].Sdist != nil {
		t.Errorf("left %v, sdist %v", left, got.Packages[0].Sdist)
	}
	if len(lock.Packages[0].Wheels) != 2 || lock.Packages[0].Sdist == nil {
		t.Error("the lock itself changed")
	}
	_, err = lock.Restrict([]Allowed{{"a", "1", sums("9")}, {"c", "3.0", sums("9")}})
	expectFault(t, err, fault.Digest, "a 1.0: files.example has no file with a hash that the project's requirements allow")
	expectFault(t, err, fault.Digest, "c 3: files.example has no file with a hash that the project's requirements allow")
}
