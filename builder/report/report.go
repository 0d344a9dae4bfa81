package report

import (
	"bytes"
	_ "embed"
	"html/template"
	"time"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/inspect"
	"github.com/mlbuild/mlbuild/builder/rows"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Page is what a page is about.
type Page struct {
	Version  string    // of mlbuild
	Title    string    // the image's or the project's name
	Sections []Section // one for each image
	Secrets  [][]byte  // values that stars are to stand for
}

// Section is one image.
type Section struct {
	Name  string         // that tells it from the others: a profile, a reference
	Image *inspect.Image // what it holds; nil = unknown
	Build *Build         // that made it; nil = it was there
}

// Build is a build of one profile that has ended.
type Build struct {
	Base   string               // as the project names it; "" = unknown
	Made   *builder.Image       // nil = the build failed
	Failed *builder.Unpublished // why there is no image; nil = there is one
	Began  time.Time            // when the build began, by the clock of Tracks
	Tracks []rows.Track         // what took time
	Notes  []string             // that a user was told
	Others fault.List           // faults of no profile, which keep any from being made
}

//go:embed page.html.tmpl
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// HTML writes the page. The error is one of the template, which no value makes.
func HTML(p Page) ([]byte, error) {
	h := hiderOf(p.Secrets)
	v := viewOf(p, h)
	h.in(&v)
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, v)
	return b.Bytes(), err
}
