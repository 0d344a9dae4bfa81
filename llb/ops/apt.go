package ops

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/scripts"
	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// AptCache mounts one of apt's directories as a cache: one for each distribution and platform, locked because apt cannot share it.
func AptCache(dir string, base Base, p ocispecs.Platform) bkllb.RunOption {
	id := path.Join("mlbuild/apt", base.CacheName(), p.OS+"-"+p.Architecture, path.Base(dir))
	return bkllb.AddMount(dir, bkllb.Scratch(), bkllb.AsPersistentCacheDir(id, bkllb.CacheMountLocked))
}

// AptScriptPath is where a step finds the script that aptOptions gives it. As an argument it would stand in every message about the step.
const AptScriptPath = "/run/mlbuild/apt/run.sh"

// AptOptions mounts a script at aptScriptPath, with scripts.AptSetup before it, and what that one reads: the project's repositories and their keys, the
// snapshot, versions to prefer, and more files. The step also needs a tmpfs at /tmp.
func AptOptions(script string, a recipe.Apt, previous []buildlock.Package, more map[string]string, s Group) []bkllb.RunOption {
	files := (DirTable{}).Mkdirs()
	write := func(name, data string) {
		if data != "" {
			files.Mkfile(name, data)
		}
	}
	write("/run.sh", scripts.AptSetup+script)
	write("/mlbuild.sources", AptSources(a))
	write("/preferences", aptPreferences(previous))
	if a.Snapshot != nil {
		write("/snapshot", a.Snapshot.URL+"\n"+a.Snapshot.Date+"\n")
	}
	for _, name := range slices.Sorted(maps.Keys(more)) {
		write(name, more[name])
	}
	opts := []bkllb.RunOption{bkllb.AddMount("/run/mlbuild/apt", bkllb.Scratch().File(files.Last, s.Named("what apt is asked")), bkllb.Readonly)}
	for i, repo := range a.Repositories {
		if repo.Key != nil {
			opts = append(opts, bkllb.AddMount(fmt.Sprintf("/run/mlbuild/key-%d", i), keyState(repo, s), bkllb.Readonly))
		}
	}
	return opts
}

// keyState holds a repository's key as the file /key.
func keyState(repo recipe.Repository, s Group) bkllb.State {
	if repo.Key.URL == "" {
		return bkllb.Scratch().File(bkllb.Mkfile("/key", 0o644, repo.Key.Data), s.Named("key of %s", repo.URL))
	}
	return bkllb.HTTP(repo.Key.URL, bkllb.Filename("key"), bkllb.Chmod(0o644),
		bkllb.Checksum(digest.NewDigestFromEncoded(digest.SHA256, repo.Key.SHA256)), s.Named("key of %s", repo.URL))
}

// DebianKeyring is where Debian and its derivatives keep the keys of Debian's archive.
const DebianKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// AptSources are the repositories in the form of sources.list(5), deb822. The script puts the paths of the keys in. Where they are all that there is, and
// no key is given, Debian's own vouch for them.
func AptSources(a recipe.Apt) string {
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
			stanzas[i] += "Signed-By: " + DebianKeyring + "\n"
		}
	}
	return strings.Join(stanzas, "\n")
}

// aptPreferences lets apt prefer versions as long as a repository has them (apt_preferences(5)): from 990 on a version wins over a newer one,
// below 1001 over none that is installed.
func aptPreferences(packages []buildlock.Package) string {
	sorted := slices.SortedFunc(slices.Values(packages), func(a, b buildlock.Package) int { return strings.Compare(a.Name, b.Name) })
	var b strings.Builder
	for _, p := range sorted {
		fmt.Fprintf(&b, "Package: %s\nPin: version %s\nPin-Priority: 995\n\n", p.Name, p.Version)
	}
	return b.String()
}

// AptInstalled is the base, made from image, with Debian packages that apt installed, as a step of stage s. Lists and archives are cache mounts; an empty file over docker-clean
// keeps the archives in the mount.
func AptInstalled(base bkllb.State, packages []string, a recipe.Apt, image Base, net Network, p ocispecs.Platform, s Group) bkllb.State {
	empty := bkllb.Scratch().File(bkllb.Mkfile("/empty", 0o644, nil), s.Named("keep downloaded packages"))
	opts := []bkllb.RunOption{
		DebconfAnswers(a),
		bkllb.Args(append([]string{"/bin/sh", "-eu", AptScriptPath}, packages...)),
		AptCache("/var/cache/apt", image, p), AptCache("/var/lib/apt/lists", image, p),
		bkllb.AddMount("/tmp", bkllb.Scratch(), bkllb.Tmpfs()),
		bkllb.AddMount("/etc/apt/apt.conf.d/docker-clean", empty, bkllb.SourcePath("/empty"), bkllb.Readonly),
		bkllb.Platform(p), s.Named("apt-get install %s", strings.Join(packages, " ")),
	}
	opts = append(opts, AptOptions(scripts.AptInstall+scripts.AptClean, a, nil, nil, s)...)
	return base.Run(append(opts, net.Options(AptCA)...)...).Root()
}

// DebconfAnswers hands the project's answers to a step in which dpkg configures packages. They are a variable of that step alone.
func DebconfAnswers(a recipe.Apt) bkllb.RunOption {
	if len(a.Debconf) == 0 {
		return bkllb.With(func(s bkllb.State) bkllb.State { return s })
	}
	return bkllb.AddEnv("MLBUILD_DEBCONF", strings.Join(a.Debconf, "\n"))
}

// CacheName keys the cache mounts; an unknown distribution has mounts of its own.
func (b Base) CacheName() string {
	if b.Distro != "" {
		return b.Distro
	}
	name, _, _ := strings.Cut(b.Ref, "@")
	return strings.NewReplacer("/", "_", ":", "_").Replace(name)
}
