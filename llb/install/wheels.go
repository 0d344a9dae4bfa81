package install

import (
	"encoding/json"
	"fmt"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	digest "github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Wheels unpacks the wheels of a layer onto nothing by the helper in root. The layer is a function of the wheels' bytes, the Python version and the
// helper: no base image, no Python, no pip. What the recipe prunes is left out.
func Wheels(root bkllb.State, l layerplan.Layer, r *recipe.Recipe, set ops.Setting) ops.Layer {
	s := set.Group(ops.GroupWheels)
	args := []string{"-python", r.Python.Version, "-out", "/out"}
	if l.Part.N > 1 {
		args = append(args, "-part", fmt.Sprintf("%d/%d", l.Part.K, l.Part.N))
	}
	args = append(args, RuleArgs(r)...)
	var mounts []bkllb.RunOption
	var files []string
	for i, w := range l.Wheels {
		dir := fmt.Sprintf("/in/%d", i)
		mounts = append(mounts, bkllb.AddMount(dir, WheelFile(w, r, set.Session), bkllb.Readonly, ops.ByKey))
		if w.Direct {
			origin := fmt.Sprintf("/origin/%d", i)
			args = append(args, "-direct-url", w.Filename+"="+origin+DirectURLFile)
			mounts = append(mounts, bkllb.AddMount(origin, originOf(w, s), bkllb.Readonly, ops.ByKey))
		}
		files = append(files, dir+"/"+w.Filename)
	}
	args = append(args, files...)
	step := ops.HelperStep(root, set.Worker, s, "unpack "+l.Name, args, mounts...)
	return ops.Layer{Layer: l, State: step.AddMount("/out", bkllb.Scratch())}
}

// RuleArgs tell the helper which files that run at every start of Python the project allows, and what to leave out; none for an image that leaves out
// nothing, whose layers are those of every other.
func RuleArgs(r *recipe.Recipe) []string {
	var args []string
	for _, a := range r.Requires.Allow {
		if strings.Contains(a, "/") {
			args = append(args, "-allow-pth", a)
		}
	}
	if r.Requires.StrictWheels {
		args = append(args, "-strict")
	}
	for _, rule := range r.Prune.Rules {
		args = append(args, "-prune", strings.Join(rule.Patterns, ":"))
	}
	for _, k := range r.Prune.Keep {
		args = append(args, "-keep", k)
	}
	return args
}

// DirectURLFile is where a tree has the file by which an installed package says where it is from (PEP 610).
const DirectURLFile = "/direct_url.json"

// originOf is the file by which an installed package that was required by its URL says so (PEP 610).
func originOf(w pylock.Wheel, s ops.Group) bkllb.State {
	url, _ := json.Marshal(w.URL) //nolint:errchkjson // a string always encodes
	data := fmt.Sprintf(`{"archive_info": {"hash": "sha256=%s", "hashes": {"sha256": "%s"}}, "url": %s}`, w.SHA256, w.SHA256, url)
	return bkllb.Scratch().File(bkllb.Mkfile(DirectURLFile, 0o644, []byte(data)), s.Named("where %s comes from", w.Name))
}

// WheelFile holds a wheel, or another archive of a package, under its file name.
func WheelFile(w pylock.Wheel, r *recipe.Recipe, session ops.Session) bkllb.State {
	if w.URL != "" {
		return download(w, r.Requires.Indexes)
	}
	s := ops.Group{ID: ops.GroupDownload}
	files, at := ops.PackageFiles(w.Path, r, session, s)
	info := &bkllb.CopyInfo{Mode: &bkllb.ChmodOpt{Mode: 0o644}}
	return bkllb.Scratch().File(bkllb.Copy(files, "/"+at, "/"+w.Filename, info, bkllb.WithCreatedTime(wheel.ModTime)), s.Named("%s", w.Path))
}

// download fetches one file. File name and mode are fixed, because both are part of the cache key; the URL is not.
func download(w pylock.Wheel, indexes []recipe.Index) bkllb.State {
	opts := []bkllb.HTTPOption{
		bkllb.Checksum(digest.NewDigestFromEncoded(digest.SHA256, w.SHA256)),
		bkllb.Filename(w.Filename), bkllb.Chmod(0o644), ops.Download(w.Filename, w.Size),
	}
	if id := ops.AuthSecret(w, indexes); id != "" {
		opts = append(opts, bkllb.AuthHeaderSecret(id))
	}
	return bkllb.HTTP(w.URL, opts...)
}
