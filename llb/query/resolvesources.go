package query

import (
	"bytes"
	"cmp"
	"net/url"
	"path"
	"slices"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// Files beside uv's pyproject.toml.
const (
	packagesFile = "packages.txt" // requirements of the project file that a pyproject.toml cannot hold
	buildFile    = "build.txt"    // the packages that are to be built from source, and those that may not be, as options
	hostsFile    = "known_hosts"
	localDir     = recipe.LocalDir // the project's files that are requirements, under their own paths
	aboveDir     = recipe.AboveDir // those of its workspace above
)

// pathInLock is how uv, run below /src, writes the place of a file or directory of the project into a lock in /out: as a path, or as a URL if it was found in a
// directory of wheels.
var pathInLock = lazyregexp.New(`(?:path = "\.\./src(?:/([^"]*))?|url = "file:///src/([^"]*))"`)

// Relocate returns the paths of a lock as they are seen from the project's directory, where it is kept, and leaves out versions that nobody knows.
func Relocate(r *recipe.Recipe, lock []byte) []byte {
	lock = bytes.ReplaceAll(lock, []byte("\nversion = \""+unknownVersion+"\"\n"), []byte("\n"))
	return pathInLock.ReplaceAllFunc(lock, func(found []byte) []byte {
		m := pathInLock.FindSubmatch(found)
		p := string(m[1])
		if file, err := url.PathUnescape(string(m[2])); err == nil && file != "" {
			p = file
		}
		p, ok := fromStep(r, p)
		if !ok {
			return found
		}
		return []byte(`path = "` + p + `"`)
	})
}

// fromStep is the path, seen from the project's directory, of what uv sees below /src; ok is false for what is no file of the project.
func fromStep(r *recipe.Recipe, name string) (p string, ok bool) {
	switch {
	case r.Requires.UV != nil:
		return r.Above.FromRoot(path.Join(".", name)), true
	case name == aboveDir || strings.HasPrefix(name, aboveDir+"/"):
		return r.Above.FromRoot(path.Join(".", strings.TrimPrefix(name, aboveDir))), r.Above != nil
	case name == localDir || strings.HasPrefix(name, localDir+"/"):
		return cmp.Or(strings.TrimPrefix(strings.TrimPrefix(name, localDir), "/"), "."), true
	}
	return "", false
}

// named are the packages of the project file as uv reads them, but for those that only a requirements file can hold.
func named(r *recipe.Recipe, loose []string) []string { return packages(r, true, loose) }

// unnamed are the packages that begin with no name, or give a path for it: only a requirements file can hold them.
func unnamed(r *recipe.Recipe) []string { return packages(r, false, nil) }

func packages(r *recipe.Recipe, named bool, loose []string) []string {
	list := []string{}
	for i, text := range r.Requires.Packages {
		l := r.Requires.PackageLines[i]
		if named == (l.Required.Name != "" && !l.Required.IsLocal()) {
			list = append(list, rewritten(text, []pypi.Line{l}, r.Requires.Rename, loose...))
		}
	}
	return list
}

// sourceFiles are the files that uv needs only where something is no wheel of an index.
func (in ResolveInputs) sourceFiles(r *recipe.Recipe) []recipe.File {
	var files []recipe.File
	if packages := unnamed(r); len(packages) > 0 {
		files = append(files, recipe.File{Path: packagesFile, Data: strings.Join(packages, "\n") + "\n"})
	}
	if options := buildOptions(r); len(options) > 0 {
		files = append(files, recipe.File{Path: buildFile, Data: strings.Join(options, "\n") + "\n"})
	}
	if len(SSHServers(r)) > 0 {
		files = append(files, recipe.File{Path: hostsFile, Data: in.Hosts})
	}
	inside, above := localPaths(r)
	if len(inside) > 0 {
		files = append(files, recipe.File{Path: localDir + "/empty"}) // something to mount on
	}
	if len(above) > 0 {
		files = append(files, recipe.File{Path: aboveDir + "/empty"})
	}
	return files
}

// buildOptions are uv's options that say which packages are to be built from source and which may not be, one a line.
func buildOptions(r *recipe.Recipe) []string {
	var options []string
	for _, name := range r.Requires.Source {
		options = append(options, pypi.NoBinary+" "+name)
	}
	for _, name := range r.Requires.NeverBuilt() {
		options = append(options, pypi.OnlyBinary+" "+name)
	}
	return options
}

// sourceOptions are what the step needs for them: the files of the project, of which a build may write beside its sources, git's view of
// certificates, and the ssh agent.
func (in ResolveInputs) sourceOptions(r *recipe.Recipe, s ops.Group) []bkllb.RunOption {
	var opts []bkllb.RunOption
	inside, above := localPaths(r)
	if len(inside) > 0 {
		opts = append(opts, bkllb.AddMount("/src/"+localDir, ops.Settled(ops.LocalFiles(inside, r, in.Session, s), s), bkllb.ForceNoOutput))
	}
	if len(above) > 0 {
		opts = append(opts, bkllb.AddMount("/src/"+aboveDir, ops.Settled(ops.AboveFiles(above, r, in.Session, s), s), bkllb.ForceNoOutput))
	}
	opts = append(opts, versionOptions(r.Requires.Local, in.Tagged)...)
	if UsesGit(r) && in.Network.CA {
		opts = append(opts, bkllb.AddEnv("GIT_SSL_CAINFO", ops.CAPath))
	}
	if len(SSHServers(r)) > 0 {
		opts = append(opts, bkllb.AddSSHSocket(bkllb.SSHID("default")),
			bkllb.AddEnv("GIT_SSH_COMMAND", "ssh -o StrictHostKeyChecking=yes -o UserKnownHostsFile=/src/"+hostsFile))
	}
	return opts
}

// localPaths are the packages in the project's own files, and those of its workspace above as they are seen from its root.
func localPaths(r *recipe.Recipe) (inside, above []string) {
	for _, l := range r.Requires.Local {
		if p, up := r.Above.InRoot(l.Path); up {
			above = append(above, p)
		} else {
			inside = append(inside, p)
		}
	}
	return inside, above
}

// versionOptions tells the tools that read a version off git's tags what they would read: the history is not there.
func versionOptions(packages []recipe.LocalSource, tagged pypi.Tagged) []bkllb.RunOption {
	var opts []bkllb.RunOption
	for _, p := range packages {
		version := p.TaggedVersion(tagged)
		if !p.Git || version == "" {
			continue
		}
		if p.Name != "" {
			opts = append(opts, bkllb.AddEnv(ops.PretendVariable(p.Name), version))
		}
		if slices.ContainsFunc(p.Meta, func(f recipe.File) bool { return strings.Contains(f.Data, "[tool.pdm.version]") }) {
			opts = append(opts, bkllb.AddEnv("PDM_BUILD_SCM_VERSION", version))
		}
		if p.Tags != nil {
			opts = append(opts, bkllb.AddEnv("POETRY_DYNAMIC_VERSIONING_BYPASS", version), bkllb.AddEnv("UV_DYNAMIC_VERSIONING_BYPASS", version))
		}
	}
	return opts
}

// UsesGit reports whether uv may have to ask a git repository.
func UsesGit(r *recipe.Recipe) bool { return len(gitRepos(r)) > 0 }

// SSHServers lists the git servers that uv has to ask by ssh, sorted, as known_hosts(5) names them.
func SSHServers(r *recipe.Recipe) []string {
	var servers []string
	for _, repo := range gitRepos(r) {
		if address, ok := strings.CutPrefix(repo, "ssh://"); ok {
			server, _, _ := strings.Cut(address, "/")
			servers = append(servers, ops.ServerName(server[strings.LastIndexByte(server, '@')+1:]))
		}
	}
	slices.Sort(servers)
	return slices.Compact(servers)
}

// gitRepos are the repositories that uv may need; none where a lock of its own says all.
func gitRepos(r *recipe.Recipe) []string {
	if r.Requires.UV != nil {
		return nil
	}
	return r.Requires.GitRepos()
}

// withGit is an image with git, where a requirement needs it.
func (in ResolveInputs) withGit(tool bkllb.State, image ops.Base, r *recipe.Recipe, s ops.Group) bkllb.State {
	if !UsesGit(r) {
		return tool
	}
	packages := []string{"ca-certificates", "git"}
	if len(SSHServers(r)) > 0 {
		packages = append(packages, "openssh-client")
	}
	return ops.AptInstalled(tool, packages, recipe.Apt{}, image, in.Network, in.Worker, s)
}
