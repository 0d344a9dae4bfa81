package frontend

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// The build arguments that say what flags of mlbuild build say. No project can declare arguments of these names: theirs go to the project.
const (
	argProfile = "MLBUILD_PROFILE" // --profile, one
	argChecks  = "MLBUILD_CHECKS"  // --checks
	argLocked  = "MLBUILD_LOCKED"  // --locked
	argCA      = "MLBUILD_CA"      // the secret ops.CASecret is given: --ca-cert
	argPython  = "MLBUILD_PYTHON"  // --python
	argBase    = "MLBUILD_BASE"    // --base

	argKnownHosts = "MLBUILD_KNOWN_HOSTS" // lines of known_hosts(5), for packages from git by ssh

	argEpoch = "SOURCE_DATE_EPOCH" // docker buildx passes it on by itself
)

// proxyArgs are docker's own arguments, which no project declares.
var proxyArgs = []string{"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"}

// options are what a client asks of a frontend, in the form that BuildKit's library for frontends reads them.
type options struct {
	Args      map[string]string // build arguments
	Labels    map[string]string
	Platforms []string // none = the project says it
	Target    string
	NoCache   ops.NoCache
	CacheFrom []builder.Cache
	Epoch     *time.Time // of the commit that the context is; nil = not known
	Revision  string     // of the commit that the context is, as the client says it; "" = not known
	Source    string     // URL of its repository
}

// own takes the arguments that are the frontend's, or docker's, from those that are the project's.
func (o options) own() (own, project map[string]string) {
	own, project = map[string]string{}, maps.Clone(o.Args)
	for name, value := range o.Args {
		upper := strings.ToUpper(name)
		if strings.HasPrefix(name, "MLBUILD_") || strings.HasPrefix(name, "BUILDKIT_") || name == argEpoch || slices.Contains(proxyArgs, upper) {
			delete(project, name)
			own[name] = value
		}
	}
	return own, project
}

// request reads the options and the project's files, and decides the one profile that is built. All faults come at once.
func (o options) request(files fs.FS, project *profiles.Project) (builder.Request, error) {
	var faults fault.List
	collect := func(err error) { faults = append(faults, fault.All(err)...) }
	own, args := o.own()
	collect(known(own))
	req := builder.Request{Target: o.Target, NoCache: o.NoCache, CacheFrom: o.CacheFrom, Proxy: proxyOf(own), KnownHosts: own[argKnownHosts]}
	req.SSH = []builder.SSH{{ID: "default"}} // whether the client has an agent shows where a step asks for it
	collect(checkTarget(o.Target))
	collect(checkStages(o.NoCache))
	var err error
	req.Epoch, err = o.epoch(own[argEpoch])
	collect(err)
	req.Locked, err = yes(argLocked, own[argLocked])
	collect(err)
	ca, err := yes(argCA, own[argCA])
	collect(err)
	if ca {
		req.CA = []byte{} // its value is the client's
	}
	req.Checks, err = checks(own[argChecks])
	collect(err)
	v, err := o.variant(project, own, args, req.Epoch)
	collect(err)
	req.Variants = []builder.Variant{v}
	collect(readLocks(files, &req))
	return req, faults.Err()
}

// variant decides the profile on every platform.
func (o options) variant(project *profiles.Project, own, args map[string]string, epoch time.Time) (builder.Variant, error) {
	v := builder.Variant{Profile: own[argProfile]}
	if v.Profile == "" {
		v.Profile = "cpu"
	}
	sel := profiles.Selection{
		Profile: v.Profile, Target: recipe.Stage(o.Target), Args: args, Labels: o.Labels, Python: own[argPython], Base: own[argBase],
		Origin: profiles.Origin{Revision: o.Revision, Source: o.Source},
	}
	if epoch.Unix() > 0 {
		sel.Origin.Created = epoch.Format(time.RFC3339)
	}
	all := o.Platforms
	if len(all) == 0 {
		all = []string{""}
	}
	var faults fault.List
	for _, sel.Platform = range all {
		r, err := project.Resolve(sel)
		if err != nil {
			faults = append(faults, fault.All(err)...)
			continue
		}
		v.Recipes = append(v.Recipes, r)
	}
	return v, faults.Err()
}

// epoch is the image's creation time: the argument, else the commit's, else 0.
func (o options) epoch(text string) (time.Time, error) {
	switch {
	case text == "" && o.Epoch != nil:
		return o.Epoch.UTC(), nil
	case text == "":
		return time.Unix(0, 0).UTC(), nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return time.Time{}, fault.New(fault.Usage, "%s is %q, not a number of seconds since 1970", argEpoch, text)
	}
	return time.Unix(n, 0).UTC(), nil
}

// known refuses arguments that look like the frontend's and are not.
func known(own map[string]string) error {
	names := []string{argBase, argCA, argChecks, argKnownHosts, argLocked, argProfile, argPython}
	var faults fault.List
	for _, name := range slices.Sorted(maps.Keys(own)) {
		if strings.HasPrefix(name, "MLBUILD_") && !slices.Contains(names, name) {
			faults = append(faults, fault.New(fault.Usage, "the frontend has no build argument %s", name).Hint("it has: %s", strings.Join(names, ", ")))
		}
	}
	return faults.Err()
}

// yes reads an argument that is a switch.
func yes(name, text string) (bool, error) {
	if text == "" {
		return false, nil
	}
	v, err := strconv.ParseBool(text)
	if err != nil {
		return false, fault.New(fault.Usage, "the build argument %s is %q, neither 1 nor 0", name, text)
	}
	return v, nil
}

func checks(text string) (builder.Checks, error) {
	all := []builder.Checks{builder.CheckAll, builder.CheckPackages, builder.CheckNothing}
	if text == "" || slices.Contains(all, builder.Checks(text)) {
		return builder.Checks(text), nil
	}
	return "", fault.New(fault.Usage, "the build argument %s is %q", argChecks, text).Hint("it is one of: %s", strings.Join(recipe.Texts(all), ", "))
}

// checkTarget refuses a stage that is none, or that ends in no image.
func checkTarget(target string) error {
	switch {
	case target == "":
		return nil
	case !slices.Contains(recipe.Stages, recipe.Stage(target)):
		return fault.New(fault.Spec, "there is no stage %q", target).Hint("the stages are: %s", strings.Join(recipe.Texts(recipe.Stages), ", "))
	case recipe.Stage(target) == recipe.StageTesting:
		return fault.New(fault.Usage, "the stage testing runs the tests and brings their reports back, which a frontend cannot").Hint("run them with: mlbuild test")
	}
	return nil
}

// checkStages refuses stages whose steps cannot run again, because there are none.
func checkStages(stages ops.NoCache) error {
	var faults fault.List
	for _, s := range stages {
		if names := ops.NoCacheNames(); s != ops.NoCacheAll[0] && !slices.Contains(names, s) {
			faults = append(faults, fault.New(fault.Usage, "--no-cache: no step belongs to a stage %q", s).Hint("the stages are: %s", strings.Join(names, ", ")))
		}
	}
	return faults.Err()
}

// proxyOf returns docker's arguments of proxies, which it has in both cases of letters.
func proxyOf(own map[string]string) ops.Proxy {
	get := func(name string) string {
		if v, ok := own[name]; ok {
			return v
		}
		return own[strings.ToLower(name)]
	}
	return ops.Proxy{HTTP: get("HTTP_PROXY"), HTTPS: get("HTTPS_PROXY"), FTP: get("FTP_PROXY"), No: get("NO_PROXY"), All: get("ALL_PROXY")}
}

// readLocks reads mlbuild.lock and the locks of the variant, where there are some.
func readLocks(files fs.FS, req *builder.Request) error {
	var faults fault.List
	read := func(path string) []byte {
		data, err := fs.ReadFile(files, path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			faults = append(faults, fault.New(fault.Lock, "the lock cannot be read: %w", err).In(fault.Position{File: path}))
		}
		return data
	}
	req.BuildLock = read(buildlock.FileName)
	v := &req.Variants[0]
	if len(v.Recipes) == 0 {
		return faults.Err()
	}
	r := v.Recipes[0]
	v.Lock, v.StageLocks = read(r.Requires.Lock), map[string][]byte{}
	if r.Testing != nil {
		v.StageLocks[string(recipe.StageTesting)] = read(r.Testing.Requires.Lock)
	}
	if r.Dev != nil {
		v.StageLocks[string(recipe.StageDev)] = read(r.Dev.Requires.Lock)
	}
	return faults.Err()
}
