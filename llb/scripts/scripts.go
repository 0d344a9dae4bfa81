// Package scripts holds the programs that run inside steps, in the languages of what they run on: sh and Python. They are embedded as they are; one
// changed byte changes the keys of the steps that run it.
package scripts

import _ "embed"

var (
	// AptSetup sets apt up for one run: sources, keys, preferences and a snapshot, as /run/mlbuild/apt has them.
	//
	//go:embed aptsetup.sh
	AptSetup string
	// AptResolve asks apt what it would install on a base, and where from.
	//
	//go:embed aptresolve.sh
	AptResolve string
	// AptPackageBase asks the same for a base that is made of packages.
	//
	//go:embed aptpackagebase.sh
	AptPackageBase string
	// AptInstall installs the packages that it is given.
	//
	//go:embed aptinstall.sh
	AptInstall string
	// AptClean ends a step in which apt or dpkg installs: no list, no archive, no log and no cache that the next run would write differently stays,
	// and what is newer than /tmp/.mlbuild-start gets one time.
	//
	//go:embed aptclean.sh
	AptClean string
	// Dpkg has dpkg configure packages on the base.
	//
	//go:embed dpkg.sh
	Dpkg string
	// DebControl says what Debian packages depend on.
	//
	//go:embed debcontrol.sh
	DebControl string
	// DebianPasswd is /etc/passwd of a base that is made of packages: Debian's own users, which have the same ids on every system (Debian policy
	// 9.2.2), as base-passwd of Debian 12 and 13 writes them.
	//
	//go:embed debian.passwd
	DebianPasswd string
	// DebianGroup is /etc/group of the same.
	//
	//go:embed debian.group
	DebianGroup string
	// Bytecode compiles the Python files of a layer.
	//
	//go:embed bytecode.py
	Bytecode string
	// Inspect looks into wheels for what no lock says.
	//
	//go:embed inspect.py
	Inspect string
	// FetchModel downloads a model that needs credentials.
	//
	//go:embed fetchmodel.py
	FetchModel string
	// UnpackModel unpacks an archive of a model.
	//
	//go:embed unpackmodel.py
	UnpackModel string
	// RunTests runs the project's tests and writes their result down.
	//
	//go:embed runtests.py
	RunTests string
	// BuildWheel makes a wheel from a source.
	//
	//go:embed buildwheel.py
	BuildWheel string
	// RemovePackages takes packages out of the environment of a base.
	//
	//go:embed removepackages.py
	RemovePackages string
	// InstallWheel checks a built wheel against the image and unpacks it.
	//
	//go:embed installwheel.py
	InstallWheel string
)
