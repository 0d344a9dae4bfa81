package builder

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/mlbuild/mlbuild/builder/session"
	"github.com/mlbuild/mlbuild/llb/query"
	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// maxPasses bounds the resolutions of one lock: each pass may find bound packages that the one before did not know of.
const maxPasses = 5

// usableLock reads the variant's lock and reports whether it answers today's inputs. A lock that is stale or missing is a fault.LockStale under
// --locked, else a note. A lock that another tool wrote has no hash of the inputs: it is used as it is.
func usableLock(req Request, v Variant) (*pylock.Lock, error) {
	r := v.Recipes[0]
	if v.Lock == nil {
		if req.Locked && r.Requires.UV == nil {
			return nil, fault.New(fault.LockStale, "profile %s has no lock, and --locked forbids resolving", v.Profile).
				In(fault.Position{File: r.Requires.Lock}).Hint("mlbuild lock --profile %s", v.Profile)
		}
		return nil, nil
	}
	lock, err := pylock.Parse(r.Requires.Lock, v.Lock)
	if err != nil {
		return nil, err
	}
	reason := staleReason(lock, v)
	if reason == "" {
		return lock, nil
	}
	if req.Locked {
		return nil, fault.New(fault.LockStale, "the lock does not fit the project any more: %s", reason).
			In(fault.Position{File: lock.Name}).Hint("mlbuild lock --profile %s", v.Profile)
	}
	req.note("%s is stale (%s) and not used; renew it with: mlbuild lock --profile %s", lock.Name, reason, v.Profile)
	return nil, nil
}

// staleReason says in words what changed since the lock was made, "" if nothing did.
func staleReason(lock *pylock.Lock, v Variant) string {
	r := v.Recipes[0]
	if lock.Tool.Inputs == "" || lock.Tool.Inputs == r.Requires.Inputs {
		return missingPlatform(lock, v)
	}
	var reasons []string
	if lock.Tool.Python != "" && lock.Tool.Python != r.Python.Version {
		reasons = append(reasons, fmt.Sprintf("it is for Python %s, the project wants %s", lock.Tool.Python, r.Python.Version))
	}
	if lock.Tool.Torch != r.Requires.Torch {
		reasons = append(reasons, fmt.Sprintf("torch came from index %q, now from %q", lock.Tool.Torch, r.Requires.Torch))
	}
	if missing := notLocked(lock, r); len(missing) > 0 {
		reasons = append(reasons, "it lacks "+strings.Join(missing, ", "))
	}
	if len(reasons) == 0 {
		reasons = []string{"the requirements changed"}
	}
	return strings.Join(reasons, "; ")
}

func missingPlatform(lock *pylock.Lock, v Variant) string {
	for _, p := range v.platforms() {
		if len(lock.Tool.Platforms) > 0 && !slices.Contains(lock.Tool.Platforms, p) {
			return fmt.Sprintf("it is for %s, not for %s", strings.Join(lock.Tool.Platforms, ", "), p)
		}
	}
	return ""
}

// notLocked lists the packages that the requirements name and the lock does not have.
func notLocked(lock *pylock.Lock, r *recipe.Recipe) []string {
	have := map[string]bool{}
	for _, p := range lock.Packages {
		have[p.Name] = true
	}
	return slices.DeleteFunc(query.Requested(r), func(name string) bool { return have[name] })
}

// asking is one question to uv.
type asking struct {
	recipe    *recipe.Recipe
	platforms []string
	glibc     string
	has       []compat.Package // packages of the base that count
	previous  string
	keep      string // constraints, one a line
	upgrade   []string
	nonce     string
}

// askUV resolves in the tool image and returns the stamped lock. It asks again while the answer holds packages that are bound to an index and
// were not asked for as such.
func (b *build) askUV(ctx context.Context, gw gateway.Client, q asking) ([]byte, *pylock.Lock, error) {
	servers := query.SSHServers(q.recipe)
	for _, server := range servers {
		if err := b.checkSSH("a requirement comes from git by ssh", server).Err(); err != nil {
			return nil, nil, err
		}
	}
	tool, err := lookupImage(ctx, gw, q.recipe.Tool, b.worker)
	if err != nil {
		return nil, nil, err
	}
	in := query.ResolveInputs{
		Tool: tool, Worker: b.worker, Platforms: q.platforms, Glibc: q.glibc, Direct: query.Named(q.recipe, q.platforms),
		Previous: q.previous, Keep: query.BaseConstraints(q.recipe, q.has) + q.keep, Upgrade: q.upgrade, Nonce: q.nonce, Network: b.network(), NoCache: b.req.NoCache,
		Session: b.session(b.locals), Version: b.req.Version, Hosts: session.KnownHosts(b.req.KnownHosts, servers),
	}
	bound := query.Bindings(q.recipe)
	for range maxPasses {
		text, via, err := b.resolveOnce(ctx, gw, q.recipe, in)
		if err != nil {
			return nil, nil, err
		}
		lock, err := pylock.Parse(q.recipe.Requires.Lock, text)
		if err != nil {
			return nil, nil, err
		}
		more := foundBound(lock, bound, in.Direct)
		if q.recipe.Requires.UV != nil {
			more = nil // uv's own lock binds them
		}
		if len(more) == 0 {
			return b.stamp(ctx, gw, q, in, text, via)
		}
		in.Direct = slices.Sorted(slices.Values(slices.Concat(in.Direct, more)))
	}
	return nil, nil, fault.New(fault.Resolve, "the resolution of profile %s does not settle: after %d passes packages bound to an index still appear",
		q.recipe.Profile, maxPasses).Hint("name these packages in the requirements yourself")
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
func (b *build) resolveOnce(ctx context.Context, gw gateway.Client, r *recipe.Recipe, in query.ResolveInputs) (text, via []byte, err error) {
	def, err := query.Resolution(r, in)
	if err != nil {
		return nil, nil, err
	}
	res, err := gw.Solve(ctx, gateway.SolveRequest{Definition: def, Evaluate: true})
	if err != nil {
		return nil, nil, b.failed(r.Profile).UV(r, err)
	}
	ref, err := res.SingleRef()
	if err != nil {
		return nil, nil, fmt.Errorf("the result of uv: %w", err)
	}
	if text, err = readFile(ctx, ref, query.ResolvedLock); err != nil {
		return nil, nil, err
	}
	via, err = readFile(ctx, ref, query.ResolvedVia)
	return query.Relocate(text), via, err
}

// readFile reads a file of a result in pieces, because one answer may hold at most 16 MiB.
func readFile(ctx context.Context, ref gateway.Reference, name string) ([]byte, error) {
	const piece = 8 << 20
	var all []byte
	for {
		part, err := ref.ReadFile(ctx, gateway.ReadRequest{Filename: name, Range: &gateway.FileRange{Offset: len(all), Length: piece}})
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		all = append(all, part...)
		if len(part) < piece {
			return all, nil
		}
	}
}

// stamp adds mlbuild's own table to uv's lock: what it answers, who requires what, and what looking into the wheels showed.
func (b *build) stamp(ctx context.Context, gw gateway.Client, q asking, in query.ResolveInputs, text, via []byte) ([]byte, *pylock.Lock, error) {
	r := q.recipe
	tool := pylock.Tool{
		Inputs: r.Requires.Inputs, Python: r.Python.Version, Platforms: q.platforms,
		Torch: r.Requires.Torch, Via: parseVia(string(via)),
	}
	plain, err := pylock.Parse(r.Requires.Lock, text)
	if err != nil {
		return nil, nil, err
	}
	seen, err := b.inspect(ctx, gw, q, in, plain)
	if err != nil {
		return nil, nil, err
	}
	tool.Overlaps, tool.Sizes = seen.Overlaps, missingSizes(plain, seen.Sizes)
	tool.Pruning, tool.Pruned = r.Prune.Key(), query.Pruned(r.Prune, seen.Files)
	stamped, err := pylock.Stamp(text, tool)
	if err != nil {
		return nil, nil, err
	}
	lock, err := pylock.Parse(r.Requires.Lock, stamped)
	return stamped, lock, err
}

// inspect has the wheels of every platform looked into. A lock from which nothing can be chosen is not looked into: that is said where the
// wheels are wanted.
func (b *build) inspect(ctx context.Context, gw gateway.Client, q asking, in query.ResolveInputs, lock *pylock.Lock) (seen query.Inspected, err error) {
	wheels, err := lock.Select(target(q.recipe, q.glibc))
	wheels = slices.DeleteFunc(wheels, func(w pylock.Wheel) bool { return w.URL == "" }) // what is built, or a file of the project
	if err != nil || len(wheels) == 0 {
		return seen, nil //nolint:nilerr // as the comment says
	}
	def, err := query.Inspection(q.recipe, wheels, in)
	if err != nil {
		return seen, err
	}
	res, err := gw.Solve(ctx, gateway.SolveRequest{Definition: def, Evaluate: true})
	if err != nil {
		return seen, b.failed(q.recipe.Profile).Explain(err)
	}
	ref, err := res.SingleRef()
	if err != nil {
		return seen, fmt.Errorf("the result of the inspection: %w", err)
	}
	data, err := readFile(ctx, ref, query.InspectionReport)
	if err != nil {
		return seen, err
	}
	if err := json.Unmarshal(data, &seen); err != nil {
		return seen, fmt.Errorf("the report of the inspection: %w", err)
	}
	return seen, nil
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
