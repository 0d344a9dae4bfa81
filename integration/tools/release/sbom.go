package main

import (
	"debug/buildinfo"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"
)

// spdx is a bill of materials in SPDX 2.3 (https://spdx.github.io/spdx-spec/v2.3/), as far as a program tells of itself: what Go modules it is made of.
type spdx struct {
	SPDXVersion       string         `json:"spdxVersion"`
	DataLicense       string         `json:"dataLicense"`
	SPDXID            string         `json:"SPDXID"`
	Name              string         `json:"name"`
	DocumentNamespace string         `json:"documentNamespace"`
	CreationInfo      creation       `json:"creationInfo"`
	Packages          []billPackage  `json:"packages"`
	Relationships     []relationship `json:"relationships"`
}

// homepage and license are those of mlbuild; BuildKit has the same license.
const (
	homepage = "https://github.com/mlbuild/mlbuild"
	license  = "Apache-2.0"
)

type creation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type billPackage struct {
	SPDXID           string        `json:"SPDXID"`
	Name             string        `json:"name"`
	VersionInfo      string        `json:"versionInfo"`
	DownloadLocation string        `json:"downloadLocation"`
	FilesAnalyzed    bool          `json:"filesAnalyzed"`
	LicenseConcluded string        `json:"licenseConcluded"`
	LicenseDeclared  string        `json:"licenseDeclared"`
	CopyrightText    string        `json:"copyrightText"`
	Purpose          string        `json:"primaryPackagePurpose,omitempty"`
	Checksums        []checksum    `json:"checksums,omitempty"`
	ExternalRefs     []externalRef `json:"externalRefs,omitempty"`
}

type checksum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"checksumValue"`
}

type externalRef struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type relationship struct {
	From string `json:"spdxElementId"`
	Type string `json:"relationshipType"`
	To   string `json:"relatedSpdxElement"`
}

// document is the SPDX identifier of a bill itself, none what its format says where nothing is claimed.
const (
	document = "SPDXRef-DOCUMENT"
	none     = "NOASSERTION"
)

// bill writes the bill of materials of a platform's programs.
func (r release) bill(on platform, programs []file) error {
	name := top(r.archiveName(on))
	b := spdx{
		SPDXVersion: "SPDX-2.3", DataLicense: "CC0-1.0", SPDXID: document, Name: name, DocumentNamespace: homepage + "/releases/download/v" + r.version + "/" + name + ".spdx.json?commit=" + r.commit,
		CreationInfo: creation{r.epoch.Format(time.RFC3339), []string{"Tool: mlbuild-release"}},
	}
	written := map[string]bool{}
	for _, p := range programs {
		info, err := buildinfo.ReadFile(p.path)
		if err != nil {
			return err
		}
		sum, err := sumOf(p.path)
		if err != nil {
			return err
		}
		b.addProgram(r.programPackage(p.name, sum, info), info, written)
	}
	data, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.out, name+".spdx.json"), append(data, '\n'), 0o644)
}

// programPackage describes a program itself.
func (r release) programPackage(name, sum string, info *debug.BuildInfo) billPackage {
	p := modulePackage(info.Main.Path, "v"+r.version)
	if info.Main.Path != "github.com/mlbuild/mlbuild" { // the daemon: it is built of another module's package
		p = modulePackage(info.Path, versionIn(info, "github.com/moby/buildkit"))
	}
	p.SPDXID, p.Name, p.Purpose, p.Checksums = "SPDXRef-Program-"+idOf(name), name, "APPLICATION", []checksum{{"SHA256", sum}}
	p.LicenseConcluded, p.LicenseDeclared = license, license // both are
	return p
}

// addProgram adds a program with the modules that it is made of. A module that two programs share is written once.
func (b *spdx) addProgram(program billPackage, info *debug.BuildInfo, written map[string]bool) {
	b.Packages = append(b.Packages, program)
	b.Relationships = append(b.Relationships, relationship{document, "DESCRIBES", program.SPDXID})
	parts := []billPackage{modulePackage("stdlib", strings.TrimPrefix(info.GoVersion, "go"))}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		parts = append(parts, modulePackage(m.Path, m.Version))
	}
	for _, p := range parts {
		if !written[p.SPDXID] {
			written[p.SPDXID] = true
			b.Packages = append(b.Packages, p)
		}
		b.Relationships = append(b.Relationships, relationship{program.SPDXID, "DEPENDS_ON", p.SPDXID})
	}
}

// modulePackage describes a Go module of a version; "stdlib" is Go's own library, as scanners call it.
func modulePackage(module, version string) billPackage {
	return billPackage{
		SPDXID: "SPDXRef-Module-" + idOf(module+"-"+version), Name: module, VersionInfo: version, DownloadLocation: none, LicenseConcluded: none, LicenseDeclared: none, CopyrightText: none, Purpose: "LIBRARY",
		ExternalRefs: []externalRef{{"PACKAGE-MANAGER", "purl", "pkg:golang/" + module + "@" + strings.ReplaceAll(version, "+", "%2B")}},
	}
}

// versionIn is the version of a module that a program was built with, "" if it has none of it.
func versionIn(info *debug.BuildInfo, module string) string {
	for _, m := range info.Deps {
		if m.Path == module {
			return m.Version
		}
	}
	return ""
}

// idOf makes an identifier of SPDX of a text: letters, digits, dots and hyphens.
func idOf(text string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' {
			return c
		}
		return '-'
	}, text)
}
