package step

// Run is commands, and what becomes of the files that they change.
type Run struct {
	Commands []string `json:"commands"` // for /bin/sh, one after another in one shell; the first that fails ends it
	Secrets  []Secret `json:"secrets,omitempty"`
	Timeout  float64  `json:"timeout,omitempty"` // seconds; 0 = none
	Settle   *Settle  `json:"settle,omitempty"`  // nil = what the commands change is no layer by itself
	Lost     *Lost    `json:"lost,omitempty"`    // nil = nobody asks what the commands leave elsewhere
}

// Exit codes beside the commands' own, as timeout(1) and sh(1) have them.
const (
	TimedOut = 124
	NotFound = 127
)

// Settle makes a layer of what commands changed reproducible as far as it can be, and proves that no secret is in it.
type Settle struct {
	Root string   `json:"root"` // "/"
	Time int64    `json:"time"` // seconds since 1970 that every changed file and directory gets
	Drop []string `json:"drop"` // directories, absolute in Root: changed files in them are removed
}

// Lost has the files told that commands write beside what is kept of them.
type Lost struct {
	Root string   `json:"root"` // "/"
	Kept []string `json:"kept"` // files, trees and patterns that become a layer, absolute in Root
	Drop []string `json:"drop"` // directories, absolute in Root, whose files nobody misses
}

// Secret is a value that the commands may read and nothing may keep.
type Secret struct {
	ID       string `json:"id"`
	File     string `json:"file"`               // where the value lies while the step runs
	Optional bool   `json:"optional,omitempty"` // it may not be there
}

// Collection says which files of a root become a layer.
type Collection struct {
	Step    string   `json:"step"`  // whose files they are, for people: step "libfoo"
	In      string   `json:"in"`    // the root that commands left
	Out     string   `json:"out"`   // an empty directory, the layer's root
	Dirs    []Dir    `json:"dirs"`  // the layer's directories above the files, parents first
	Files   []File   `json:"files"` // in order; a later one wins
	Secrets []Secret `json:"secrets,omitempty"`
	Time    int64    `json:"time"` // seconds since 1970 that everything gets
	// Packages are directories that hold installed packages, each as if it were the root. A file that one of them has is not taken: it is an error, or left out where both are the same.
	Packages []string `json:"packages,omitempty"`
}

// Dir is a directory of the layer.
type Dir struct {
	Path string `json:"path"` // absolute
	Mode uint32 `json:"mode"` // permission bits
	UID  int    `json:"uid"`
	GID  int    `json:"gid"`
}

// File is a file or tree that is taken, or all that match a pattern.
type File struct {
	From string  `json:"from"`           // absolute in In; *, ? and [a-z] match within one name
	To   string  `json:"to"`             // absolute in Out; with a trailing slash the files keep their names
	Mode *uint32 `json:"mode,omitempty"` // permission bits of files, with x for directories where they have r; nil = as they are
	UID  int     `json:"uid"`
	GID  int     `json:"gid"`
	// Replace takes files in place of those that packages have.
	Replace bool `json:"replace,omitempty"`
}

// The codes that begin a line of the runner's. Each is the fault's code.
const (
	MissingCode = "E-STEP"           // an output is not there
	LeakCode    = "E-SECRET-LEAK"    // a file holds a secret's value
	TakenCode   = "E-SPEC"           // a package has the file
	PrintedCode = "W-SECRET-PRINTED" // the commands printed a secret's value
	LostCode    = "W-STEP-LOST"      // the commands wrote files that are not kept
)
