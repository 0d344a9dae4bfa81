package pylock

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/pypi"
)

// everyPython are the versions for which wheels are chosen. No interpreter of any of them is needed for that.
var everyPython = []string{"3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"}

// TestEveryPython picks from what real projects publish: one wheel for each version, one of the stable ABI, one of pure Python, and those that never fit.
func TestEveryPython(t *testing.T) {
	const glibc = "manylinux_2_17_x86_64.manylinux2014_x86_64"
	package1 := func(tags ...string) *Lock {
		p := Package{Name: "x", Version: "1"}
		for _, tag := range tags {
			p.Wheels = append(p.Wheels, File{Name: "x-1-" + tag + ".whl", URL: "https://files.example/x-1-" + tag + ".whl", SHA256: strings.Repeat("0", 64)})
		}
		return &Lock{Name: "pylock.toml", Packages: []Package{p}}
	}
	var own []string
	for _, v := range everyPython {
		cp := "cp3" + strings.TrimPrefix(v, "3.")
		own = append(own, cp+"-"+cp+"-"+glibc, cp+"-"+cp+"-musllinux_1_2_x86_64", cp+"-"+cp+"-win_amd64", cp+"-"+cp+"-macosx_11_0_arm64")
	}
	free := []string{"cp313-cp313t-" + glibc, "cp314-cp314t-" + glibc}
	other := []string{"pp310-pypy310_pp73-" + glibc, "graalpy311-graalpy242_311_native-" + glibc}
	for i, v := range everyPython {
		minor := strings.TrimPrefix(v, "3.")
		cp := "cp3" + minor
		for _, c := range []struct {
			name string
			lock *Lock
			want string // tag, "" = none fits
		}{
			{"its own among all", package1(append(append(append([]string{"cp37-abi3-" + glibc, "py3-none-any"}, own...), free...), other...)...), cp + "-" + cp + "-manylinux_2_17_x86_64"},
			{"stable ABI of 3.7", package1("cp37-abi3-"+glibc, "py3-none-any"), "cp37-abi3-manylinux_2_17_x86_64"},
			{"newest stable ABI that it has", package1("cp38-abi3-"+glibc, "cp312-abi3-"+glibc), map[bool]string{true: "cp312-abi3-manylinux_2_17_x86_64", false: "cp38-abi3-manylinux_2_17_x86_64"}[i >= 4]},
			{"stable ABI of the next version", package1(fmt.Sprintf("cp3%d-abi3-%s", 9+i, glibc)), ""},
			{"pure", package1("py2.py3-none-any"), "py3-none-any"},
			{"pure for its version", package1("py3-none-any", "py3"+minor+"-none-any"), "py3" + minor + "-none-any"},
			{"a program for any Python", package1("py3-none-"+glibc, "py3-none-musllinux_1_1_x86_64"), "py3-none-manylinux_2_17_x86_64"},
			{"free-threaded alone", package1(free...), ""},
			{"other interpreters alone", package1(other...), ""},
			{"the version before", package1(fmt.Sprintf("cp3%d-cp3%d-%s", 7+i, 7+i, glibc)), ""},
		} {
			wheels, err := c.lock.Select(pypi.Target{Python: v, Platform: "linux/amd64", Glibc: "2.36"})
			got := ""
			if len(wheels) == 1 {
				got = wheels[0].Tag
			}
			if got != c.want || (err == nil) != (c.want != "") {
				t.Errorf("Python %s, %s: %q, %v; want %q", v, c.name, got, err, c.want)
			}
		}
	}
}
