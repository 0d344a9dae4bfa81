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
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// maxPasses bounds the resolutions of one lock: each pass may find bound packages that the one before did not know of.
const maxPasses = 5

// usableLock reads the variant's lock and tells whether it answers today's inputs. A lock that is stale or missing is a fault.LockStale under
// --locked, else a note. A lock that another tool wrote has no hash of the inputs: it is used as it is.
func usableLock(req Request, v Variant) (*pylock.Lock, error) {
	r := v.Recipes[0]
	if v.Lock == nil {
		if req.Locked && r.Requires.UV == nil {
			return nil, fault.New(fault.LockStale, "profile %s has no lock, and --locked forbids to resolve", v.Profile).
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

// askUV resolves in the tool image and gives the stamped lock. It asks again while the answer holds packages that are bound to an index and
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
		Tool: tool, Worker: b.worker, Platforms: q.platforms, Glibc: q.glibc, Direct: query.Named(q.recipe),
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
		return nil, nil, b.explainResolve(r, err)
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
		return seen, b.explain(q.recipe.Profile, err)
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

// explainResolve turns uv's own words into a fault.
func (b *build) explainResolve(r *recipe.Recipe, err error) error {
	said := strings.TrimSpace(b.logs(r.Profile).failed(err))
	switch {
	case said == "":
		return b.explain(r.Profile, err)
	case strings.Contains(said, "was filtered by `exclude-newer`"):
		return fault.New(fault.Cooldown, "the requirements of profile %s cannot be resolved with versions that were published before python.cooldown, %s:\n%s", r.Profile, r.Requires.Cooldown, said).
			Hint("wait, ask for an older version, or take the package out, with a reason: python: {cooldown_except: {name: \"why\"}}").
			Hint("an index that does not say when its files were published needs the same for its packages")
	case strings.Contains(said, "Failed to extract archive"):
		return fault.New(fault.Sdist, "the source archive of a package cannot be unpacked:\n%s", said).
			Hint("ask for a version that has a wheel, or whose archive is whole")
	case uvCannotBuild.MatchString(said):
		return fault.New(fault.Sdist, "a package is to be built from source, and its build does not say what it needs:\n%s", said).
			Hint("python: {build: {name: {depends: [what, it, needs]}}} says it in its place").
			Hint("or ask for a version that has a wheel")
	case strings.Contains(said, "no usable wheels"), strings.Contains(said, "--no-build"):
		return fault.New(fault.Sdist, "a package has neither a wheel for Python %s on %s nor a source that can be built:\n%s",
			r.Python.Version, r.Platform, said).Hint("ask for a version that has a wheel")
	case uvGit.MatchString(said):
		return fault.New(fault.Download, "a git repository cannot be fetched:\n%s", said).
			Hint("check its URL, and that the branch, tag or commit exists").
			Hint("a private repository is reached by ssh: git+ssh://git@host/…, and --ssh default")
	case strings.Contains(said, "UnknownIssuer"), strings.Contains(said, "invalid peer certificate"), strings.Contains(said, "CERTIFICATE_VERIFY_FAILED"):
		return fault.New(fault.CA, "the package index shows a certificate that nobody vouches for:\n%s", said).
			Hint("behind a company's proxy, pass its CA: --ca-cert FILE")
	case uvRefused.MatchString(said):
		return fault.New(fault.Index, "an index wants other credentials:\n%s", said).
			Hint("give the index a secret: in mlbuild.yaml, and with --secret id=…")
	case strings.Contains(said, "error sending request"), strings.Contains(said, "timed out"), strings.Contains(said, "dns error"):
		return fault.New(fault.Index, "an index does not answer:\n%s", said).
			Hint("check its URL, and that the daemon can reach it").Retryable()
	case uvServerError.MatchString(said):
		return fault.New(fault.Index, "an index is in trouble:\n%s", said).Hint("run the same command again later").Retryable()
	}
	if f := noWheel(r, said); f != nil {
		return f
	}
	return fault.New(fault.Resolve, "the requirements of profile %s cannot be resolved:\n%s", r.Profile, said).
		Hint("change the requirements that uv names, or add the index that has the package: python.indexes in mlbuild.yaml")
}

// uvCannotBuild and uvGit are how uv says that a build failed to tell its requirements, and that git failed.
var (
	uvCannotBuild = lazyregexp.New(`Failed to build|build backend returned an error|Failed to generate package metadata`)
	uvGit         = lazyregexp.New(`Git operation failed|failed to (fetch|clone) `)
)

// uvRefused and uvServerError are how uv words what an index answers.
var (
	uvRefused     = lazyregexp.New(`\b(401 Unauthorized|403 Forbidden)\b`)
	uvServerError = lazyregexp.New(`HTTP status server error|\b429 Too Many Requests\b`)
)

// uvNoWheel and uvPlatforms are how uv says that a package's wheels are for another Python or platform, and for which.
var (
	uvNoWheel   = lazyregexp.New(`no wheels? with a matching (Python|platform)`)
	uvPlatforms = lazyregexp.New("on the following platforms?: (.*)")
)

// noWheel is the fault of requirements that fail for wheels of another Python, another platform or a newer glibc.
func noWheel(r *recipe.Recipe, said string) *fault.Fault {
	if !uvNoWheel.MatchString(said) {
		return nil
	}
	arch := "_x86_64"
	if strings.HasPrefix(r.Platform, "linux/arm64") {
		arch = "_aarch64"
	}
	if m := uvPlatforms.FindStringSubmatch(said); m != nil && strings.Contains(m[1], "manylinux") && strings.Contains(m[1], arch) {
		return fault.New(fault.ABI, "a package has only wheels for a newer glibc than the base image %s has:\n%s", r.Base.Ref, said).
			Hint("use a base image with a newer glibc (Debian 12 has 2.36, Debian 13 has 2.41), or ask for an older version of the package")
	}
	return fault.New(fault.Wheel, "a package has no wheel for Python %s on %s:\n%s", r.Python.Version, r.Platform, said).
		Hint("ask for a version that has one, or set python.version to a Python that it has wheels for")
}
