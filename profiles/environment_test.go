package profiles

import (
	"slices"
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// TestPlacesInEnvironment: files of the project and from elsewhere may come to lie among the packages, whatever Python the path is written for; what belongs to the environment itself
// stays as it is.
func TestPlacesInEnvironment(t *testing.T) {
	const site = "/opt/venv/lib/python3.12/site-packages"
	for to, want := range map[string]string{
		"$SITE_PACKAGES/uni/dic": site + "/uni/dic", "${SITE_PACKAGES}/uni/": site + "/uni/", site + "/uni": site + "/uni", "$SITE_PACKAGES/": site + "/", "/opt/venv/bin/tool": "/opt/venv/bin/tool",
		"/opt/venv/share/jupyter/":                     "/opt/venv/share/jupyter/",
		"/opt/venv/lib/python3.11/site-packages/uni/x": "!write $SITE_PACKAGES/uni/x", "/opt/venv/bin/python3": "!belongs to the environment itself", "/opt/venv/pyvenv.cfg": "!belongs to the system",
		"$SITE_PACKAGES": "!belongs to the environment itself", "/opt/venv/lib/x": "!files for packages go to $SITE_PACKAGES", "$SITE_PACKAGES/../../x": "!holds ..", "/opt/venv": "!/opt/venv", "$SITE_PACKAGESX/x": "/app/$SITE_PACKAGESX/x",
	} {
		for _, section := range []string{"app: {command: [x], copy: [{from: x, to: %}]}", "app: {command: [x]}\ncopyFrom: [{image: a/b, from: /x, to: %}]", "app: {command: [x]}\nbake: [{commands: [x], outputs: [{from: x, to: %}]}]",
			"app: {command: [x]}\nbuild: [{commands: [x], outputs: [{from: x, to: %}]}]"} {
			r, err := resolved(t, memory{FileName: "python: {version: \"3.12\"}\n" + strings.Replace(section, "%", `"`+to+`"`, 1) + "\n", "x": "1"})
			var got string
			switch {
			case err != nil:
				got = "!" + err.Error()
			case len(r.App.Copy) > 0 && strings.HasPrefix(section, "app: {command: [x], copy"):
				got = r.App.Copy[0].To
				if inside := recipe.InEnvironment(got); inside != (r.App.Copy[0].Owner == "0:0") {
					t.Errorf("%s: owner %q", to, r.App.Copy[0].Owner)
				}
			case len(r.CopyFrom) > 0:
				got = r.CopyFrom[0].To
			case len(r.Bake) > 0:
				got = r.Bake[0].Outputs[0].To
			default:
				got = r.Build[0].Outputs[0].To
			}
			if says, fails := strings.CutPrefix(want, "!"); fails && (err == nil || !strings.Contains(hintsOf(err), says)) || !fails && got != want {
				t.Errorf("%s in %s: %s, want %s", to, section, got, want)
			}
		}
	}
	r, err := resolved(t, memory{FileName: "app: {command: [x]}\nbake: [{commands: [x], outputs: [\"${SITE_PACKAGES}/uni/dic\", \"$SITE_PACKAGES/uni/*.nbi\"]}]\ncopyFrom: [{image: a/b, from: $SITE_PACKAGES/x, to: $SITE_PACKAGES/x, replace: true}]\n"})
	if err != nil {
		t.Fatal(err)
	}
	const default311 = "/opt/venv/lib/python3.11/site-packages/"
	got := append(slices.Clone(r.Bake[0].Outputs), r.CopyFrom[0].Output)
	want := []recipe.Output{{From: default311 + "uni/dic", To: default311 + "uni/dic"}, {From: default311 + "uni/*.nbi", To: default311 + "uni/"}, {From: default311 + "x", To: default311 + "x", Replace: true}}
	if !slices.Equal(got, want) {
		t.Errorf("outputs %+v, want %+v", got, want)
	}
}

// TestConditions: a step whose condition does not hold is not there, nor are files that come from it.
func TestConditions(t *testing.T) {
	const file = `args: {WITH: "no", MODE: full}
app: {command: [x]}
build:
- {name: on, when: "${MODE} == full", commands: [x], outputs: [/a]}
- {name: off, when: "${WITH}", commands: [x]}
bake:
- {when: {profile: gpu}, commands: [x], outputs: [a]}
- {when: {profile: [cpu, gpu], platform: linux/amd64}, commands: [x], outputs: [b], secrets: [{id: hub, required: false}]}
- {when: "${MODE} != full", commands: [x], outputs: [c]}
run: [{when: false, commands: [x]}, {when: true, commands: [x]}]
copyFrom: [{step: off, from: /x, to: /y}]
`
	r, err := resolved(t, memory{FileName: file})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range r.Steps() {
		names = append(names, s.Name)
	}
	if want := []string{"build step on", "bake step bake-2", "run step run-2"}; !slices.Equal(names, want) || len(r.CopyFrom) > 0 {
		t.Errorf("steps %q with %v, want %q", names, r.CopyFrom, want)
	}
	if secret := r.Bake[0].Secrets[0]; !secret.Optional || secret.File != "/run/secrets/hub" {
		t.Errorf("secret %+v", secret)
	}
	for when, want := range map[string]string{
		"maybe": `when: "maybe" is neither true nor false`, "{profile: gpux}": `there is no profile "gpux"`, "{platform: linux/arm}": `"linux/arm" is not a platform`,
	} {
		if _, err := resolved(t, memory{FileName: "app: {command: [x]}\nrun: [{commands: [x], when: " + when + "}]\n"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", when, err, want)
		}
	}
}

// TestNeeds: the packages of a bake step are names; none at all is not the same as all.
func TestNeeds(t *testing.T) {
	r, err := resolved(t, memory{FileName: "app: {command: [x]}\nbake: [{commands: [x], outputs: [a]}, {commands: [x], outputs: [b], needs: [Tiny_Lib, torch, tiny-lib]}, {commands: [x], outputs: [c], needs: []}]\n"})
	if err != nil {
		t.Fatal(err)
	}
	if r.Bake[0].Needs != nil || !slices.Equal(r.Bake[1].Needs, []string{"tiny-lib", "torch"}) || r.Bake[2].Needs == nil {
		t.Errorf("%v, %v, %v", r.Bake[0].Needs, r.Bake[1].Needs, r.Bake[2].Needs)
	}
	if _, err := resolved(t, memory{FileName: "app: {command: [x]}\nbake: [{commands: [x], outputs: [a], needs: [\"torch==2\"]}]\n"}); err == nil || !strings.Contains(err.Error(), `"torch==2" is not the name`) {
		t.Errorf("a version: %v", err)
	}
}

// hintsOf is an error with the hints of its faults.
func hintsOf(err error) string {
	var b strings.Builder
	for _, f := range fault.All(err) {
		b.WriteString(f.Error() + "\n" + strings.Join(f.Hints, "\n"))
	}
	return b.String()
}
