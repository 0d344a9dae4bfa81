package llb

import (
	"slices"

	bkllb "github.com/moby/buildkit/client/llb"

	"github.com/mlbuild/mlbuild/llb/layerplan"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/projectstep"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// What the names of layers end in whose files lie in the environment.
const inEnvironment = " in the environment"

// environmentLayers returns what build steps, other images and files of build steps bring into the environment, over the layers of the packages in below.
func environmentLayers(r *recipe.Recipe, in given, table ops.DirTable, steps map[string]projectstep.Result, below ops.Layers) (layers ops.Layers) {
	for _, b := range r.Build {
		if outputs := recipe.OverPackages(b.Outputs); len(outputs) > 0 {
			l := layerplan.Layer{Kind: layerplan.KindBuild, Name: b.Name + inEnvironment, Runs: "in the builder, when its source or commands change"}
			layers = layers.And(ops.Layer{Layer: l, State: overPackages(steps[b.Name], outputs, table, in, below)})
		}
	}
	for _, from := range copySources(r.CopyFrom, true) {
		done, name := steps[from.step], from.image
		if from.step == "" {
			done = fromImage(in, from.image)
		} else {
			name = "the " + done.Script.Who
		}
		l := layerplan.Layer{Kind: layerplan.KindCopy, Name: projectstep.OutputNames(from.outputs) + " from " + name}
		layers = layers.And(ops.Layer{Layer: l, State: overPackages(done, from.outputs, table, in, below)})
	}
	return layers
}

// fromImage is another image as if a step had left it.
func fromImage(in given, image string) projectstep.Result {
	s := in.setting().Group(ops.GroupCopy)
	ref := in.Images[image].Ref
	return projectstep.Result{
		Root:   bkllb.Image(ref, bkllb.Platform(in.platform), s.Named("%s", ref)),
		Script: projectstep.Script{Who: "image " + image, Group: s},
	}
}

// overPackages are files that a step left as they lie over the packages. Nobody looks at these where files may replace theirs.
func overPackages(done projectstep.Result, outputs []recipe.Output, table ops.DirTable, in given, below ops.Layers) bkllb.State {
	var packages []bkllb.State
	if slices.ContainsFunc(outputs, func(o recipe.Output) bool { return !o.Replace }) {
		packages = append(below.OfKind(layerplan.KindWheels).States(), below.OfKind(layerplan.KindBuilt).States()...)
	}
	return done.CollectOver(packages, outputs, table, in.setting())
}

// environmentFiles is the layer of the project's files that rules place in the environment, over the packages in below.
func environmentFiles(r *recipe.Recipe, in given, table ops.DirTable, below ops.Layers) ops.Layers {
	_, rules := splitRules(r.App.Copy)
	if len(rules) == 0 {
		return nil
	}
	s := ops.Group{ID: ops.GroupApp}
	placed := projectstep.Result{Root: placedFiles(rules, r.App.Ignore, r.User, table, in, s), Script: projectstep.Script{Who: "rules of app.copy", Group: s}}
	var outputs []recipe.Output
	for _, rule := range rules {
		uid, gid := owner(rule.Owner, r.User)
		for _, f := range rule.Files {
			to := destination(rule, f)
			outputs = append(outputs, recipe.Output{From: to, To: to, Owner: ownerText(uid, gid), Replace: rule.Replace})
		}
	}
	l := layerplan.Layer{Kind: layerplan.KindApp, Name: "the project's files" + inEnvironment}
	return ops.Layers{{Layer: l, State: overPackages(placed, outputs, table, in, below)}}
}

// splitRules returns the rules whose files lie outside of the environment, and those whose files lie in it.
func splitRules(rules []recipe.CopyRule) (beside, inside []recipe.CopyRule) {
	for _, rule := range rules {
		if recipe.InEnvironment(rule.To) {
			inside = append(inside, rule)
		} else {
			beside = append(beside, rule)
		}
	}
	return beside, inside
}

// inEnvironmentCount is how many layers with files of the environment an image has.
func inEnvironmentCount(r *recipe.Recipe) (n int) {
	for _, b := range r.Build {
		n += min(1, len(recipe.OverPackages(b.Outputs)))
	}
	for _, b := range r.Bake {
		n += min(1, len(recipe.OverPackages(b.Outputs)))
	}
	_, rules := splitRules(r.App.Copy)
	return n + len(copySources(r.CopyFrom, true)) + min(1, len(rules))
}
