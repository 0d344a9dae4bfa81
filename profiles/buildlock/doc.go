// Package buildlock reads and writes mlbuild.lock, which pins what pylock.<profile>.toml does not: base images by digest, and for each base and
// platform the system packages that apt chose, and models by their files. One file serves all profiles and platforms of a project. It opens no file and no connection.
//
//	Parse(name, data) → *Lock → Digest, Lookup
//	Put, Forget → Marshal() → data
//
// The file is TOML with one key a line, sorted, so that a diff of it reads as what changed. It holds no time and no path of a machine.
package buildlock
