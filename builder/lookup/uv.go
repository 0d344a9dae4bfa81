package lookup

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// maxPasses bounds the resolutions of one lock: each pass may find bound or replaced packages that the one before did not know of.
const maxPasses = 5

// UV asks uv for the versions of a profile's Python packages.
type UV struct {
	Daemon
	SSH     SSH
	Session ops.Session // through which the project's own packages are sent
	Tagged  pypi.Tagged // the project's newest tag in git, zero = there is none
	Bases   Bases       // one of them may be where builds are asked
}

// UVQuery is one question to uv.
type UVQuery struct {
	Recipe    *recipe.Recipe
	Platforms []string          // that the lock is for
	Glibc     string            // lowest of the bases, "" = unknown
	Python    string            // whole version of the bases' Python, the lowest; "" = unknown
	InBase    []query.Installed // packages of the base that count
	Previous  string            // an earlier lock, whose versions are kept where they still fit; "" = none
	Keep      string            // constraints beside the project's own, one a line
	Upgrade   []string          // packages of Previous that may change
	Nonce     string            // differs = ask the indexes again
	Settled   bool              // Previous answers the recipe, and nothing is to be renewed: what an index has by now makes no difference, and the daemon's earlier answer to the same question will do
}

// Lock resolves in the tool image and returns the stamped lock, as text and parsed. It asks again while the answer holds packages that are bound to an index and
// were not asked for as such. Errors: fault.Secret for a git server that ssh cannot reach, those of a look-up for the tool image, and those of diagnose.Build.UV.
func (u UV) Lock(ctx context.Context, q UVQuery) ([]byte, *pylock.Lock, error) {
	servers := query.SSHServers(q.Recipe)
	for _, server := range servers {
		if err := u.SSH.check("a requirement comes from git by ssh", server).Err(); err != nil {
			return nil, nil, err
		}
	}
	tool, err := u.ImageOf(ctx, q.Recipe.Tool, u.Worker)
	if err != nil {
		return nil, nil, err
	}
	in := query.ResolveInputs{
		Tool: tool, Worker: u.Worker, Platforms: q.Platforms, Python: q.Python, Glibc: q.Glibc, Direct: query.Named(q.Recipe, q.Platforms, q.Python),
		Previous: q.Previous, Keep: q.Keep, Base: query.ForResolver(q.Recipe, q.InBase, q.Python), Upgrade: q.Upgrade, Nonce: q.Nonce, Network: u.Network, NoCache: u.NoCache,
		Session: u.Session, Tagged: u.Tagged, Hosts: u.SSH.keysOf(servers),
	}
	if q.Settled {
		in.Nonce = ""
	}
	if in, err = u.withAsker(ctx, q.Recipe, in); err != nil {
		return nil, nil, err
	}
	in.Upgrade = without(in.Upgrade, in.Base) // a later lock would take them from the base again
	unbound := in
	unbound.Direct = without(in.Direct, in.Base) // what is bound comes from its index and from nowhere else
	text, lock, err := u.settle(ctx, q, unbound)
	if unfit(err) && len(unbound.Direct) < len(in.Direct) {
		text, lock, err = u.settle(ctx, q, in) // another version than the base's, which may lie in that index alone
	}
	return text, lock, fromBase(err, q.Recipe, in.Base)
}

// without returns the names that no package of the base has.
func without(names []string, base []query.Installed) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return slices.ContainsFunc(base, func(p query.Installed) bool { return p.Name == name })
	})
}

// unfit reports whether requirements failed, and not an index or the network.
func unfit(err error) bool {
	return slices.ContainsFunc(fault.All(err), func(f *fault.Fault) bool {
		return f.Code == fault.Resolve || f.Code == fault.Wheel || f.Code == fault.Sdist || f.Code == fault.ABI
	})
}

// fromBase adds to a failed resolution which of the packages that it names are the base's.
func fromBase(err error, r *recipe.Recipe, base []query.Installed) error {
	for _, f := range fault.All(err) {
		for _, p := range base {
			if f.Code == fault.Resolve && namesPackage(f.Message, p.Name) {
				f.Hint("%s %s is what the base %s has; to leave all of its packages alone: base: {packages: false}", p.Name, p.Version, r.Base.Ref)
			}
		}
	}
	return err
}

// namesPackage reports whether a text has a package's name as a word: numpy is none in numpy-stl.
func namesPackage(text, name string) bool {
	return regexp.MustCompile(`(?:^|[^\w-])` + regexp.QuoteMeta(name) + `(?:$|[^\w-])`).MatchString(text)
}

// settle asks uv until the answer holds no package that is bound to an index and was not asked for as such, and none in whose place the accelerator has another.
func (u UV) settle(ctx context.Context, q UVQuery, in query.ResolveInputs) ([]byte, *pylock.Lock, error) {
	bound := query.Bindings(q.Recipe)
	for range maxPasses {
		text, via, err := u.resolveOnce(ctx, q.Recipe, in)
		if err == nil && in.Stop && len(text) == 0 {
			if in, err = u.askElsewhere(ctx, q.Recipe, in); err == nil {
				text, via, err = u.resolveOnce(ctx, q.Recipe, in)
			}
		}
		if err != nil {
			return nil, nil, err
		}
		rest, inBase := query.WithoutBase(text)
		lock, err := parseLock(q.Recipe, rest)
		if err != nil {
			return nil, nil, err
		}
		more := foundBound(lock, bound, in.Direct)
		replaced := false
		if q.Recipe.Requires.UV != nil {
			more = nil // uv's own lock binds them
		} else if lock.Tool.Via = parseVia(string(via)); len(more) == 0 {
			if in, replaced, err = u.withBuilds(ctx, q, in, lock); err != nil {
				return nil, nil, err
			}
		}
		if len(more) == 0 && !replaced {
			return u.stamp(ctx, q, in, answer{rest, via, inBase})
		}
		in.Direct = slices.Sorted(slices.Values(slices.Concat(in.Direct, more)))
	}
	return nil, nil, fault.New(fault.Resolve, "the resolution of profile %s does not settle: after %d passes packages bound to an index still appear",
		q.Recipe.Profile, maxPasses).Hint("name these packages in the requirements yourself")
}

// answer is what uv chose: a lock of what the base lacks, the reasons, and what is taken from the base.
type answer struct {
	text, via []byte
	inBase    []string // "torch==2.3.0a0+ebedce2", sorted
}

func foundBound(lock *pylock.Lock, bound map[string]string, direct []string) []string {
	var more []string
	for _, p := range lock.Packages {
		if bound[p.Name] != "" && !slices.Contains(direct, p.Name) && !slices.Contains(more, p.Name) {
			more = append(more, p.Name)
		}
	}
	return more
}

// resolveOnce runs uv and reads back the lock and the reasons.
func (u UV) resolveOnce(ctx context.Context, r *recipe.Recipe, in query.ResolveInputs) (text, via []byte, err error) {
	def, err := query.Resolution(r, in)
	if err != nil {
		return nil, nil, err
	}
	ref, err := u.solve(ctx, def, r.Profile, "the result of uv", func(b diagnose.Build, err error) error { return b.UV(r, err) })
	if err != nil {
		return nil, nil, err
	}
	if text, err = ReadFile(ctx, ref, query.ResolvedLock); err != nil {
		return nil, nil, err
	}
	via, err = ReadFile(ctx, ref, query.ResolvedVia)
	return query.Relocate(r, text), via, err
}

// stamp adds mlbuild's own table to uv's lock: what it answers, who requires what, and what looking into the wheels showed.
func (u UV) stamp(ctx context.Context, q UVQuery, in query.ResolveInputs, a answer) ([]byte, *pylock.Lock, error) {
	r := q.Recipe
	tool := pylock.Tool{
		Inputs: r.Requires.Inputs, Python: r.Python.Version, Platforms: q.Platforms,
		Torch: r.Requires.Torch, Base: a.inBase, Via: parseVia(string(a.via)),
	}
	plain, err := parseLock(r, a.text)
	if err != nil {
		return nil, nil, err
	}
	seen, err := u.inspect(ctx, q, in, plain)
	if err != nil {
		return nil, nil, err
	}
	tool.Overlaps, tool.Sizes = seen.Overlaps, missingSizes(plain, seen.Sizes)
	tool.Startup, tool.Flaws, tool.Refused = judged(plain, seen)
	tool.Pruning, tool.Pruned = r.Prune.Key(), query.Pruned(r.Prune, seen.Files)
	stamped, err := pylock.Stamp(a.text, tool)
	if err != nil {
		return nil, nil, err
	}
	lock, err := parseLock(r, stamped)
	return stamped, lock, err
}

// inspect has the wheels of every platform looked into. A lock from which nothing can be chosen is not looked into: that is said where the
// wheels are wanted.
func (u UV) inspect(ctx context.Context, q UVQuery, in query.ResolveInputs, lock *pylock.Lock) (seen query.Inspected, err error) {
	wheels, err := lock.Select(targetOf(q.Recipe, q.Glibc, q.Python))
	wheels = slices.DeleteFunc(wheels, func(w pylock.Wheel) bool { return w.URL == "" }) // what is built, or a file of the project
	if err != nil || len(wheels) == 0 {
		return seen, nil //nolint:nilerr // as the comment says
	}
	in.Nonce = q.Nonce
	def, err := query.Inspection(q.Recipe, wheels, in)
	if err != nil {
		return seen, err
	}
	data, err := u.Read(ctx, def, q.Recipe.Profile, "the result of the inspection", query.InspectionReport)
	if err != nil {
		return seen, err
	}
	if err := json.Unmarshal(data, &seen); err != nil {
		return seen, fmt.Errorf("the report of the inspection: %w", err)
	}
	return seen, nil
}

// Metadata is what the wheels of a lock say of themselves. What could not be learnt is missing.
type Metadata struct {
	Requires map[string][]string // package → its requirements (Requires-Dist)
	Unpacked map[string]int64    // package → bytes of its files, without the wheel's own metadata
}

// Metadata has the wheels of a lock looked into where they lie, at their indexes; whole are the packages whose files are counted, normalized. What is built from source, and
// files of the project, are not looked into. Errors are those of a look-up of the tool image and of the step that looks.
func (u UV) Metadata(ctx context.Context, r *recipe.Recipe, lock *pylock.Lock, whole []string) (Metadata, error) {
	found := Metadata{Unpacked: map[string]int64{}}
	wheels, err := lock.Select(targetOf(r, "", ""))
	wheels = slices.DeleteFunc(wheels, func(w pylock.Wheel) bool { return w.URL == "" })
	if err != nil || len(wheels) == 0 {
		return found, nil //nolint:nilerr // a lock from which nothing can be chosen is told where the wheels are wanted
	}
	tool, err := u.ImageOf(ctx, r.Tool, u.Worker)
	if err != nil {
		return found, err
	}
	def, err := query.Inspection(r, wheels, query.ResolveInputs{Tool: tool, Worker: u.Worker, Network: u.Network, NoCache: u.NoCache, Requires: true, List: whole})
	if err != nil {
		return found, err
	}
	data, err := u.Read(ctx, def, r.Profile, "the requirements of the wheels", query.InspectionReport)
	if err != nil {
		return found, err
	}
	var seen query.Inspected
	if err := json.Unmarshal(data, &seen); err != nil {
		return found, fmt.Errorf("the report of the inspection: %w", err)
	}
	found.Requires = seen.Requires
	for _, w := range wheels {
		for _, n := range seen.Files[w.SHA256] {
			found.Unpacked[w.Name] += n
		}
	}
	return found, nil
}

// missingSizes keeps the sizes that the lock does not say itself.
func missingSizes(lock *pylock.Lock, found map[string]int64) map[string]int64 {
	missing := map[string]int64{}
	for _, p := range lock.Packages {
		for _, w := range p.Wheels {
			if n := found[w.SHA256]; w.Size == 0 && n > 0 {
				missing[w.SHA256] = n
			}
		}
	}
	return missing
}

// parseVia reads uv's "# via" comments: package → who requires it. Lines that name files are left out.
func parseVia(text string) map[string][]string {
	via, name := map[string][]string{}, ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		reason, comment := strings.CutPrefix(line, "#")
		if !comment {
			name, _, _ = strings.Cut(line, "==")
			name = pypi.Normalize(strings.TrimSpace(strings.Split(name, " ")[0]))
			continue
		}
		reason = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(reason), "via"))
		if reason == "" || name == "" || strings.HasPrefix(reason, "-") || strings.ContainsAny(reason, " (/") {
			continue
		}
		via[name] = append(via[name], pypi.Normalize(reason))
	}
	for _, who := range via {
		slices.Sort(who)
	}
	return via
}
