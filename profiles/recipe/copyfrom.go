package recipe

import (
	"path"
	"slices"
	"strings"
)

// CopyFrom brings files of another image, or of a build step, into this one.
type CopyFrom struct {
	Image string `json:"image,omitempty"` // full reference; exactly one of Image and Step is set
	Step  string `json:"step,omitempty"`  // name of a build step
	Output
}

// Output says which files of another file system come into the image, and where to.
type Output struct {
	From  string `json:"from"`            // absolute path or pattern in the other file system
	To    string `json:"to"`              // absolute destination; with a trailing slash the sources keep their names below it
	Mode  string `json:"mode,omitempty"`  // octal, "" = as in the source
	Owner string `json:"owner,omitempty"` // "uid:gid", "" = the owner of the directory that the file lies in
	// Replace takes files of the environment also in place of those that packages have.
	Replace bool `json:"replace,omitempty"`
}

// Images lists the images beside the base that the recipe needs for their files, sorted.
func (r *Recipe) Images() []string {
	var refs []string
	for _, c := range r.CopyFrom {
		refs = append(refs, c.Image)
	}
	for _, b := range r.Build {
		refs = append(refs, b.Image)
	}
	refs = append(refs, r.Base.Python)
	refs = slices.DeleteFunc(refs, func(ref string) bool { return ref == "" })
	return SortedUnique(refs)
}

// Brought lists the files that come into the image from other images and from build steps.
func (r *Recipe) Brought() []Output {
	var all []Output
	for _, c := range r.CopyFrom {
		all = append(all, c.Output)
	}
	for _, b := range r.Build {
		all = append(all, b.Outputs...)
	}
	return all
}

// Target returns where an output without wildcards comes to lie.
func (o Output) Target() string {
	if strings.HasSuffix(o.To, "/") {
		return path.Join(o.To, path.Base(o.From))
	}
	return o.To
}

// Parent is the directory that the output's files are put into.
func (o Output) Parent() string {
	if IsGlob(o.From) {
		return path.Clean(o.To)
	}
	return path.Dir(o.Target())
}
