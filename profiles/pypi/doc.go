// Package pypi has the rules of Python packaging, each once: names (PEP 503), versions and specifiers (PEP 440), markers and requirements
// (PEP 508), tags and wheel names (PEP 425, 427, 600). Texts in, values out; it reads no file.
//
// Start with name.go and version.go; specifier.go is the one matcher of the program, and is held to the packaging library by a table that
// testdata/versions.py makes. tags.go ranks what a Target can use.
package pypi
