package frontend

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/llb/models"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// text is how a client shows faults: each with its code, its place, the line there, and what to do.
func text(err error) string {
	var b strings.Builder
	for i, f := range fault.All(err) {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "error[%s]: %s\n", f.Code, f.Message)
		if f.At.File != "" {
			fmt.Fprintf(&b, "  --> %s\n", f.At)
		}
		for line := range strings.Lines(f.Snippet) {
			fmt.Fprintf(&b, "   %s\n", strings.TrimRight(line, "\n"))
		}
		for _, h := range append(slices.Clone(f.Hints), inBuildx(f)...) {
			fmt.Fprintf(&b, "hint: %s\n", h)
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

// given are flags and files of mlbuild that faults name, and how docker buildx is given the same.
var given = []struct{ mlbuild, buildx string }{
	{"--ca-cert", "--build-arg " + argCA + "=1 --secret id=" + ops.CASecret + ",src=FILE"},
	{"--checks", "--build-arg " + argChecks + "=none"},
	{"known_hosts", "--build-arg " + argKnownHosts + `="$(ssh-keyscan HOST)"`},
}

// inBuildx are hints for what a fault names in mlbuild's words alone.
func inBuildx(f *fault.Fault) (hints []string) {
	for _, g := range given {
		if strings.Contains(f.Message+strings.Join(f.Hints, " "), g.mlbuild) {
			hints = append(hints, "with docker buildx: "+g.buildx)
		}
	}
	return hints
}

// unable says what a frontend leaves undone of a request, one line each: mlbuild, as the client, sees the secrets and makes others of them, and keeps what a registry says of layers.
func unable(req builder.Request) []string {
	var all []string
	tell := func(format string, args ...any) {
		line := fmt.Sprintf(format, args...)
		for _, told := range all {
			if told == line {
				return
			}
		}
		all = append(all, line)
	}
	for _, r := range req.Variants[0].Recipes {
		secretNotes(r, tell)
	}
	if req.Variants[0].Lock == nil {
		tell("the packages are not locked: this build resolves them now, and the next one may get others; write the lock with: mlbuild lock --profile %s", req.Variants[0].Profile)
	}
	if _, secret := req.Proxy.WithoutPasswords(); len(secret) > 0 {
		for name := range secret {
			tell("the proxy %s has a password, which no definition may hold: give its URL as --secret id=%s,env=%s", name, ops.ProxySecret(name), name)
		}
	}
	return all
}

// secretNotes says which secrets mlbuild makes of those that the project names. In a frontend nobody sees a secret's value but the step that mounts it.
func secretNotes(r *recipe.Recipe, tell func(string, ...any)) {
	for _, ix := range r.Requires.Indexes {
		if ix.Secret != "" {
			tell("the index %s needs two secrets here: id=%s with user:password, and id=%s with its header, Basic and the base64 of user:password", ix.Name, ops.IndexSecret(ix.Name), ops.HeaderSecret(ix.Name))
		}
	}
	for i := range r.Models {
		if m := &r.Models[i]; m.Secret != "" {
			tell("the model %s needs a secret id=%s here, with its header: Bearer and the token, or Basic and the base64 of user:password", m.Name, models.Auth(m))
		}
	}
	for _, b := range r.Build {
		if b.Source != nil && b.Source.Secret != "" {
			tell("the source of the build step %s needs a secret id=%s here, with its header: Basic and the base64 of user:password", b.Name, b.Source.SourceHeader())
		}
	}
}
