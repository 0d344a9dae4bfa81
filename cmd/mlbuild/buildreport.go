package main

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	bkclient "github.com/moby/buildkit/client"
	"github.com/spf13/pflag"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/inspect"
	"github.com/mlbuild/mlbuild/builder/report"
	"github.com/mlbuild/mlbuild/builder/rows"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// buildReport is the HTML page of a build: where it goes, and what is noted for it on the way.
type buildReport struct {
	file  string // "" = none is wanted
	files bool   // the layers of pushed images are read through
	heard *heard // what builds said; nil = nothing is listened to
}

// heard is what the builds of a run said.
type heard struct {
	began time.Time
	mu    sync.Mutex // guards board
	board rows.Board
}

// take notes what the build of a profile says.
func (h *heard) take(profile string, s *bkclient.SolveStatus, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.board.Take(profile, visibleStatus(s), at)
}

// tracks are the timeline of a profile's build.
func (h *heard) tracks(profile string, now time.Time) []rows.Track {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.board.Tracks(profile, now)
}

func (r *buildReport) add(f *pflag.FlagSet) {
	f.StringVar(&r.file, "report", "", "HTML `file` for what the images hold and how the build went, written whether it passes or fails")
	f.BoolVar(&r.files, "report-files", false, "read the pushed layers for --report: licences, unpacked sizes, waste")
}

// check refuses flags that lead to nothing.
func (r *buildReport) check(pushes bool) error {
	switch {
	case r.files && (r.file == "" || !pushes):
		return fault.New(fault.Usage, "--report-files is for a report of images that are pushed").Hint("add --report FILE.html and --push; of an archive that is written here the report has all files by itself")
	case r.file == "":
		return nil
	}
	if f := checkFile("--report ", r.file); f != nil {
		r.file = "" // it is not tried again
		return f
	}
	return nil
}

// listen notes what is said of the builds on its way to who draws it.
func (r *buildReport) listen(e *env, request *builder.Request) {
	next := request.Status
	if r.file == "" || next == nil {
		return
	}
	h := &heard{began: e.now()}
	r.heard = h
	request.Status = func(profile string) chan<- *bkclient.SolveStatus {
		in, out := make(chan *bkclient.SolveStatus), next(profile)
		go func() {
			defer close(out)
			for s := range in {
				h.take(profile, s, e.now())
				out <- s
			}
		}()
		return in
	}
}

// write writes the page. What an image holds is read where the build left it; where that cannot be, the page has what the build knows.
func (r *buildReport) write(ctx context.Context, e *env, daemon *daemonFlags, s *session, out *outputs, result *builder.Result, faults fault.List) error {
	if r.heard == nil {
		return nil
	}
	page := report.Page{Version: version, Title: filepath.Base(s.request.Dir)}
	for _, secret := range s.request.Secrets {
		page.Secrets = append(page.Secrets, secret.Value)
	}
	_, proxies := s.request.Proxy.WithoutPasswords()
	for _, value := range proxies {
		page.Secrets = append(page.Secrets, []byte(value))
	}
	for _, v := range s.request.Variants {
		one := report.Build{Began: r.heard.began, Tracks: r.heard.tracks(v.Profile, e.now()), Notes: s.notesOn(v.Profile)}
		if len(v.Recipes) > 0 {
			one.Base, page.Title = v.Recipes[0].Base.Ref, cmp.Or(v.Recipes[0].Name, page.Title)
		}
		section := report.Section{Name: v.Profile, Build: &one}
		i := slices.IndexFunc(result.Images, func(m builder.Image) bool { return m.Profile == v.Profile })
		if i < 0 {
			one.Failed, one.Others = unpublished(result, v), othersOf(result, faults)
			page.Sections = append(page.Sections, section)
			continue
		}
		one.Made = &result.Images[i]
		page.Sections = append(page.Sections, r.platforms(ctx, e, daemon, out, section)...)
	}
	return writeReport(e, r.file, page)
}

// unpublished is what is known of a profile without an image.
func unpublished(result *builder.Result, v builder.Variant) *builder.Unpublished {
	if i := slices.IndexFunc(result.Unpublished, func(u builder.Unpublished) bool { return u.Profile == v.Profile }); i >= 0 {
		return &result.Unpublished[i]
	}
	return &builder.Unpublished{Profile: v.Profile}
}

// othersOf are the faults that are of no profile.
func othersOf(result *builder.Result, faults fault.List) fault.List {
	return slices.DeleteFunc(slices.Clone(distinct(faults)), func(f *fault.Fault) bool {
		return slices.ContainsFunc(result.Unpublished, func(u builder.Unpublished) bool {
			return slices.ContainsFunc(u.Faults, func(g *fault.Fault) bool { return sameFault(f, g) })
		})
	})
}

// platforms are the sections of an image, one for each of its platforms. The first tells of the build.
func (r *buildReport) platforms(ctx context.Context, e *env, daemon *daemonFlags, out *outputs, first report.Section) []report.Section {
	made := first.Build.Made
	if len(made.Platforms) < 2 {
		first.Image = r.holds(ctx, e, daemon, out, made, "")
		return []report.Section{first}
	}
	var all []report.Section
	for i, platform := range made.Platforms {
		one := report.Section{Name: made.Profile + " " + platform, Image: r.holds(ctx, e, daemon, out, made, platform)}
		if i == 0 {
			one.Build = first.Build
		}
		if one.Image != nil || one.Build != nil {
			all = append(all, one)
		}
	}
	return all
}

// holds reads what an image holds on a platform ("" = it has one), nil where that is not to be had.
func (r *buildReport) holds(ctx context.Context, e *env, daemon *daemonFlags, out *outputs, made *builder.Image, platform string) *inspect.Image {
	where, files := "", r.files
	switch archives := out.writers.archives[made.Profile]; {
	case len(archives) > 0:
		where, files = archives[0], true
	case out.push && made.Digest != "" && len(made.Tags) > 0:
		where = references(made.Tags[:1], made.Digest)[0]
	default:
		return nil
	}
	reader, err := newImageReader(ctx, e, daemon, platform, files)
	if err != nil {
		return nil
	}
	m, err := reader.read(ctx, where)
	if err != nil {
		e.note("the report has nothing of what is in %s: %v", where, err)
		return nil
	}
	if out.push && len(made.Tags) > 0 {
		m.Ref = made.Tags[0]
	}
	return m
}

// notesOn are the notes that were told of a profile, and of none.
func (s *session) notesOn(profile string) []string {
	return slices.DeleteFunc(slices.Clone(s.told), func(n string) bool {
		return slices.ContainsFunc(s.request.Variants, func(v builder.Variant) bool { return v.Profile != profile && strings.HasPrefix(n, v.Profile+": ") })
	})
}
