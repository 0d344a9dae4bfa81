package ops

import (
	"fmt"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/opencontainers/go-digest"

	"github.com/mlbuild/mlbuild/profiles/buildlock"
)

// PackageMounts downloads packages and says where a step finds their files.
func PackageMounts(packages []buildlock.Package) (files []string, mounts []bkllb.RunOption) {
	for i, p := range packages {
		dir := fmt.Sprintf("/in/%d", i)
		mounts = append(mounts, bkllb.AddMount(dir, downloadPackage(p), bkllb.Readonly))
		files = append(files, dir+"/"+p.File())
	}
	return files, mounts
}

func downloadPackage(p buildlock.Package) bkllb.State {
	return bkllb.HTTP(p.URL, bkllb.Checksum(digest.NewDigestFromEncoded(digest.SHA256, p.SHA256)),
		bkllb.Filename(p.File()), bkllb.Chmod(0o644), Download(p.File(), p.Size))
}
