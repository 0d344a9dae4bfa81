package wheel

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// place says where an entry of the wheel is installed.
type place struct {
	path   string // relative to the virtual environment, "" = it is not installed
	script bool   // of the scripts scheme: executable, its first line may be rewritten
}

// placer maps entries of one wheel to places.
type placer struct {
	f        Filename
	distInfo string
	python   string
	points   map[string]bool // names of scripts that entry points make
}

// of returns the place of an entry (binary distribution format, "Installing a wheel" and "The .data directory").
func (p placer) of(name string) (place, error) {
	top, rest, _ := strings.Cut(name, "/")
	if top == p.distInfo && isInstallers(rest) {
		return place{}, nil
	}
	stem, isData := strings.CutSuffix(top, ".data")
	if !isData || rest == "" || !isOf(stem, p.f) && stem+".dist-info" != p.distInfo {
		return place{path: path.Join(sitePackages(p.python), name)}, nil
	}
	scheme, file, _ := strings.Cut(rest, "/")
	if file == "" {
		return place{}, errors.New("it is in .data, but under no scheme")
	}
	return p.data(scheme, file)
}

// isInstallers reports whether a file of .dist-info is for an installer to write. What a wheel brings in its place is
// not installed, nor are signatures of the RECORD, which is rewritten.
func isInstallers(file string) bool {
	switch file {
	case "RECORD", "RECORD.jws", "RECORD.p7s", "INSTALLER", "REQUESTED", "direct_url.json":
		return true
	}
	return false
}

// data maps a file of a .data scheme. The schemes are those of a virtual environment (sysconfig "venv"; headers as pip
// lays them). lib64 is a link to lib there.
func (p placer) data(scheme, file string) (place, error) {
	switch scheme {
	case "purelib", "platlib":
		return place{path: path.Join(sitePackages(p.python), file)}, nil
	case "scripts":
		if p.points[file] {
			return place{}, nil
		}
		return place{path: path.Join("bin", file), script: true}, nil
	case "headers":
		return place{path: path.Join("include/site/python"+p.python, normalName(p.f.Name), file)}, nil
	case "data":
		if below, ok := strings.CutPrefix(file, "lib64/"); ok {
			file = "lib/" + below
		}
		return place{path: file}, nil
	}
	return place{}, fmt.Errorf("%q is no scheme of .data", scheme)
}

// checkPlace refuses files that take the place of what makes the virtual environment.
func checkPlace(file, project string) error {
	top, rest, below := strings.Cut(file, "/")
	switch strings.ToLower(top) {
	case "pyvenv.cfg", "lib64":
		return fmt.Errorf("it would replace %s of the virtual environment", top)
	case "bin":
		if below {
			name, _, _ := strings.Cut(rest, "/")
			return checkScriptName(name, project)
		}
		fallthrough
	case "lib", "include":
		if !below {
			return fmt.Errorf("it would replace the directory %s of the virtual environment", top)
		}
	}
	return nil
}

// checkScriptName refuses programs that stand for the interpreter, its installer (unless the project is pip itself) or
// the activation scripts.
func checkScriptName(name, project string) error {
	low := strings.ToLower(name)
	stem := strings.TrimRight(strings.TrimSuffix(low, ".exe"), "0123456789.t")
	switch {
	case stem == "python" || stem == "pythonw",
		strings.HasPrefix(low, "activate") && (low == "activate" || low[len("activate")] == '.'),
		low == "deactivate",
		pipName(low) && project != "pip":
		return fmt.Errorf("it would replace bin/%s of the virtual environment", name)
	}
	return nil
}

// pipName reports whether a name is pip, pip3, pip3.11 or pip-3.11.
func pipName(low string) bool {
	rest, ok := strings.CutPrefix(low, "pip")
	return ok && strings.Trim(rest, "0123456789.-") == ""
}
