package ops

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// uvRequirement pins uv for pip, with the hash of the wheel of every platform on which it may run.
const uvRequirement = `uv==0.13.9 \
    --hash=sha256:d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19 \
    --hash=sha256:5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe
`

// UVVersion is the version of uv that resolves.
const UVVersion = "0.13.9"

// UVOptions are uv's cache, shared by all that uv does on a platform, and its manners.
func UVOptions(p ocispecs.Platform) []bkllb.RunOption {
	return []bkllb.RunOption{
		bkllb.AddMount("/cache", bkllb.Scratch(), bkllb.AsPersistentCacheDir("mlbuild/uv/"+UVVersion+"/"+p.Architecture, bkllb.CacheMountShared)),
		bkllb.AddEnv("UV_CACHE_DIR", "/cache"), bkllb.AddEnv("UV_NO_PROGRESS", "1"), bkllb.AddEnv("UV_PYTHON_DOWNLOADS", "never"),
	}
}

// IndexScript gives uv the credentials of the indexes, each as "user:password".
const IndexScript = `
for v in $(env | sed -n 's/^\(MLBUILD_INDEX_[A-Z0-9_]*\)=.*/\1/p'); do
  eval "value=\$$v"; name=${v#MLBUILD_INDEX_}
  export "UV_INDEX_${name}_USERNAME=${value%%:*}" "UV_INDEX_${name}_PASSWORD=${value#*:}"
  unset "$v"
done
`

// ToolState is the tool image with its own environment.
func ToolState(b Base, p ocispecs.Platform, s Group) (bkllb.State, error) {
	return WithConfig(bkllb.Image(b.Ref, bkllb.Platform(p), s.Named("%s", b.Ref)), b)
}

// WithConfig is a state in which programs run with the environment and the working directory of an image.
func WithConfig(s bkllb.State, b Base) (bkllb.State, error) {
	config, err := json.Marshal(b.Config)
	if err != nil {
		return bkllb.State{}, fmt.Errorf("encode the config of %s: %w", b.Ref, err)
	}
	with, err := s.WithImageConfig(config)
	if err != nil {
		return bkllb.State{}, fmt.Errorf("read the config of %s: %w", b.Ref, err)
	}
	return with, nil
}

// UVState is uv for a platform, brought by the pip of the tool image, which runs on the worker's, and held to its hash.
func UVState(tool bkllb.State, worker, target ocispecs.Platform, n Network, s Group) bkllb.State {
	req := bkllb.Scratch().File(bkllb.Mkfile("/uv.txt", 0o644, []byte(uvRequirement)), s.Named("pin uv %s", UVVersion))
	args := []string{"python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir", "--no-compile",
		"--no-deps", "--only-binary", ":all:", "--require-hashes", "--root-user-action", "ignore", "--target", "/uv", "-r", "/req/uv.txt"}
	if target.Architecture != worker.Architecture {
		args = append(args, "--platform", "manylinux2014_"+Machine(target))
	}
	opts := []bkllb.RunOption{
		bkllb.Args(args),
		bkllb.AddMount("/req", req, bkllb.Readonly),
		bkllb.Platform(worker), s.Named("pip: bring uv %s", UVVersion),
	}
	return tool.Run(append(opts, n.Options(PythonCA)...)...).AddMount("/uv", bkllb.Scratch())
}

// FilesOf writes files with their directories. Of two with one path the first stays.
func FilesOf(files []recipe.File) *bkllb.FileAction {
	slices.SortStableFunc(files, func(a, b recipe.File) int { return cmp.Compare(a.Path, b.Path) })
	files = slices.CompactFunc(files, func(a, b recipe.File) bool { return a.Path == b.Path })
	var paths []string
	for _, f := range files {
		paths = append(paths, parents(f.Path)...)
	}
	a := (DirTable{}).Mkdirs(paths...)
	for _, f := range files {
		a.Mkfile("/"+f.Path, f.Data)
	}
	return a.Last
}

func parents(file string) []string {
	i := strings.LastIndex(file, "/")
	if i < 0 {
		return nil
	}
	return []string{"/" + file[:i]}
}

// IndexSecrets mounts the credentials of each index as a variable of the one step that needs them.
func IndexSecrets(indexes []recipe.Index) []bkllb.RunOption {
	var opts []bkllb.RunOption
	for _, ix := range indexes {
		if ix.Secret != "" {
			opts = append(opts, bkllb.AddSecretWithDest(IndexSecret(ix.Name), nil, bkllb.SecretAsEnvName("MLBUILD_INDEX_"+EnvName(ix.Name))))
		}
	}
	return opts
}

// EnvName is how uv spells an index's name in its variables.
func EnvName(index string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			return c
		}
		return '_'
	}, strings.ToUpper(index))
}
