package llb

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/syslock"
)

// SystemAnswer is the file of the result of SystemResolution, for ParseSystemAnswer.
const SystemAnswer = "/answer"

//go:embed aptsetup.sh
var aptSetupScript string

//go:embed aptresolve.sh
var aptResolveScript string

//go:embed aptbare.sh
var aptBareScript string

// SystemInputs is what a resolution of system packages needs beside the recipe.
type SystemInputs struct {
	Base     Base              // of the recipe's platform; apt runs on it
	Tool     Base              // of Worker: apt runs on it for a base of packages, which has none
	Worker   ocispecs.Platform // the daemon's own
	Platform ocispecs.Platform // the recipe's
	Previous []syslock.Package // versions that are kept where the repositories still have them
	Nonce    string            // differs = ask the repositories again; "" = an equal earlier answer will do
	Network  Network
	NoCache  Stages
}

// SystemResolution compiles the step in which apt says which packages the recipe's system packages bring: the base's own, or for a base of packages that
// of the tool image, which then answers for an empty system of the base's release and architecture. Nothing is installed. Its result holds SystemAnswer.
func SystemResolution(r *recipe.Recipe, in SystemInputs) (*pb.Definition, error) {
	s := stage{id: "resolve-system", title: "resolve", noCache: in.NoCache}
	from, runs, script, files := in.Base, in.Platform, aptResolveScript, map[string]string(nil)
	if in.Base.Bare {
		from, runs, script, files = in.Tool, in.Worker, aptBareScript+script, bareFiles(r, in.Platform)
	}
	opts := []bkllb.RunOption{
		bkllb.Args(append([]string{"/bin/sh", "-eu", aptScriptPath}, r.System...)),
		aptCache("/var/lib/apt/lists", in.Base, in.Platform),
		bkllb.AddMount("/tmp", bkllb.Scratch(), bkllb.Tmpfs()),
		bkllb.AddEnv("MLBUILD_NONCE", in.Nonce),
		bkllb.Platform(runs), s.named("apt: resolve the system packages of %s", r.Profile),
	}
	opts = append(opts, aptOptions(script, r.Apt, in.Previous, files, s)...)
	opts = append(opts, in.Network.options(aptCA)...)
	out := baseToRead(from, runs).Run(opts...).AddMount("/out", bkllb.Scratch())
	def, err := out.Marshal(context.Background(), bkllb.Platform(in.Platform))
	if err != nil {
		return nil, fmt.Errorf("marshal the resolution of the system packages of %s: %w", r.Profile, err)
	}
	return def.ToPB(), nil
}

// aptCache mounts one of apt's directories as a cache: one for each distribution and platform, locked because apt cannot share it.
func aptCache(dir string, base Base, p ocispecs.Platform) bkllb.RunOption {
	id := path.Join("mlbuild/apt", base.distro(), p.OS+"-"+p.Architecture, path.Base(dir))
	return bkllb.AddMount(dir, bkllb.Scratch(), bkllb.AsPersistentCacheDir(id, bkllb.CacheMountLocked))
}

// aptScriptPath is where a step finds the script that aptOptions gives it. As an argument it would stand in every message about the step.
const aptScriptPath = "/run/mlbuild/apt/run.sh"

// aptOptions mounts a script at aptScriptPath, with aptSetupScript before it, and what that one reads: the project's repositories and their keys, the
// snapshot, versions to prefer, and more files. The step also needs a tmpfs at /tmp.
func aptOptions(script string, a recipe.Apt, previous []syslock.Package, more map[string]string, s stage) []bkllb.RunOption {
	files := (dirTable{}).mkdirs()
	write := func(name, data string) {
		if data != "" {
			files.mkfile(name, data)
		}
	}
	write("/run.sh", aptSetupScript+script)
	write("/mlbuild.sources", aptSources(a))
	write("/preferences", aptPreferences(previous))
	if a.Snapshot != nil {
		write("/snapshot", a.Snapshot.URL+"\n"+a.Snapshot.Date+"\n")
	}
	for _, name := range slices.Sorted(maps.Keys(more)) {
		write(name, more[name])
	}
	opts := []bkllb.RunOption{bkllb.AddMount("/run/mlbuild/apt", bkllb.Scratch().File(files.last, s.named("what apt is asked")), bkllb.Readonly)}
	for i, repo := range a.Repositories {
		if repo.Key != nil {
			opts = append(opts, bkllb.AddMount(fmt.Sprintf("/run/mlbuild/key-%d", i), keyState(repo, s), bkllb.Readonly))
		}
	}
	return opts
}

// keyState holds a repository's key as the file /key.
func keyState(repo recipe.Repository, s stage) bkllb.State {
	if repo.Key.URL == "" {
		return bkllb.Scratch().File(bkllb.Mkfile("/key", 0o644, repo.Key.Data), s.named("key of %s", repo.URL))
	}
	return bkllb.HTTP(repo.Key.URL, bkllb.Filename("key"), bkllb.Chmod(0o644),
		bkllb.Checksum(digest.NewDigestFromEncoded(digest.SHA256, repo.Key.SHA256)), s.named("key of %s", repo.URL))
}

// bareFiles tell apt of a system that it is not on: its release, its architecture, and which packages it has.
func bareFiles(r *recipe.Recipe, p ocispecs.Platform) map[string]string {
	files := map[string]string{"/suite": r.Base.Suite, "/architecture": p.Architecture, "/status": bareStatus(r.System, p.Architecture)}
	if r.Apt.Only {
		files["/only"] = "1"
	}
	return files
}

// debianKeyring is where Debian and its derivatives keep the keys of Debian's archive.
const debianKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// aptSources are the repositories in the form of sources.list(5), deb822. The script puts the paths of the keys in. Where they are all that there is, and
// no key is given, Debian's own vouch for them.
func aptSources(a recipe.Apt) string {
	stanzas := make([]string, len(a.Repositories))
	for i, r := range a.Repositories {
		stanzas[i] = fmt.Sprintf("Types: deb\nURIs: %s\nSuites: %s\n", r.URL, r.Suite)
		if len(r.Components) > 0 {
			stanzas[i] += "Components: " + strings.Join(r.Components, " ") + "\n"
		}
		switch {
		case r.Key != nil:
			stanzas[i] += fmt.Sprintf("Signed-By: @key-%d@\n", i)
		case a.Only:
			stanzas[i] += "Signed-By: " + debianKeyring + "\n"
		}
	}
	return strings.Join(stanzas, "\n")
}

// aptPreferences lets apt prefer versions as long as a repository has them (apt_preferences(5)): from 990 on a version wins over a newer one,
// below 1001 over none that is installed.
func aptPreferences(packages []syslock.Package) string {
	sorted := slices.SortedFunc(slices.Values(packages), func(a, b syslock.Package) int { return strings.Compare(a.Name, b.Name) })
	var b strings.Builder
	for _, p := range sorted {
		fmt.Fprintf(&b, "Package: %s\nPin: version %s\nPin-Priority: 995\n\n", p.Name, p.Version)
	}
	return b.String()
}
