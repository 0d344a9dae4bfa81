package convert

import (
	"io/fs"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/dockerfile"
	"github.com/mlbuild/mlbuild/profiles/scaffold"
)

// rule is what the image gets of the project.
type rule struct {
	from, to    string // to is absolute; with a slash at the end the files keep their names
	mode, owner string
	exclude     []string
}

// target is where a source of COPY comes to lie in a stage.
func target(at place, source string) string {
	to := inDir(at.workdir, at.step.Files.To)
	src := path.Clean(source)
	if isDir(at.project, src) {
		return to
	}
	if intoDir(at) {
		return path.Join(to, path.Base(src))
	}
	return to
}

// intoDir reports whether files keep their names where COPY puts them.
func intoDir(at place) bool {
	f := at.step.Files
	to := inDir(at.workdir, f.To)
	return strings.HasSuffix(f.To, "/") || f.To == "." || len(f.Sources) > 1 || to == at.workdir || strings.ContainsAny(f.Sources[0], "*?[")
}

// readCopy takes what COPY and ADD bring.
func readCopy(s said, at place) said {
	step := at.step
	f := step.Files
	if f.From != "" {
		return readCopyFrom(s, at)
	}
	if at.helper {
		return s
	}
	if f.Inline {
		return leave(s, step.Line, step.Text, "a file that is written in the Dockerfile: make it one of the project, and name it in app.copy")
	}
	for _, src := range f.Sources {
		switch clean := strings.TrimPrefix(path.Clean(src), "/"); {
		case strings.Contains(src, "://") || strings.HasPrefix(src, "git@"):
			s = leave(s, step.Line, step.Text, "a download is one of models, {url, sha256, to}, or the source of a step of build")
		case step.Kind == dockerfile.Add && isArchive(src):
			s = leave(s, step.Line, step.Text, "ADD unpacks an archive: make it a model of the project with unpack, or the source of a step of build")
		case clean != "" && !isPattern(clean) && !exists(at.project, defaultOf(s.args, clean)):
			s = leave(s, step.Line, step.Text, src+" is not in the project")
		case clean == "" || clean == ".":
			s.copied = append(slices.Clone(s.copied), ruleOf(at, "."))
		default:
			s.copied = append(slices.Clone(s.copied), ruleOf(at, clean))
		}
	}
	return s
}

func ruleOf(at place, src string) rule {
	f := at.step.Files
	r := rule{from: src, to: inDir(at.workdir, f.To), mode: f.Chmod, owner: f.Chown, exclude: f.Exclude}
	if !isDir(at.project, src) && intoDir(at) {
		r.to += "/"
	}
	if !mode.MatchString(r.mode) {
		r.mode = ""
	}
	return r
}

// readCopyFrom takes files of stages and of other images.
func readCopyFrom(s said, at place) said {
	step := at.step
	f := step.Files
	_, isStage := stageNamed(at.file, len(at.file.Stages), f.From)
	switch {
	case strings.Contains(f.From, "astral-sh/uv") || at.helper:
		return s
	case slices.ContainsFunc(f.Sources, isEnvironment):
		return s // what is installed there is read where it is installed
	case isStage && slices.ContainsFunc(s.models, func(line string) bool {
		return slices.ContainsFunc(f.Sources, func(src string) bool { return below(line, src) })
	}):
		return s
	case isStage:
		return leave(s, step.Line, step.Text, "files that a stage makes are outputs of a step of build, bake or models")
	}
	for _, src := range f.Sources {
		s.dirs = slices.Clone(s.dirs)
		s = leave(s, step.Line, step.Text, "copyFrom: [{image: "+scaffold.Word(f.From)+", from: "+src+", to: "+f.To+"}] copies files of another image")
	}
	return s
}

// below reports whether a model's line has a place in a directory of the image.
func below(line, dir string) bool {
	dir = strings.TrimPrefix(path.Clean(dir), "/models")
	return dir == "" || strings.Contains(line, strings.TrimPrefix(dir, "/"))
}

// modelLine is an item of models for a repository of the hub.
func modelLine(repo string, files []string, to, revision string) string {
	line := "{huggingface: " + scaffold.Word(repo)
	if revision != "" && revision != "main" && !strings.Contains(revision, "$") {
		line += ", revision: " + scaffold.Word(revision)
	}
	if len(files) > 0 {
		line += ", files: " + scaffold.List(files)
	}
	return line + ", to: " + scaffold.Word(strings.TrimPrefix(to, "/models/")) + "}"
}

// ruleText writes a rule as app.copy has it.
func ruleText(project fs.FS, r rule, workdir, owner string) string {
	keeps := strings.HasSuffix(r.to, "/")
	to := strings.TrimSuffix(r.to, "/")
	if keeps && !isPattern(r.from) {
		to = path.Join(to, path.Base(r.from))
	}
	plain := path.Join(workdir, r.from) == to || isPattern(r.from) && path.Join(workdir, path.Dir(r.from)) == to && !strings.Contains(r.from, "**")
	var parts []string
	if !plain {
		rel := relative(workdir, to)
		from := r.from
		if isPattern(r.from) || to == workdir && isDir(project, r.from) {
			rel += "/"
		}
		if to == workdir && isDir(project, r.from) && r.from != "." {
			from += "/"
		}
		parts = append(parts, "from: "+scaffold.Word(from), "to: "+scaffold.Word(rel))
	}
	if r.mode != "" {
		parts = append(parts, "mode: "+`"`+r.mode+`"`)
	}
	if r.owner != "" && r.owner != owner {
		parts = append(parts, "owner: "+quotedOwner(r.owner))
	}
	if len(r.exclude) > 0 {
		parts = append(parts, "exclude: "+scaffold.List(r.exclude))
	}
	if len(parts) == 0 {
		return scaffold.Word(r.from)
	}
	if plain {
		parts = slices.Insert(parts, 0, "from: "+scaffold.Word(r.from))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func quotedOwner(o string) string {
	if o == "root" || o == "root:root" || o == "0" {
		o = "0:0"
	}
	return `"` + o + `"`
}

// relative is a path as it is seen from a directory, or as it is.
func relative(dir, p string) string {
	if p == dir {
		return "."
	}
	if rest, ok := strings.CutPrefix(p, strings.TrimSuffix(dir, "/")+"/"); ok {
		return rest
	}
	return p
}

func isPattern(name string) bool { return strings.ContainsAny(name, "*?[") }

func isArchive(name string) bool {
	for _, end := range []string{".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar.zst"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

func exists(project fs.FS, name string) bool {
	if strings.Contains(name, "$") {
		return true // an argument without a default
	}
	_, err := fs.Stat(project, name)
	return err == nil
}

func isDir(project fs.FS, name string) bool {
	info, err := fs.Stat(project, name)
	return err == nil && info.IsDir()
}

func isFile(project fs.FS, name string) bool {
	info, err := fs.Stat(project, name)
	return err == nil && info.Mode().IsRegular()
}

func keysOf[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }
