package profiles

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

func TestFaultsOfCopyFrom(t *testing.T) {
	runFaults(t, []faultCase{
		{"no list", yamlFile("copyFrom: ffmpeg\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:11: copyFrom must be a list of mappings"}},
		{"keys", yamlFile("copyFrom:\n  - {image: a, from: /x}\n  - {from: /x, to: /y}\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:2:5: need from and to", "E-SPEC mlbuild.yaml:3:5: needs an image or the name of a build step"}},
		{"2 typo", yamlFile("copyFrom:\n  - {image: a, form: /x, to: /y}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:2:16: unknown key \"form\" | did you mean \"from\""}},
		{"reference", yamlFile("copyFrom: [{image: Team/X, from: /x, to: /y}]\n"), Selection{}, []string{"E-REF mlbuild.yaml:1:20: must be lowercase | lower case: team/x"}},
		{"paths", yamlFile("copyFrom:\n  - {image: a, from: /a/../b, to: /y}\n  - {image: a, from: /, to: /y}\n  - {image: a, from: \"/a/**/b\", to: /y/}\n  - {image: a, from: \"/a/*\", to: /y}\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:2:22: is no path", "E-SPEC mlbuild.yaml:3:22: the root", "E-SPEC mlbuild.yaml:4:22: has ** | name the directory",
			"E-SPEC mlbuild.yaml:5:34: would become the one file /y | to: /y/"}},
		{"7 destinations", yamlFile("copyFrom:\n  - {image: a, from: /x, to: /bin/}\n  - {image: a, from: /x, to: /opt/venv/x}\n  - {image: a, from: /x, to: /tmp/x}\n  - {image: a, from: /x, to: ../y}\n  - {image: a, from: /x, to: /}\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:2:30: a link to /usr/bin | write /usr/bin/", "E-SPEC mlbuild.yaml:3:30: lies in /opt/venv", "E-SPEC mlbuild.yaml:4:30: lies in /tmp",
			"E-SPEC mlbuild.yaml:5:30: is not absolute"}},
		{"11 same destination", yamlFile("copyFrom: [{image: a, from: /x, to: /y/}, {image: b, from: /z/x, to: /y/x}]\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:1:70: /x and /z/x would both become /y/x | another destination"}},
	})
}

// TestCopyFrom: relative destinations start at the working directory, and the recipe lists the images once.
func TestCopyFrom(t *testing.T) {
	p, err := Load(memory{FileName: "python: {requirements: []}\ncopyFrom:\n  - {image: \"tools/ffmpeg:7\", from: usr/bin/ffmpeg, to: bin/, mode: \"755\", owner: \"0:0\"}\n" +
		"  - {image: pages, from: \"/www/*.css\", to: .}\n  - {image: \"tools/ffmpeg:7\", from: /etc/x, to: /etc/x}\n"}.fs(), "")
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Resolve(Selection{})
	if err != nil {
		t.Fatal(err)
	}
	want := []recipe.CopyFrom{
		{Image: "docker.io/tools/ffmpeg:7", Step: "", Output: recipe.Output{From: "/usr/bin/ffmpeg", To: "/app/bin/", Mode: "0755", Owner: "0:0"}},
		{Image: "docker.io/library/pages:latest", Step: "", Output: recipe.Output{From: "/www/*.css", To: "/app/"}},
		{Image: "docker.io/tools/ffmpeg:7", Step: "", Output: recipe.Output{From: "/etc/x", To: "/etc/x"}},
	}
	if d := cmp.Diff(want, r.CopyFrom); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"docker.io/library/pages:latest", "docker.io/tools/ffmpeg:7"}, r.Images()); d != "" {
		t.Errorf("images (-want +got):\n%s", d)
	}
	for i, parent := range []string{"/app/bin", "/app", "/etc"} {
		if got := r.CopyFrom[i].Parent(); got != parent {
			t.Errorf("files of %s are put into %s, want %s", r.CopyFrom[i].From, got, parent)
		}
	}
}
