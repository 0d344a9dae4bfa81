package query

import (
	_ "embed" // the script
	"encoding/json"
	"fmt"
	"slices"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/llb/counts"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/scripts"
	"github.com/mlbuild/mlbuild/llb/wheel"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// InspectionReport is the file that an inspection leaves in its result: an Inspected as JSON.
const InspectionReport = "/report.json"

// Inspected is what looking into wheels showed. What could not be learnt is missing.
type Inspected struct {
	Sizes    map[string]int64    `json:"sizes"`    // sha256 (hex) → bytes
	Overlaps map[string][]string `json:"overlaps"` // "one other": packages that bring a path with different bytes → some of these paths
	// Files are those of each wheel, sha256 (hex) → path relative to site-packages or to the virtual environment → bytes. Only for a recipe that prunes, and of packages that
	// are to be listed.
	Files map[string]map[string]int64 `json:"files"`
	// Requires are the requirements of each wheel, by its package. Only where packages are replaced, and where they are asked for.
	Requires map[string][]string `json:"requires"`
	// Startup are the files of each wheel that Python may run at every start, sha256 (hex) → path relative to site-packages → contents.
	Startup map[string]map[string][]byte `json:"startup"`
	// Odd are the wheels whose directory and RECORD have to be looked at, by sha256 (hex).
	Odd map[string]OddWheel `json:"odd"`
}

// OddWheel is what a wheel's directory lists, and its RECORD.
type OddWheel struct {
	Entries []wheel.Listed `json:"entries"`
	Record  []byte         `json:"record"`
}

// Inspection compiles the step that looks into wheels where they lie: their sizes, which a plain HTML index does not give, and paths that two
// of them write with different bytes. It asks for the end of each file only, and on one daemon but once for each file: the script keeps what it has learnt.
func Inspection(r *recipe.Recipe, wheels []pylock.Wheel, in ResolveInputs) (*pb.Definition, error) {
	s := ops.Group{ID: ops.GroupInspect, NoCache: in.NoCache}
	tool, err := ops.ToolState(in.Tool, in.Worker, s)
	if err != nil {
		return nil, err
	}
	list, err := wheelList(r, wheels, in)
	if err != nil {
		return nil, err
	}
	files := bkllb.Scratch().File(bkllb.Mkfile("/inspect.py", 0o644, []byte(scripts.Inspect)).Mkfile("/wheels.json", 0o644, list), s.Named("list of the wheels"))
	opts := []bkllb.RunOption{
		bkllb.Args([]string{"python3", "/in/inspect.py"}), bkllb.AddMount("/in", files, bkllb.Readonly),
		bkllb.AddMount("/cache", bkllb.Scratch(), bkllb.AsPersistentCacheDir(inspectionCache(), bkllb.CacheMountShared)),
		bkllb.AddEnv("MLBUILD_NONCE", in.Nonce), bkllb.Platform(in.Worker), s.Named("look into %s", counts.Plural(len(wheels), "wheel")),
	}
	opts = append(opts, in.Network.Options(ops.PythonCA)...)
	opts = append(opts, ops.IndexSecrets(r.Requires.Indexes)...)
	def, _, err := ops.Marshal(tool.Run(opts...).AddMount("/out", bkllb.Scratch()), in.Worker, "the inspection of "+r.Profile)
	return def, err
}

// inspectionCache names the cache of what the script has learnt: another script may learn something else.
func inspectionCache() string {
	return "mlbuild/wheels/" + digest.FromString(scripts.Inspect).Encoded()[:12]
}

// wheelList is the script's input: each wheel with the variable that holds the credentials of its index, and whether it is to tell its requirements and files.
func wheelList(r *recipe.Recipe, wheels []pylock.Wheel, in ResolveInputs) ([]byte, error) {
	type entry struct {
		Package string `json:"package"`
		URL     string `json:"url"`
		SHA256  string `json:"sha256"`
		Auth    string `json:"auth,omitempty"`
		List    bool   `json:"list,omitempty"` // tell every file

		Requires bool `json:"requires,omitempty"`
	}
	list := []entry{}
	for _, w := range wheels {
		if w.URL == "" {
			continue
		}
		e := entry{Package: w.Name, URL: w.URL, SHA256: w.SHA256, List: len(r.Prune.Rules) > 0 || slices.Contains(in.List, w.Name), Requires: in.Requires || len(in.Replaced) > 0}
		for _, ix := range r.Requires.Indexes {
			if ops.AuthSecret(w, r.Requires.Indexes) == ops.HeaderSecret(ix.Name) {
				e.Auth = "MLBUILD_INDEX_" + ops.EnvName(ix.Name)
			}
		}
		list = append(list, e)
	}
	data, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("encode the list of wheels: %w", err)
	}
	return data, nil
}

// Pruned counts the bytes that a recipe's rules leave out of the wheels, by "sha256 rule". A wheel of which nothing is left out is missing.
func Pruned(p recipe.Pruning, files map[string]map[string]int64) map[string]int64 {
	rules := WheelPruning(p)
	bytes := map[string]int64{}
	for sum, list := range files {
		for name, size := range list {
			if i := rules.Removes(name); i >= 0 && size > 0 {
				bytes[sum+" "+p.Rules[i].Name] += size
			}
		}
	}
	return bytes
}

// WheelPruning returns the rules as package wheel takes them.
func WheelPruning(p recipe.Pruning) wheel.Pruning {
	w := wheel.Pruning{Keep: p.Keep}
	for _, rule := range p.Rules {
		w.Rules = append(w.Rules, rule.Patterns)
	}
	return w
}
