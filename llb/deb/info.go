package deb

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Info is what a package says of itself. It can be written as JSON and read back.
type Info struct {
	Package       string            `json:"package"`
	Version       string            `json:"version"`
	Architecture  string            `json:"architecture"`         // of Debian: "amd64", "arm64", "all"
	MultiArch     string            `json:"multi_arch,omitempty"` // "same", "foreign", "allowed" or ""
	InstalledSize int64             `json:"installed_size"`       // bytes, as the package estimates it; 0 = not said
	Control       string            `json:"control"`              // the whole paragraph, ends with a newline
	Scripts       map[string]string `json:"scripts,omitempty"`    // preinst, postinst, prerm, postrm, config → text
	Templates     string            `json:"templates,omitempty"`  // debconf's questions
	Conffiles     []string          `json:"conffiles,omitempty"`  // absolute paths
	Triggers      []string          `json:"triggers,omitempty"`   // deb-triggers(5), a directive each
	MD5Sums       string            `json:"md5sums,omitempty"`    // as the package has it
	Files         []File            `json:"files"`                // in the order of the archive
}

// Kind is what a File is.
type Kind string

// The kinds of files that a package may have.
const (
	Regular  Kind = "file"
	Folder   Kind = "dir"
	Symlink  Kind = "symlink"
	Hardlink Kind = "hardlink"
)

// File is a file of a package.
type File struct {
	Path string `json:"path"` // absolute, as the package has it: not yet through the base's links
	Kind Kind   `json:"kind"`
	Mode uint32 `json:"mode"` // permission bits with setuid (04000), setgid (02000) and sticky (01000)
	UID  int    `json:"uid,omitempty"`
	GID  int    `json:"gid,omitempty"`
	Size int64  `json:"size,omitempty"` // bytes
	Link string `json:"link,omitempty"` // target of a symbolic link as it is, of a hard link as an absolute path
}

// Field returns the value of a field of the control paragraph ("Depends"), "" if it is missing.
func (i Info) Field(name string) string {
	fields, err := parseParagraph(i.Control)
	if err != nil {
		return ""
	}
	return valueOf(fields, name)
}

// Inspect reads a package without writing anything. For a malformed or hostile one it returns fault.DebUnsafe faults.
func Inspect(path string) (Info, error) {
	a, err := open(path)
	if err != nil {
		return Info{}, err
	}
	defer a.Close()
	info, err := a.info()
	if err != nil {
		return Info{}, err
	}
	err = a.walk(0, func(e *entry, _ io.Reader) error {
		info.Files = append(info.Files, e.File)
		return nil
	})
	return info, err
}

// info reads the control part.
func (a *archive) info() (Info, error) {
	files, err := a.readControl()
	if err != nil {
		return Info{}, a.rep.fault("", err)
	}
	fields, err := parseParagraph(files["control"])
	if err == nil {
		err = checkParagraph(fields)
	}
	if err != nil {
		return Info{}, a.rep.fault("control", err)
	}
	info := Info{
		Package: valueOf(fields, "Package"), Version: valueOf(fields, "Version"), Architecture: valueOf(fields, "Architecture"),
		MultiArch: valueOf(fields, "Multi-Arch"), Control: strings.Trim(files["control"], "\n") + "\n",
		Templates: files["templates"], MD5Sums: files["md5sums"], Triggers: directives(files["triggers"]),
	}
	if info.InstalledSize, err = installedSize(valueOf(fields, "Installed-Size")); err != nil {
		return Info{}, a.rep.fault("control", err)
	}
	for path := range strings.Lines(files["conffiles"]) {
		if path = strings.TrimSpace(path); strings.HasPrefix(path, "/") { // others are flagged "remove-on-upgrade": not shipped
			info.Conffiles = append(info.Conffiles, path)
		}
	}
	for _, name := range scriptNames {
		if text, ok := files[name]; ok {
			if info.Scripts == nil {
				info.Scripts = map[string]string{}
			}
			info.Scripts[name] = text
		}
	}
	return info, nil
}

// installedSize turns KiB into bytes.
func installedSize(value string) (int64, error) {
	if value == "" {
		return 0, nil
	}
	kib, err := strconv.ParseInt(value, 10, 40)
	if err != nil || kib < 0 {
		return 0, fmt.Errorf("the field Installed-Size is malformed: %.80q", value)
	}
	return kib << 10, nil
}

// directives are the lines of a file without comments and empty ones.
func directives(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
