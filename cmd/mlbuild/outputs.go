package main

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/builder/publish"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// outputFlags say where the images go.
type outputFlags struct {
	outputs []string
	push    bool
	load    bool
}

// outputs are the parsed flags, with what has to be finished after the build.
type outputs struct {
	list    []builder.Output
	names   []string // further tags, from name=
	push    bool
	stdout  bool // an archive goes to stdout
	writers *writers
}

// outputTypes are the values of type= in docker buildx's --output, with the type that they mean.
var outputTypes = map[string]publish.Type{
	"image": publish.Image, "registry": publish.Image, "oci": publish.OCI, "docker": publish.Docker, "local": publish.Local, "tar": publish.Tar,
}

// parse reads --output, --push and --load. Without any of them the image is made and stays with the daemon.
func (o *outputFlags) parse(ctx context.Context, e *env, variants []builder.Variant) (*outputs, error) {
	out := &outputs{push: o.push, writers: newWriters(e, variants)}
	var faults fault.List
	for _, text := range o.outputs {
		if err := out.add(text, variants); err != nil {
			faults = append(faults, fault.All(err)...)
		}
	}
	if o.load {
		faults = append(faults, fault.All(out.addLoad(ctx, e, variants))...)
	}
	faults = append(faults, fault.All(out.addImage())...)
	if out.stdout && isTerminal(e.stdout) {
		faults = append(faults, fault.New(fault.Output, "an archive is not written to a terminal").Hint("redirect it, or name a file: dest=image.tar"))
	}
	if out.stdout && len(variants) > 1 {
		faults = append(faults, fault.New(fault.Usage, "several profiles cannot share stdout").Hint("name files: dest=%s.tar", profilePlace))
	}
	return out, faults.Err()
}

// add reads one --output: a directory, "-" for a tar archive on stdout, or type=…,dest=….
func (o *outputs) add(text string, variants []builder.Variant) error {
	fields, err := attributes("--output", text)
	if err != nil {
		return err
	}
	out, dest := builder.Output{Attrs: map[string]string{}}, ""
	if loneValue(fields) {
		out.Type, dest = publish.Local, fields[0].value
		if dest == "-" {
			out.Type = publish.Tar
		}
		fields = nil
	}
	for _, a := range fields {
		switch a.key {
		case "":
			return unknownAttribute("--output", text, a)
		case "type":
			out.Type = outputTypes[a.value]
			if out.Type == "" {
				return fault.New(fault.Usage, "--output %q: there is no type %q", text, a.value).Hint("the types are: %s", join(sortedKeys(outputTypes)))
			}
			out.Push = out.Push || a.value == "registry"
		case "dest":
			dest = a.value
		case "name":
			o.names = append(o.names, strings.Split(a.value, ",")...)
		case "push":
			if out.Push, err = isTrue(a.value); err != nil {
				return fault.New(fault.Usage, "--output %q: push=%w", text, err)
			}
		case "compression-level":
			return fault.New(fault.Usage, "--output %q: a level cannot be chosen", text).
				Hint("a daemon keeps the first blob of a layer, so a level would make digests depend on what it built before")
		default:
			out.Attrs[a.key] = a.value
		}
	}
	return o.place(text, out, dest, variants)
}

// place connects an output with its destination.
func (o *outputs) place(text string, out builder.Output, dest string, variants []builder.Variant) error {
	switch out.Type.Place() {
	case publish.Nowhere:
		return fault.New(fault.Usage, "--output %q has no type", text).Hint("for example --output type=oci,dest=image.tar")
	case publish.Registry:
		if dest != "" {
			return fault.New(fault.Usage, "--output %q: an image has no dest; it goes to the registry of its tag", text)
		}
	case publish.Directory:
		if dest == "" || dest == "-" {
			return fault.New(fault.Usage, "--output %q: the directory is missing", text).Hint("--output type=local,dest=DIR")
		}
		if out.Dir = dest; len(variants) > 1 && !strings.Contains(dest, profilePlace) {
			out.Dir += "-" + profilePlace
		}
		for _, v := range variants {
			if f := checkDir("dest=", out.Directory(v.Profile)); f != nil {
				return f
			}
		}
	case publish.File:
		if err := onePlatform(out.Type, variants); err != nil {
			return err
		}
		if dest == "" || dest == "-" {
			o.stdout = true
			dest = "-"
		}
		paths := destinations(dest, variants)
		if err := o.writers.check(paths); err != nil {
			return err
		}
		out.Open = o.writers.file(paths)
	}
	o.list = append(o.list, out)
	return nil
}

// onePlatform refuses docker's own archive for several platforms, which has no form for them.
func onePlatform(kind publish.Type, variants []builder.Variant) error {
	for _, v := range variants {
		if kind == publish.Docker && len(v.Recipes) > 1 {
			return fault.New(fault.Usage, "type=docker takes images of one platform; profile %s is built for %d", v.Profile, len(v.Recipes)).
				Hint("give one --platform, or --output type=oci,dest=image.tar")
		}
	}
	return nil
}

// destinations gives each profile its file: {profile} says where the name goes, else several profiles get their suffix before the
// extension.
func destinations(dest string, variants []builder.Variant) map[string]string {
	paths := map[string]string{}
	for _, v := range variants {
		switch {
		case strings.Contains(dest, profilePlace):
			paths[v.Profile] = strings.ReplaceAll(dest, profilePlace, v.Profile)
		case len(variants) > 1 && dest != "-":
			ext := extension(dest)
			paths[v.Profile] = strings.TrimSuffix(dest, ext) + "-" + v.Profile + ext
		default:
			paths[v.Profile] = dest
		}
	}
	return paths
}

// extension is filepath.Ext that knows .tar.gz and the like.
func extension(path string) string {
	ext := filepath.Ext(path)
	if inner := filepath.Ext(strings.TrimSuffix(path, ext)); inner == ".tar" {
		return inner + ext
	}
	return ext
}

// addLoad adds the archive that "docker load" reads. Its layers are uncompressed: they only cross a pipe, and docker before 23 reads no zstd.
func (o *outputs) addLoad(ctx context.Context, e *env, variants []builder.Variant) error {
	for _, v := range variants {
		if len(v.Recipes) > 1 {
			return fault.New(fault.Usage, "--load takes images of one platform; profile %s is built for %d", v.Profile, len(v.Recipes)).
				Hint("give one --platform, or --output type=oci,dest=image.tar")
		}
	}
	docker, err := lookPath("docker", e.get("PATH"))
	if err != nil {
		return fault.New(fault.Output, "--load needs the docker command: %w", err).
			Hint("or write the archive: --output type=docker,dest=image.tar")
	}
	if err := pingDocker(ctx, docker, e.environ, "--load"); err != nil {
		return err
	}
	o.loadInto(docker)
	return nil
}

// loadInto adds the archive that a program takes by "load", as docker and podman do.
func (o *outputs) loadInto(program string) {
	o.list = append(o.list, builder.Output{
		Type: publish.Docker, Attrs: map[string]string{"compression": "uncompressed", "force-compression": "true"},
		Open: o.writers.load(program),
	})
}

// addImage adds what --push wants, or makes sure that there is any output at all. The image comes last, because the daemon's answer names
// the digest of the last exporter.
func (o *outputs) addImage() error {
	images := 0
	for i := range o.list {
		if o.list[i].Type.Place() == publish.Registry {
			images++
			o.list[i].Push = o.list[i].Push || o.push
			o.push = o.list[i].Push
		}
	}
	if images > 1 {
		return fault.New(fault.Usage, "there are %d outputs of type image or registry; one takes every tag", images).Hint("repeat --tag instead")
	}
	if images == 0 && (o.push || len(o.list) == 0) {
		o.list = append(o.list, builder.Output{Type: publish.Image, Attrs: map[string]string{}, Push: o.push})
	}
	slices.SortStableFunc(o.list, func(a, b builder.Output) int { return imageLast(a) - imageLast(b) })
	return nil
}

func imageLast(o builder.Output) int {
	if o.Type.Place() == publish.Registry {
		return 1
	}
	return 0
}

// keepsNothing reports whether the image goes nowhere.
func (o *outputs) keepsNothing() bool {
	return len(o.list) == 1 && o.list[0].Type.Place() == publish.Registry && !o.push
}

// describe lists the files of a profile, for the summary.
func (o *outputs) describe(profile string) []string {
	var all []string
	for _, out := range o.list {
		if out.Type.Place() == publish.Directory {
			all = append(all, "directory "+out.Directory(profile))
		}
	}
	return append(all, o.writers.written[profile]...)
}
