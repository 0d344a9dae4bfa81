package recipe

import "testing"

func TestCallsPip(t *testing.T) {
	for command, want := range map[string]bool{
		"pip install six": true, "cd x && pip3 --no-cache-dir install -r r.txt": true, "/usr/bin/pip3.11 install six": true, "python -m pip install six": true,
		"pip list": false, "pipx install six": false, "uv pip install six": true, "pip --version; make install": false, "apt-get install pip": false, "echo install": false,
	} {
		if got := (Script{Commands: []string{"true", command}}).CallsPip(); got != want {
			t.Errorf("%s: %t", command, got)
		}
	}
}
