package wheelbuild

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/install"
	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/scripts"
	"github.com/mlbuild/mlbuild/profiles/pylock"
)

// install is the step that checks a built wheel against the image and unpacks it, as every other wheel is unpacked.
func (b builds) install(w pylock.Wheel, built bkllb.State, locked []bkllb.State) (bkllb.State, error) {
	s := b.set.Group(ops.GroupSource)
	args := []string{"/mlbuild/helper/" + ops.HelperFile, "-python", b.image.Recipe.Python.Version, "-out", "/out"}
	args = append(args, install.RuleArgs(b.image.Recipe)...)
	opts := []bkllb.RunOption{
		bkllb.Args([]string{b.image.Interpreter, ops.ScriptDir + "/run.py"}), bkllb.Dir("/"),
		bkllb.Network(pb.NetMode_NONE), bkllb.Platform(b.set.Platform), s.Named("unpack %s", w.Label()),
		bkllb.AddMount("/mlbuild/wheel", built, bkllb.Readonly, ops.ByKey),
		bkllb.AddMount("/mlbuild/helper", b.set.Helpers.Root(b.set.Helpers.Wheels), bkllb.Readonly, ops.ByKey),
		bkllb.AddMount("/mlbuild/base", b.image.WithPython, bkllb.Readonly, ops.ByKey),
	}
	for i, l := range slices.Concat(b.image.Below.OfKind(layerplan.KindSystem).States(), locked) {
		opts = append(opts, bkllb.AddMount(fmt.Sprintf("/mlbuild/layers/%d", i), l, bkllb.Readonly, ops.ByKey))
	}
	if origin := directOrigin(w); origin != nil {
		args = append(args, "-direct-url", "{wheel}=/mlbuild/origin"+install.DirectURLFile)
		file := bkllb.Scratch().File(bkllb.Mkfile(install.DirectURLFile, 0o644, origin), s.Named("where %s comes from", w.Name))
		opts = append(opts, bkllb.AddMount("/mlbuild/origin", file, bkllb.Readonly, ops.ByKey))
	}
	script, err := b.installScript(w, append(args, "/mlbuild/wheel/{wheel}"), s)
	if err != nil {
		return bkllb.State{}, err
	}
	return b.image.Root.Run(append(opts, bkllb.AddMount(ops.ScriptDir, script, bkllb.Readonly))...).AddMount("/out", bkllb.Scratch()), nil
}

func (b builds) installScript(w pylock.Wheel, args []string, s ops.Group) (bkllb.State, error) {
	minor := 0
	if _, err := fmt.Sscanf(b.in.Glibc, "2.%d", &minor); err != nil {
		minor = 0 // unknown
	}
	return ops.Script(scripts.InstallWheel, "lay.json", struct {
		Name    string   `json:"name"`
		Version string   `json:"version"`
		Machine string   `json:"machine"`
		Glibc   int      `json:"glibc"` // 2.x, 0 = unknown
		Needs   []string `json:"needs"` // packages that the image has wherever it has this one
		Args    []string `json:"args"`
	}{w.Name, w.Version, ops.Machine(b.set.Platform), minor, noNil(beside(w, b.image.Packages, b.in)), args}, nil, s.Named("what the wheel of %s must be", w.Name))
}

// directOrigin is direct_url.json (PEP 610) of a package that was required by a URL; nil for one from an index or from the project.
func directOrigin(w pylock.Wheel) []byte {
	type vcs struct {
		VCS      string `json:"vcs"`
		Commit   string `json:"commit_id"`
		Revision string `json:"requested_revision,omitempty"`
	}
	type archive struct {
		Hash   string            `json:"hash"`
		Hashes map[string]string `json:"hashes"`
	}
	origin := struct {
		Archive *archive `json:"archive_info,omitempty"`
		VCS     *vcs     `json:"vcs_info,omitempty"`
		URL     string   `json:"url"`
		Subdir  string   `json:"subdirectory,omitempty"`
	}{URL: w.Source.URL, Subdir: w.Source.Subdir}
	switch {
	case w.Source.Type == pylock.Git:
		origin.VCS = &vcs{"git", w.Source.Commit, cmp.Or(w.Source.Revision, w.Source.Commit)}
	case w.Source.Type == pylock.Archive && w.Direct && w.Source.URL != "":
		origin.Archive = &archive{"sha256=" + w.Source.SHA256, map[string]string{"sha256": w.Source.SHA256}}
	default:
		return nil
	}
	data, err := json.Marshal(origin)
	if err != nil {
		return nil
	}
	return data
}
