// Package requirements reads what a project asks of its Python packages: the section python of the project file and the project's own files in
// (pyproject.toml in the standard's form, Poetry's or uv's, requirements files, the locks of uv and Poetry), a recipe's Requirements out. It reads;
// nothing is resolved here, and no index is asked.
//
//	Choose(Spec) → Gather(Question) → Wanted → Fit(FitQuestion, Wanted) → Wanted
//	GatherStage(StageQuestion, …) → StageAsked
//
// What is wanted is gathered before the accelerator is known, because the requirements help to decide it, and then fitted to it.
//
// Start with gather.go, what is read in which order, then fit.go. spec.go has the keys of the project file; reader.go checks each requirement of files
// and lists, pyproject.go finds a pyproject.toml and what it wants, poetry.go writes Poetry's dependencies in the standard's terms, foreignlock.go
// decides whether the lock of another tool says the versions, uvchosen.go what uv would take of its lock, ownpackages.go finds the packages of the project's own
// code, and indexes.go where packages come from. stage.go gathers what a stage asks for beyond
// the image.
//
// It is large because the forms in which projects write requirements are many: pip's, uv's and Poetry's, each with its lock, are read here and nowhere else.
package requirements
