package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/evidence"
	"github.com/mlbuild/mlbuild/llb/counts"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// The limits of a summary. GitHub takes no more of a step than a MiB (https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands, "Step isolation and limits").
const (
	maxSummary   = 1 << 20
	largest      = 10 // layers that are listed
	maxSummaryOf = 8 << 10
)

// summarize appends a summary of a build to the file that GitHub shows with the step. What cannot be written there is a note: the build is as good as it was.
func (e *env) summarize(result *builder.Result, faults fault.List) {
	path := e.get("GITHUB_STEP_SUMMARY")
	if !e.onGitHub() || path == "" {
		return
	}
	if err := appendSummary(path, visible(summary(result, faults))); err != nil {
		e.note("the summary of the step cannot be written: %v", err)
	}
}

// appendSummary appends as many lines as there is room for.
func appendSummary(path, text string) error {
	there := int64(0)
	if info, err := os.Stat(path); err == nil {
		if there = info.Size(); !info.Mode().IsRegular() {
			return fmt.Errorf("%s is no file", path)
		}
	}
	text = cutLines(text, maxSummary-there)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return cmp.Or(err, f.Close())
}

// cutLines returns the whole lines of a text that have room in so many bytes.
func cutLines(text string, room int64) string {
	if int64(len(text)) <= room {
		return text
	}
	return text[:strings.LastIndexByte(text[:max(0, room)], '\n')+1]
}

// summary is a build in GitHub's Markdown: a table of the images, the largest layers of each, and what went wrong.
func summary(result *builder.Result, faults fault.List) string {
	var w strings.Builder
	if len(result.Images)+len(result.Unpublished) > 0 {
		w.WriteString("### mlbuild\n\n| profile | platforms | image | size | layers | checks | time |\n|---|---|---|--:|---|---|--:|\n")
	}
	for _, m := range result.Images {
		row(&w, m.Profile, join(m.Platforms), whereIs(m), sizeText(m.Size), layersText(m), testedText(m), took(m.Seconds))
	}
	for _, u := range result.Unpublished {
		row(&w, u.Profile, join(u.Platforms), "not published", "", "", checksText(u.Checks), "")
	}
	for _, m := range result.Images {
		writeLayers(&w, m)
	}
	for i, f := range faults {
		if i == 0 {
			w.WriteString("\n### Faults\n")
		}
		fmt.Fprintf(&w, "\n**%s** %s\n\n", f.Code, escapeMarkdown(f.At.String()))
		writeVerbatim(&w, annotation(f))
	}
	if w.Len() > 0 {
		w.WriteByte('\n')
	}
	return w.String()
}

// row writes a row of a table.
func row(w *strings.Builder, cells ...string) {
	for _, c := range cells {
		w.WriteString("| " + escapeMarkdown(c) + " ")
	}
	w.WriteString("|\n")
}

// testedText is in a few words what an image, or its tests, passed.
func testedText(m builder.Image) string {
	if m.Tests != "" {
		return "tests " + m.Tests
	}
	return checksText(m.Checks)
}

// whereIs is where an image is: its first tag and its digest.
func whereIs(m builder.Image) string {
	where := ""
	if len(m.Tags) > 0 {
		where = m.Tags[0]
	}
	if m.Digest != "" {
		where += "@" + m.Digest
	}
	return where
}

func sizeText(bytes int64) string {
	if bytes == 0 {
		return ""
	}
	return counts.Bytes(bytes)
}

func layersText(m builder.Image) string {
	if m.Layers == nil {
		return ""
	}
	return layers(m.Layers)
}

// sized is a layer of an image with the bytes that it has.
type sized struct {
	name, kind string
	bytes      int64
	about      bool // as its packages are downloaded: the registry did not say
}

// writeLayers writes a table of the largest layers of an image, those whose size is known.
func writeLayers(w *strings.Builder, m builder.Image) {
	if m.Plan == nil {
		return
	}
	var all []sized
	for i, l := range m.Plan.Layers {
		s := sized{l.Name, string(l.Kind), l.Size, true}
		if i < len(m.LayerSizes) {
			s.bytes, s.about = m.LayerSizes[i], false
		}
		if s.bytes > 0 {
			all = append(all, s)
		}
	}
	slices.SortStableFunc(all, func(a, b sized) int { return cmp.Compare(b.bytes, a.bytes) })
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(w, "\n#### The largest layers of %s\n\n| layer | kind | size |\n|---|---|--:|\n", escapeMarkdown(m.Profile))
	for _, s := range all[:min(largest, len(all))] {
		about := ""
		if s.about {
			about = "about "
		}
		row(w, s.name, s.kind, about+counts.Bytes(s.bytes))
	}
}

// writeVerbatim writes a text as it is, cut where it is long, between fences that are longer than any in it.
func writeVerbatim(w *strings.Builder, text string) {
	if len(text) > maxSummaryOf {
		text = strings.ToValidUTF8(text[:maxSummaryOf], "") + " …"
	}
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	fmt.Fprintf(w, "%s\n%s\n%s\n", fence, text, fence)
}

// escapeMarkdown returns a text of one line of which no character means anything to GitHub's Markdown.
func escapeMarkdown(text string) string {
	var b strings.Builder
	for _, r := range strings.Join(strings.Fields(text), " ") {
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case strings.ContainsRune("\\`*_{}[]()#+!|>~$^=", r):
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// checksText is in a few words how the checks of an image ended.
func checksText(checks []evidence.Check) string {
	var parts, before []string
	off, several := 0, slices.ContainsFunc(checks, func(c evidence.Check) bool { return c.Platform != checks[0].Platform })
	for _, c := range checks {
		name := string(c.Name)
		if several {
			name += " on " + c.Platform
		}
		switch {
		case c.State == evidence.Off:
			off++
		case c.State == evidence.Reused:
			before = append(before, name)
		case c.State == evidence.Failed:
			parts = append(parts, name+" failed")
		case c.State == evidence.Passed && c.Name != evidence.Project:
			parts = append(parts, name+" "+took(c.Seconds))
		}
	}
	if len(before) > 0 {
		parts = append(parts, join(before)+" (passed before)")
	}
	switch {
	case off > 0 && off == len(checks):
		return "none (--checks=none)"
	case len(parts) == 0 && slices.ContainsFunc(checks, evidence.Check.Good):
		return "the project's files; nothing is run"
	}
	return join(parts)
}
