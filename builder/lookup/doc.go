// Package lookup asks the daemon what has to be known before an image can be compiled. A recipe and the locks come in; a Found comes out: a value with everything that one platform's
// graph is made from, which llb.Compile takes and which prints.
//
// Each question has an asker, a small struct of what it takes to ask it, whose methods return whole answers: Bases asks for the images that a recipe names and for what lies in its base,
// System has apt choose Debian packages, UV has uv choose wheels, Stage asks for the wheels that one stage has beside the runtime's, Models asks the sources of models, and Sources
// what packages are compiled with. Asker is all of them in their order. What a lock has already is not asked; Locks decides whether a lock may be used.
//
// Start with found.go. image.go, uv.go, system.go, models.go and sources.go have the askers; a kind of model source that has to be asked for its files is one file, as modelgit.go.
package lookup
