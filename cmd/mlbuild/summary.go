package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/rows"
	"github.com/mlbuild/mlbuild/llb"
	"github.com/mlbuild/mlbuild/llb/counts"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// report tells what was made: a block for people or JSON on stdout, notes on stderr, and the metadata file.
func (b *buildFlags) report(e *env, s *session, out *outputs, result *builder.Result) error {
	w := e.stdout
	if out.stdout {
		w = e.stderr
	}
	switch {
	case b.json:
		e.pending.answer(&buildAnswer{Result: result})
	case b.progress == quietMode:
		for _, m := range result.Images {
			for _, name := range quietNames(m, out.push) {
				fmt.Fprintln(w, name)
			}
		}
		if result.Index != nil {
			fmt.Fprintln(w, result.Index.Digest)
		}
	default:
		for _, m := range result.Images {
			printImage(w, m, out)
		}
		if x := result.Index; x != nil {
			fmt.Fprintf(w, "index of all profiles\n  image  %s\n  digest %s\n", x.Ref, x.Digest)
		}
	}
	b.notes(e, s, out, result)
	for _, m := range result.Images {
		e.debug("%s: %s", m.Profile, m.Route)
	}
	if len(result.Images) == 0 {
		return nil
	}
	return b.writeFiles(out, result)
}

// quietNames are what --quiet prints of an image: its names by digest where it was pushed, else the digest alone.
func quietNames(m builder.Image, pushed bool) []string {
	switch {
	case m.Digest == "":
		return nil
	case pushed && len(m.Tags) > 0:
		return references(m.Tags, m.Digest)
	}
	return []string{m.Digest}
}

// writeFiles writes what programs read of the images: the metadata file, the image's id and the references.
func (b *buildFlags) writeFiles(out *outputs, result *builder.Result) error {
	var faults fault.List
	if b.iidFile != "" {
		m := result.Images[0]
		faults = append(faults, fault.All(writeFile(b.iidFile, []byte(cmp.Or(m.Config, m.Digest))))...)
	}
	if b.imageRefs != "" {
		var lines strings.Builder
		for _, m := range result.Images {
			for _, ref := range quietNames(m, out.push) {
				fmt.Fprintln(&lines, ref)
			}
		}
		faults = append(faults, fault.All(writeFile(b.imageRefs, []byte(lines.String())))...)
	}
	if b.metadataFile != "" {
		faults = append(faults, fault.All(writeMetadata(b.metadataFile, result))...)
	}
	return faults.Err()
}

// writeMetadata writes the metadata file.
func writeMetadata(path string, result *builder.Result) error {
	data, err := json.MarshalIndent(metadata(result), "", "  ")
	if err != nil {
		return fault.New(fault.Internal, "encode the metadata: %w", err)
	}
	return writeFile(path, append(data, '\n'))
}

// notes tells what a user should know of the images that were made.
func (b *buildFlags) notes(e *env, s *session, out *outputs, result *builder.Result) {
	unlocked := false
	for _, m := range result.Images {
		for _, n := range m.Notes {
			s.note("%s", imageNote(m, n))
		}
		unlocked = unlocked || !m.Locked
	}
	for _, v := range s.request.Variants {
		if s.stopped {
			break // what was assumed is of no interest any more
		}
		for _, n := range v.Recipes[0].Notes {
			s.note("%s", n)
		}
	}
	if unlocked && llb.NeedsPackages(b.project.target) {
		s.note("the packages were chosen now; \"mlbuild lock\" pins them, and only then is the digest the same tomorrow and on another daemon")
	}
	if out.keepsNothing() && len(result.Images) > 0 && b.project.target != "testing" {
		s.note("the image stays in the daemon's cache: --push, --load or --output take it out")
	}
	s.end(e)
}

// imageNote is a note on an image as it is told.
func imageNote(m builder.Image, note string) string { return m.Profile + ": " + note }

// printImage writes one profile's block.
func printImage(w io.Writer, m builder.Image, out *outputs) {
	title := m.Profile
	if len(m.Platforms) > 0 {
		title += " (" + strings.Join(m.Platforms, ", ") + ")"
	}
	fmt.Fprintln(w, title)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-6s %s\n", name, fmt.Sprintf(format, args...))
	}
	for _, t := range m.Tags {
		line("image", "%s", t)
	}
	if m.Tests != "" {
		line("tests", "%s", m.Tests)
	}
	if checks := checksText(m.Checks); checks != "" {
		line("checks", "%s", checks)
	}
	for _, c := range m.Checks {
		if c.GPU != "" {
			line("gpu", "%s", c.GPU)
		}
	}
	if m.Digest != "" {
		line("digest", "%s", m.Digest)
	}
	if m.CUDA != "" {
		line("cuda", "%s", m.CUDA)
	}
	if m.Size > 0 {
		line("size", "%s", counts.Bytes(m.Size))
	}
	if len(m.Pruned) > 0 {
		line("pruned", "%s", pruned(m.Pruned))
	}
	if out.push {
		line("layers", "%s", layers(m.Layers))
	}
	line("steps", "%d cached, %d run", m.Cached, m.Ran-m.Sources)
	line("time", "%s", took(m.Seconds))
	for _, d := range out.describe(m.Profile) {
		line("output", "%s", d)
	}
}

// took writes seconds as the progress does.
func took(seconds float64) string {
	return rows.Seconds(time.Duration(seconds * float64(time.Second)))
}

// pruned says what each rule left out.
func pruned(rules []builder.Pruned) string {
	said := make([]string, len(rules))
	for i, p := range rules {
		said[i] = p.Rule + " " + counts.Bytes(p.Bytes)
	}
	return join(said)
}

func layers(l *builder.Layers) string {
	if l == nil {
		return "unknown: the registry did not let mlbuild look"
	}
	most := ""
	if l.AtMost {
		most = "at most "
	}
	return fmt.Sprintf("%d new, %d reused, %s%s pushed", l.New, l.Reused, most, counts.Bytes(l.Pushed))
}

// metadata has docker buildx's keys: flat for one profile as "buildx build" writes them, by profile for several as "buildx bake" does.
func metadata(result *builder.Result) map[string]any {
	all := map[string]any{}
	for _, m := range result.Images {
		all[m.Profile] = imageMetadata(m)
	}
	if len(result.Images) == 1 {
		return imageMetadata(result.Images[0])
	}
	return all
}

func imageMetadata(m builder.Image) map[string]any {
	all := map[string]any{"mlbuild.profile": m.Profile, "mlbuild.platforms": m.Platforms, "mlbuild.locked": m.Locked}
	set := func(key, value string) {
		if value != "" {
			all[key] = value
		}
	}
	set("containerimage.digest", m.Digest)
	set("containerimage.config.digest", m.Config)
	set("image.name", strings.Join(m.Tags, ","))
	set("mlbuild.cuda", m.CUDA)
	if m.Descriptor.Size > 0 {
		all["containerimage.descriptor"] = m.Descriptor
	}
	if m.Layers != nil {
		all["mlbuild.layers"] = m.Layers
	}
	return all
}

// metadataKeys are the keys of the metadata file.
var metadataKeys = []variable{
	{"containerimage.digest", "digest of the image's manifest, or of the index for several platforms"},
	{"containerimage.config.digest", "digest of the config; absent for an index"},
	{"containerimage.descriptor", "descriptor of the manifest or index: mediaType, digest and size in bytes"},
	{"image.name", "the image's references, separated by commas"},
	{"mlbuild.profile", "the profile"},
	{"mlbuild.platforms", "the platforms, a list"},
	{"mlbuild.locked", "true if the packages came from a lock"},
	{"mlbuild.cuda", "the CUDA that the packages bring"},
	{"mlbuild.layers", "what was pushed and what the registry had: the object Layers"},
}
