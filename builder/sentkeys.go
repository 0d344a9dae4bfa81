package builder

import (
	"context"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/builder/localfs"
	"github.com/mlbuild/mlbuild/llb"
)

// sentKeys returns the keys of layers that are made from files of the project too, by what the files hold now; "" for the other layers. A file that cannot be read leaves its
// layers without: the daemon then asks for it, and it is said.
func sentKeys(ctx context.Context, project *localfs.Dir, sent []llb.Sent) []string {
	keys, known := make([]string, len(sent)), map[string]digest.Digest{}
	for i, s := range sent {
		var contents []digest.Digest
		for _, files := range s.Files {
			if _, ok := known[files.Name()]; !ok {
				known[files.Name()], _ = project.Contents(ctx, files)
			}
			contents = append(contents, known[files.Name()])
		}
		if len(contents) > 0 && !slices.Contains(contents, "") && steady(project, s) {
			keys[i] = s.Key(contents)
		}
	}
	return keys
}

// steady reports whether the files of a layer were the same all the time.
func steady(project *localfs.Dir, s llb.Sent) bool {
	return !slices.ContainsFunc(s.Files, func(files localfs.Selection) bool { return !project.Steady(files) })
}
