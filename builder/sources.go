package builder

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/mlbuild/mlbuild/builder/session"
	"github.com/mlbuild/mlbuild/llb/wheelbuild"
	"github.com/mlbuild/mlbuild/profiles/compat"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/pylock"
	"github.com/mlbuild/mlbuild/profiles/pypi"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// target is what a recipe's wheels are picked for.
func target(r *recipe.Recipe, glibc string) pypi.Target {
	return pypi.Target{
		Python: r.Python.Version, Platform: r.Platform, Glibc: glibc, Source: r.Requires.Source,
		Extras: r.Requires.Extras, Groups: r.Requires.Groups,
	}
}

// sources adds the project itself where it is installed, and keeps what the lock says about packages that are built.
func (c *found) sources(lock *pylock.Lock) {
	if p := c.recipe.Builder.Project; p != nil {
		own := pylock.Wheel{Name: p.Name, Version: p.Version, Why: "it is the project itself", Source: &pylock.Source{Type: pylock.Directory, Path: p.Path}}
		c.wheels = append(slices.DeleteFunc(slices.Clone(c.wheels), func(w pylock.Wheel) bool { return w.Name == p.Name }), own)
	}
	if !wheelbuild.Any(c.wheels) {
		return
	}
	c.needs, c.asked = lock.Needs(), map[string]string{}
	for _, w := range c.wheels {
		if own := c.recipe.Builder.Project; w.Source != nil && (own == nil || w.Name != own.Name) {
			c.asked[w.Name] = askedBy(c.recipe, lock.PathTo(w.Name), w)
		}
	}
}

// askedBy says who requires a package, from the path that leads to it: "requirements.txt:3", "flash-attn (requirements.txt:2) → ninja".
func askedBy(r *recipe.Recipe, path []string, w pylock.Wheel) string {
	if len(path) < 2 {
		return cmp.Or(requirementOf(r, w), "the project")
	}
	first := path[0]
	if at := requirementOf(r, pylock.Wheel{Name: first}); at != "" {
		first += " (" + at + ")"
	}
	return strings.Join(append([]string{first}, path[1:len(path)-1]...), " → ")
}

// requirementOf says where the project asks for a package by its name or, if it lies in the project, its path; "" = nowhere that is known.
func requirementOf(r *recipe.Recipe, w pylock.Wheel) string {
	for _, a := range r.Requires.Wanted() {
		if a.Name != w.Name && (w.Source == nil || a.Path() == "" || a.Path() != w.Source.Path) {
			continue
		}
		switch p := r.Requires.Project; {
		case a.File == "":
			return "python.packages"
		case p == nil || a.File != p.File.Path:
			return fmt.Sprintf("%s:%d", a.File, a.Line)
		}
	}
	return ""
}

// sourceNotes names the packages that are compiled because an index has no wheel of them.
func sourceNotes(wheels []pylock.Wheel) []string {
	var notes []string
	for _, w := range wheels {
		if w.Source != nil && w.Source.Type == pylock.Archive && !w.Direct {
			notes = append(notes, fmt.Sprintf("%s is built from source: %s", w.Label(), w.Why))
		}
	}
	return notes
}

// fetched are the files that a build downloads: wheels, and source archives in the form of one.
func fetched(wheels []pylock.Wheel) []pylock.Wheel {
	var all []pylock.Wheel
	for _, w := range wheels {
		if s := w.Source; s != nil {
			w.Filename, w.URL, w.SHA256, w.Size = s.Name, s.URL, s.SHA256, s.Size
		}
		if w.URL != "" && w.SHA256 != "" {
			all = append(all, w)
		}
	}
	return all
}

// checkSources refuses what could not be built here, before anything is: programs of a platform that the daemon cannot run, and files of the project that are
// not those of the lock any more.
func (b *build) checkSources(c *found) error {
	wheels := slices.Concat(c.wheels, c.extra)
	if wheelbuild.Any(wheels) && !runsOn(b.daemon.Platforms, c.recipe.Platform) {
		return fault.New(fault.Platform, "profile %s on %s builds packages from source, and the daemon at %s runs only %v",
			c.recipe.Profile, c.recipe.Platform, b.daemon.Addr, b.daemon.Platforms).
			Hint("install the emulator on the daemon's machine: apt-get install qemu-user-static").
			Hint("or build this platform on a daemon of its kind: --addr")
	}
	var faults fault.List
	for _, w := range wheels {
		if server := wheelbuild.SSHServer(w); server != "" {
			faults = append(faults, b.checkSSH(w.Label()+" comes from "+w.Source.URL, server)...)
		}
		path, sum := w.Path, w.SHA256
		if w.Source != nil && w.Source.Type == pylock.Archive {
			path, sum = w.Source.Path, w.Source.SHA256
		}
		if path != "" {
			faults = append(faults, fault.All(b.checkFile(path, sum, c.recipe.Profile))...)
		}
	}
	return faults.Err()
}

// checkSSH tells what is missing to reach a git server by ssh. A plan fetches nothing, but names the server's key.
func (b *build) checkSSH(what, server string) fault.List {
	var faults fault.List
	if !b.purpose.plans && !slices.ContainsFunc(b.req.SSH, func(s session.SSH) bool { return s.ID == "default" }) {
		faults = append(faults, fault.New(fault.Secret, "%s, and no SSH agent was given", what).Hint("add --ssh default"))
	}
	if session.KnownHosts(b.req.KnownHosts, []string{server}) == "" {
		faults = append(faults, fault.New(fault.Secret, "%s, and ~/.ssh/known_hosts does not say which key %s has", what, server).
			Hint("connect to it once with ssh, and look at its key: ssh git@%s", server))
	}
	return faults
}

// serversOf lists the git servers that packages come from by ssh.
func serversOf(wheels []pylock.Wheel) []string {
	var servers []string
	for _, w := range wheels {
		if s := wheelbuild.SSHServer(w); s != "" {
			servers = append(servers, s)
		}
	}
	return servers
}

// checkFile holds a file of the project against the lock's sha256 (hex).
func (b *build) checkFile(path, sum, profile string) error {
	f, err := b.locals.Open(path)
	if err != nil {
		return fault.New(fault.Context, "a requirement is missing: %w", err).Hint("the lock names %s: put it there, or renew the lock: mlbuild lock --profile %s", path, profile)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return fault.New(fault.Context, "a requirement cannot be read: %w", err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != sum {
		return fault.New(fault.Digest, "%s is not the file that was locked: its sha256 is %s, the lock says %s", path, got, sum).
			Hint("renew the lock: mlbuild lock --profile %s", profile)
	}
	return nil
}

// lookupTools finds what the packages are built with, if any is.
func (b *build) lookupTools(ctx context.Context, gw gateway.Client, c *found) (t wheelbuild.Inputs, err error) {
	r := c.recipe
	wheels := slices.Concat(c.wheels, c.extra)
	if !wheelbuild.Any(wheels) {
		return t, nil
	}
	t = wheelbuild.Inputs{Needs: c.needs, Asked: c.asked, Glibc: c.glibc, Version: b.req.Version, Hosts: session.KnownHosts(b.req.KnownHosts, serversOf(wheels))}
	if t.Tool, err = lookupImage(ctx, gw, r.Tool, b.worker); err != nil {
		return t, err
	}
	if r.Accelerator.Kind != "cuda" || !slices.ContainsFunc(wheels, func(w pylock.Wheel) bool { return w.Source != nil && compiledWithCUDA(r, w.Name) }) {
		return t, nil
	}
	t.CUDA = cmp.Or(c.cuda, r.Accelerator.CUDA)
	image, _, _ := compat.CUDABuild(t.CUDA)
	if image == "" {
		return t, fault.New(fault.Cuda, "a package is to be compiled with CUDA %q, and the tables know no image with its toolkit", t.CUDA).
			Hint("name the version: accelerator: {cuda: \"12.6\"}")
	}
	p, err := parsePlatform(r.Platform)
	if err != nil {
		return t, err
	}
	t.Devel, err = lookupImage(ctx, gw, image, p)
	return t, err
}

func compiledWithCUDA(r *recipe.Recipe, name string) bool {
	return slices.ContainsFunc(r.Builder.Packages, func(p recipe.PackageBuild) bool { return p.Name == name && p.CUDA })
}
