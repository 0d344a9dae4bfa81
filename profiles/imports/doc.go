// Package imports finds the modules of a project that its image lacks. In go the command, the project's files and where the image has them; out come the modules that the command's
// own module imports, directly or through other modules of the project, and that stayed behind. Sources are read, nothing is run.
//
//	Missing(Question) → []Module
//	Tops(source) → names
//
// Start with missing.go. entry.go reads off a command with which module it starts, scan.go and lines.go read the imports of a source, search.go knows where a module lies.
package imports
