package pypi

import (
	"strings"
	"testing"
)

// TestSpecifiersOfTheStandard has the examples of "Version specifiers" (packaging.python.org), section by section.
func TestSpecifiersOfTheStandard(t *testing.T) {
	for _, c := range []struct{ specifiers, admits, refuses string }{
		{"~=2.2", "2.2 2.3 2.99.post1", "2.1 3.0 3.dev0"},
		{"~=1.4.5", "1.4.5 1.4.9", "1.4.4 1.5.0"},
		{"~=2.2.post3", "2.2.post3 2.3", "2.2 2.2.post2 3.0"},
		{"~=1.4.5a4", "1.4.5a4 1.4.5 1.4.6", "1.4.5a3 1.5"},
		{"~=2.2.0", "2.2.0 2.2.9", "2.3.0"},
		{"~=1.4.5.0", "1.4.5 1.4.5.7", "1.4.6"},
		{"==1.1", "1.1 1.1.0 1.1+local", "1.1.post1 1.1a1 1.1.dev1"},
		{"==1.1.post1", "1.1.post1", "1.1"},
		{"==1.1a1", "1.1a1", "1.1"},
		{"==1.1.*", "1.1 1.1.post1 1.1a1 1.1.dev1 1.1.7", "1.10 1"},
		{"==3.0.*", "3 3.0 3.0.4", "3.1 30"},
		{"!=1.1", "1.1.post1", "1.1 1.1.0"},
		{"!=1.1.post1", "1.1", "1.1.post1"},
		{"!=1.1.*", "1.2", "1.1 1.1.post1"},
		{">1.7", "1.7.1 1.8.post1", "1.7 1.7.0.post1 1.7+local"},
		{">1.7.post2", "1.7.1 1.7.0.post3", "1.7.0 1.7.post2"},
		{"<3.1", "3.0 3.0.post1", "3.1.dev0 3.1rc1 3.1"},
		{"<3.1rc1", "3.1.dev0 3.1b2", "3.1rc1 3.1"},
		{"===1.0", "1.0", "1.0.0 1.0+downstream1"},
		{"==1.0+downstream1", "1.0+downstream1 1.0+DOWNSTREAM1", "1.0 1.0+downstream2"},
		{">= 1.0, != 1.3.4.*, < 2.0", "1.0 1.3.5", "0.9 1.3.4 1.3.4.post1 2.0"},
		{">=1!1.0", "1!1.0 2!0", "1.0 2024.1"},
	} {
		specifiers, err := ParseSpecifiers(c.specifiers)
		if err != nil {
			t.Errorf("%s: %v", c.specifiers, err)
		}
		for text, want := range wanted(c.admits, c.refuses) {
			if got := specifiers.Admit(mustVersion(t, text)); got != want {
				t.Errorf("%s admits %s: %t", c.specifiers, text, got)
			}
		}
	}
}

// TestVersionOrderOfTheStandard has the list with which the standard sums the order up.
func TestVersionOrderOfTheStandard(t *testing.T) {
	ordered := strings.Fields(`1.dev0 1.0.dev456 1.0a1 1.0a2.dev456 1.0a12.dev456 1.0a12 1.0b1.dev456 1.0b2 1.0b2.post345.dev456 1.0b2.post345
		1.0rc1.dev456 1.0rc1 1.0 1.0+abc.5 1.0+abc.7 1.0+5 1.0.post456.dev34 1.0.post456 1.0.15 1.1.dev1 2013.10 1!1.0`)
	for i, a := range ordered {
		for j, b := range ordered {
			if got := CompareVersions(a, b); got != sign(i-j) {
				t.Errorf("%s to %s: %d", a, b, got)
			}
		}
	}
}

func TestPin(t *testing.T) {
	for text, want := range map[string]string{
		"==1.0+cu126": "1.0+cu126", "=== foo": "foo", "==1.*": "", ">=1": "", "==1,!=2": "", "": "", "~=1.0": "",
	} {
		specifiers, err := ParseSpecifiers(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := specifiers.Pin(); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
