package pypi

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseWheelName(t *testing.T) {
	for name, want := range map[string]WheelName{
		"idna-3.20-py3-none-any.whl": {Name: "idna", Version: "3.20", Python: "py3", ABI: "none", Platform: "any"},
		"torch-2.6.0+cu126-cp311-cp311-manylinux_2_28_x86_64.whl": {
			Name: "torch", Version: "2.6.0+cu126", Python: "cp311", ABI: "cp311", Platform: "manylinux_2_28_x86_64"},
		"six-1.16.0-12b-py2.py3-none-any.whl": {Name: "six", Version: "1.16.0", Build: buildTag{true, 12, "b"},
			Python: "py2.py3", ABI: "none", Platform: "any"},
	} {
		got, err := ParseWheelName(name)
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestParseWheelNameRefuses(t *testing.T) {
	for name, want := range map[string]string{
		"idna-3.20.tar.gz":                      `"idna-3.20.tar.gz" does not end in .whl`,
		"idna-3.20-any.whl":                     `"idna-3.20-any.whl" is not name-version[-build]-python-abi-platform.whl`,
		"a-b-1-py3-none-any-x.whl":              `"a-b-1-py3-none-any-x.whl" is not name-version[-build]-python-abi-platform.whl`,
		"idna-3.20-b1-py3-none-any.whl":         `"idna-3.20-b1-py3-none-any.whl": build tag "b1" does not start with a digit`,
		"idna--py3-none-any.whl":                `"idna--py3-none-any.whl" has an empty part`,
		"idna-1-99999999999999999999-p-n-a.whl": `"idna-1-99999999999999999999-p-n-a.whl": build tag "99999999999999999999" does not start with a digit`,
	} {
		if _, err := ParseWheelName(name); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

func TestBuildTagOrder(t *testing.T) {
	ordered := []buildTag{{}, {true, 0, ""}, {true, 1, ""}, {true, 1, "a"}, {true, 1, "b"}, {true, 2, ""}, {true, 10, ""}}
	for i, a := range ordered {
		for j, b := range ordered {
			if got := sign(a.Compare(b)); got != sign(i-j) {
				t.Errorf("%v to %v: %d", a, b, got)
			}
		}
	}
}

func sign(n int) int { return min(1, max(-1, n)) }

func TestTagsOfCompressedSet(t *testing.T) {
	w, err := ParseWheelName("x-1-cp310.cp311-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl")
	if err != nil {
		t.Fatal(err)
	}
	want := []Tag{
		{"cp310", "abi3", "manylinux2014_x86_64"}, {"cp310", "abi3", "manylinux_2_17_x86_64"},
		{"cp311", "abi3", "manylinux2014_x86_64"}, {"cp311", "abi3", "manylinux_2_17_x86_64"},
	}
	if diff := cmp.Diff(want, w.Tags()); diff != "" {
		t.Error(diff)
	}
}

func TestNormalize(t *testing.T) {
	for name, want := range map[string]string{
		"Django": "django", "zope.interface": "zope-interface", "a__b.-c": "a-b-c", "ruamel_yaml": "ruamel-yaml",
		"already-normal": "already-normal", "A": "a", "x--y": "x-y",
	} {
		if got := Normalize(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "A1": true, "a.b_c-d": true, "": false, "-a": false, "a-": false, "a b": false, "a/b": false, "é": false,
	} {
		if got := ValidName(name); got != want {
			t.Errorf("%q: got %v", name, got)
		}
	}
}
