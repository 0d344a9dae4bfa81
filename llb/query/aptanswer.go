package query

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/buildlock"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
)

// ParseSystemAnswer reads what the step of SystemResolution left in SystemAnswer. The system that it gives lacks what only the caller knows: Image,
// Digest, Platform, Profiles and Inputs. It fails with fault.LockHash for packages whose repository gives no sha256, and with fault.Resolve for
// what apt would not install from a repository.
func ParseSystemAnswer(asked []string, answer []byte) (buildlock.System, error) {
	s := buildlock.System{Asked: slices.Clone(asked)}
	sections := aptSections(string(answer))
	for _, name := range []string{"base", "os", "installed", "packages"} {
		if _, ok := sections[name]; !ok {
			return s, fmt.Errorf("the answer of apt has no section %q", name)
		}
	}
	for _, line := range sections["base"] {
		if arch, ok := strings.CutPrefix(line, "architecture "); ok {
			s.Architecture = arch
		}
	}
	s.Distribution, s.Suite = osRelease(sections["os"])
	for _, line := range sections["links"] {
		if from, to, ok := strings.Cut(line, " -> "); ok {
			s.Links = append(s.Links, buildlock.Link{Path: from, Target: to})
		}
	}
	s.Removes = slices.Sorted(slices.Values(sections["removed"]))
	installed := installedPackages(sections["installed"])
	s.Dpkg = installed["dpkg"]
	var err error
	s.Packages, err = aptPackages(sections["packages"], installed, s.Architecture)
	s.Present = presentPackages(asked, installed, s.Packages)
	return s, err
}

// aptSections splits the answer at the lines "@name" and drops empty lines.
func aptSections(text string) map[string][]string {
	sections, name := map[string][]string{}, ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n ")
		if section, ok := strings.CutPrefix(line, "@"); ok {
			name = section
			sections[name] = []string{}
		} else if line != "" {
			sections[name] = append(sections[name], line)
		}
	}
	return sections
}

// osRelease returns ID and VERSION_CODENAME (os-release(5)).
func osRelease(lines []string) (id, codename string) {
	for _, line := range lines {
		key, value, _ := strings.Cut(line, "=")
		value = strings.Trim(value, `"'`)
		switch key {
		case "ID":
			id = value
		case "VERSION_CODENAME":
			codename = value
		}
	}
	return id, codename
}

// installedPackages returns the version of every package that is installed, by name and by "name:architecture". The name alone means the base's own
// architecture.
func installedPackages(lines []string) map[string]string {
	type pkg struct{ name, version, arch string }
	var all []pkg
	native := ""
	for _, line := range lines { // "ii libc6 2.36-9 amd64"; the second letter is the state
		if f := strings.Fields(line); len(f) == 4 && len(f[0]) > 1 && f[0][1] == 'i' {
			all = append(all, pkg{f[1], f[2], f[3]})
			if f[1] == "dpkg" {
				native = f[3]
			}
		}
	}
	installed := map[string]string{}
	for _, p := range all {
		installed[p.name+":"+p.arch] = p.version
		if p.arch == native || p.arch == "all" {
			installed[p.name] = p.version
		}
	}
	return installed
}

// aptLine is a line of apt-get --print-uris: 'URL' name size hash. The name is made of package, version and architecture, in which underscores, colons
// and per cent signs are escaped (apt-pkg/acquire-item.cc, pkgAcqArchive).
var aptLine = lazyregexp.New(`^'([^']+)' (\S+)_(\S+)_([^_.\s]+)\.u?deb ([0-9]+) ?(\S*)$`)

// aptPackages reads the lines of the packages to install, and refuses what no lock can hold. Other lines are notes of apt's.
func aptPackages(lines []string, installed map[string]string, arch string) ([]buildlock.Package, error) {
	var packages []buildlock.Package
	var faults fault.List
	for _, line := range lines {
		if !strings.HasPrefix(line, "'") {
			continue
		}
		p, err := aptPackage(line)
		if err != nil {
			return nil, err
		}
		p.Replaces = installed[p.Name+":"+p.Architecture]
		if p.Replaces == "" { // it may have changed between all and the base's own architecture
			p.Replaces = installed[p.Name]
		}
		if f := unusable(p, arch); f != nil {
			faults = append(faults, f)
		}
		packages = append(packages, p)
	}
	slices.SortFunc(packages, func(a, b buildlock.Package) int {
		return strings.Compare(a.Name+":"+a.Architecture, b.Name+":"+b.Architecture)
	})
	return packages, faults.Err()
}

// aptPackage reads one line. SHA256 is empty where apt gives another hash or none.
func aptPackage(line string) (p buildlock.Package, err error) {
	unclear := fmt.Errorf("apt printed a line that is not understood: %s", line)
	m := aptLine.FindStringSubmatch(line)
	if m == nil {
		return p, unclear
	}
	p.URL = m[1]
	for i, to := range []*string{&p.Name, &p.Version, &p.Architecture} {
		if *to, err = url.PathUnescape(m[i+2]); err != nil {
			return p, unclear
		}
	}
	if p.Size, err = strconv.ParseInt(m[5], 10, 64); err != nil {
		return p, unclear
	}
	if sum, ok := strings.CutPrefix(m[6], "SHA256:"); ok && len(sum) == 64 {
		p.SHA256 = strings.ToLower(sum)
	}
	return p, nil
}

// unusable says why a package cannot be locked for a base of the architecture, nil if it can.
func unusable(p buildlock.Package, arch string) *fault.Fault {
	switch {
	case !strings.HasPrefix(p.URL, "http://") && !strings.HasPrefix(p.URL, "https://"):
		return fault.New(fault.Resolve, "%s %s comes from %s, where the daemon cannot fetch it", p.Name, p.Version, p.URL).
			Hint("name a repository with an http or https URL: system.repositories in mlbuild.yaml")
	case p.Architecture != arch && p.Architecture != "all":
		return fault.New(fault.Resolve, "%s %s is for %s, the base is %s", p.Name, p.Version, p.Architecture, arch).
			Hint("packages of a second architecture are not supported: take a base of the other architecture, or leave out the package that needs it")
	case p.SHA256 == "":
		return fault.New(fault.LockHash, "the repository gives no sha256 of %s %s", p.Name, p.Version).
			Hint("have the repository's lists made with SHA256 sums")
	}
	return nil
}

// presentPackages lists what was asked for and is in the base already, in the version that stays.
func presentPackages(asked []string, installed map[string]string, packages []buildlock.Package) []string {
	var present []string
	for _, a := range asked {
		name, _, _ := strings.Cut(a, "=")
		fresh := slices.ContainsFunc(packages, func(p buildlock.Package) bool { return p.Name == name })
		if v := installed[name]; v != "" && !fresh {
			present = append(present, name+" "+v)
		}
	}
	return slices.Sorted(slices.Values(present))
}
