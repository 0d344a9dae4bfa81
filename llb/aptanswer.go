package llb

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/syslock"
)

// ParseSystemAnswer reads what the step of SystemResolution left in SystemAnswer. The system that it gives lacks what only the caller knows: Image,
// Digest, Platform, Profiles and Inputs. It fails with fault.LockHash for packages whose repository gives no sha256, and with fault.Resolve for
// what apt would not install from a repository.
func ParseSystemAnswer(asked []string, answer []byte) (syslock.System, error) {
	s := syslock.System{Asked: slices.Clone(asked)}
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
			s.Links = append(s.Links, syslock.Link{Path: from, Target: to})
		}
	}
	s.Removes = slices.Sorted(slices.Values(sections["removed"]))
	installed := installedPackages(sections["installed"])
	s.Dpkg = installed["dpkg"]
	var err error
	s.Packages, err = aptPackages(sections["packages"], installed)
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

// osRelease gives ID and VERSION_CODENAME (os-release(5)).
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

// installedPackages gives the version of every package that is installed, by name and by "name:architecture". The name alone means the base's own
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
var aptLine = regexp.MustCompile(`^'([^']+)' (\S+)_(\S+)_([^_.\s]+)\.u?deb ([0-9]+) ?(\S*)$`)

func aptPackages(lines []string, installed map[string]string) ([]syslock.Package, error) {
	var packages []syslock.Package
	var faults fault.List
	for _, line := range lines {
		m := aptLine.FindStringSubmatch(line)
		if m == nil {
			if strings.HasPrefix(line, "'") {
				return nil, fmt.Errorf("apt printed a line that is not understood: %s", line)
			}
			continue // a note of apt's
		}
		p := syslock.Package{URL: m[1]}
		var err error
		for i, to := range []*string{&p.Name, &p.Version, &p.Architecture} {
			if *to, err = url.PathUnescape(m[i+2]); err != nil {
				return nil, fmt.Errorf("apt printed a line that is not understood: %s", line)
			}
		}
		if p.Size, err = strconv.ParseInt(m[5], 10, 64); err != nil {
			return nil, fmt.Errorf("apt printed a line that is not understood: %s", line)
		}
		sum, ok := strings.CutPrefix(m[6], "SHA256:")
		switch {
		case !strings.HasPrefix(p.URL, "http://") && !strings.HasPrefix(p.URL, "https://"):
			faults = append(faults, fault.New(fault.Resolve, "%s %s comes from %s, where the daemon cannot fetch it", p.Name, p.Version, p.URL).
				Hint("name a repository with an http or https URL: system.repositories in mlbuild.yaml"))
		case !ok || len(sum) != 64:
			faults = append(faults, fault.New(fault.LockHash, "the repository gives no sha256 of %s %s", p.Name, p.Version).
				Hint("have the repository's lists made with SHA256 sums"))
		}
		p.SHA256 = strings.ToLower(sum)
		p.Replaces = installed[p.Name+":"+p.Architecture]
		if p.Replaces == "" { // it may have changed between all and the base's own architecture
			p.Replaces = installed[p.Name]
		}
		packages = append(packages, p)
	}
	slices.SortFunc(packages, func(a, b syslock.Package) int {
		return strings.Compare(a.Name+":"+a.Architecture, b.Name+":"+b.Architecture)
	})
	return packages, faults.Err()
}

// presentPackages lists what was asked for and is in the base already, in the version that stays.
func presentPackages(asked []string, installed map[string]string, packages []syslock.Package) []string {
	var present []string
	for _, a := range asked {
		name, _, _ := strings.Cut(a, "=")
		fresh := slices.ContainsFunc(packages, func(p syslock.Package) bool { return p.Name == name })
		if v := installed[name]; v != "" && !fresh {
			present = append(present, name+" "+v)
		}
	}
	return slices.Sorted(slices.Values(present))
}
