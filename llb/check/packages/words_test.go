package packages

import (
	"slices"
	"testing"
)

// TestMissingLibrary: what loaders and packages say of a library that is not there.
func TestMissingLibrary(t *testing.T) {
	for text, want := range map[string]string{
		"ImportError: libGL.so.1: cannot open shared object file: No such file or directory":                                             "libGL.so.1",
		"OSError: /opt/x/lib/libmkl_rt.so.2: cannot open shared object file: No such file or directory":                                  "libmkl_rt.so.2",
		"OSError: cannot load library 'libgobject-2.0-0': libgobject-2.0-0: cannot open shared object file: No such file or directory.":  "libgobject-2.0.so.0",
		"no library called \"cairo-2\" was found\ncannot load library 'libcairo.so.2': libcairo.so.2: cannot open shared object file":    "libcairo.so.2",
		"cannot load library 'libcairo-2': libcairo-2: cannot open shared object file: x\nlibcairo.so.2: cannot open shared object file": "libcairo.so.2",
		"ImportError: Error loading shared library libgomp.so.1: No such file or directory (needed by /usr/lib/x.so)":                    "libgomp.so.1",
		"OSError: PortAudio library not found":                             "libportaudio.so.2",
		"ImportError: failed to find libmagic.  Check your installation":   "libmagic.so.1",
		"ImportError: /usr/lib/libx.so.1: undefined symbol: foo":           "",
		"FileNotFoundError: [Errno 2] No such file or directory: 'x.so.1'": "",
		"": "",
	} {
		if got := missingLibrary(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestMask(t *testing.T) {
	secrets := secretsOf([]string{"A_KEY=alpha-beta", "Db_Password=one\ntwolines", "PATH=/usr/bin", "TOKEN=abc", "KEYS=not-a-secret", "B_KEY=alpha"})
	if want := []string{"one\ntwolines", "alpha-beta", "twolines", "alpha"}; !slices.Equal(secrets, want) {
		t.Errorf("secrets %q", secrets)
	}
	for text, want := range map[string]string{
		"x alpha-beta y":       "x *** y",
		"ha-beta at the start": "*** at the start", // the end of one that was cut
		"one\ntwolines":        "***",
		"abc":                  "abc",
	} {
		if got := mask(text, secrets); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestFirstField(t *testing.T) {
	for line, want := range map[string]string{"a/b.py,sha256=x,1": "a/b.py", `"a,b.py",,`: "a,b.py", `"a""b.py",,`: `a"b.py`, `"open`: "open", "": "", "a": "a"} {
		if got := firstField(line); got != want {
			t.Errorf("%q: %q", line, got)
		}
	}
}
