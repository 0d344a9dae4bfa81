// Package profiles reads what a user wants and decides it: a project file (or a bare project) and a profile in,
// a Recipe out. It knows the compatibility tables and nothing of BuildKit, opens no connection and runs nothing.
//
//	Load(fs.FS, file) → *Project → Resolve(Selection) → *Recipe
package profiles
