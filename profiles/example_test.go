package profiles_test

import (
	"fmt"
	"testing/fstest"

	"github.com/mlbuild/mlbuild/profiles"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// Load a project and decide its GPU image for one platform.
func ExampleProject_Resolve() {
	project, err := profiles.Load(fstest.MapFS{
		"mlbuild.yaml":     {Data: []byte("version: 1\nname: hello\npython: {version: \"3.12\"}\napp: {copy: [main.py], command: [python, main.py]}\n")},
		"requirements.txt": {Data: []byte("onnxruntime>=1.20\n")},
		"main.py":          {Data: []byte("import onnxruntime\n")},
	}, "")
	if err != nil {
		panic(err)
	}
	recipe, err := project.Resolve(profiles.Selection{Profile: "gpu", Platform: "linux/amd64"})
	if err != nil {
		panic(err)
	}
	fmt.Println(recipe.Profile, recipe.Platform, "on Python", recipe.Python.Version)
	fmt.Println("in place of what is asked for:", recipe.Requires.Rename)
	for _, rule := range recipe.App.Copy {
		fmt.Println(rule.Files, "to", rule.To)
	}
	// Output:
	// gpu linux/amd64 on Python 3.12
	// in place of what is asked for: map[onnxruntime:onnxruntime-gpu[cuda,cudnn]]
	// [main.py] to /app/
}

// Every fault of a project is found at once, each with its place.
func ExampleLoad() {
	_, err := profiles.Load(fstest.MapFS{
		"mlbuild.yaml": {Data: []byte("version: 1\nname: hello\npyhton: {version: \"3.12\"}\napp: {comand: [python, main.py]}\n")},
	}, "")
	for _, f := range fault.All(err) {
		fmt.Printf("%s:%d:%d %s\n", f.At.File, f.At.Line, f.At.Column, f.Message)
	}
	// Output:
	// mlbuild.yaml:3:1 unknown key "pyhton" in the project file
	// mlbuild.yaml:4:7 unknown key "comand" in app
}
