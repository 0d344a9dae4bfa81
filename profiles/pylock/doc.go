// Package pylock reads pylock.toml (PEP 751) and picks from it the wheels for one target: Python version,
// platform and libc. It opens no file and no connection: bytes in, values out.
//
//	Parse(name, data) → *Lock → Select(Target) → []Wheel
//
// Stamp writes the [tool.mlbuild] table into a lock that the resolver made.
package pylock
