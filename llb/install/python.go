package install

import (
	bkllb "github.com/moby/buildkit/client/llb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// pythonLibraries are the libraries of Debian that the modules of an official image's Python link.
var pythonLibraries = []string{
	"libbz2", "libcrypto", "libffi", "libgdbm", "libgdbm_compat", "liblzma", "libncursesw", "libnsl", "libpanelw", "libreadline",
	"libsqlite3", "libssl", "libtinfo", "libtirpc", "libuuid", "libz", "libzstd",
}

// Python is the Python of an official image, for a base that has none. It is copied from that image and is a function of it alone. The
// libraries go to /usr/lib, where the loader of Debian and Ubuntu looks last (ld.so(8), and no cache has to list them): what the base has
// itself in its own directories wins, and nothing of the base is replaced.
func Python(image ops.Base, r *recipe.Recipe, table ops.DirTable, p ocispecs.Platform) bkllb.State {
	s := ops.Group{ID: ops.GroupPython}
	from := bkllb.Image(image.Ref, bkllb.Platform(p), s.Named("%s", image.Ref))
	name := "python" + r.Python.Version
	lib := "/usr/local/lib/" + name
	a := table.Mkdirs("/usr/local/bin", lib, "/usr/lib")
	a.Copy(from, "/usr/local/bin/"+name, "/usr/local/bin/"+name, &bkllb.CopyInfo{FollowSymlinks: true}, 0, 0)
	a.Symlink(name, "/usr/local/bin/python3")
	a.Symlink("python3", "/usr/local/bin/python")
	a.Copy(from, lib, lib, &bkllb.CopyInfo{CopyDirContentsOnly: true}, 0, 0)
	some := &bkllb.CopyInfo{AllowWildcard: true, AllowEmptyWildcard: true}
	a.Copy(from, "/usr/local/lib/libpython*.so*", "/usr/lib/", some, 0, 0)
	for _, l := range pythonLibraries {
		for _, dir := range []string{"/lib/", "/usr/lib/"} { // one and the same since Debian 12
			a.Copy(from, dir+triplet(p)+"/"+l+".so.*", "/usr/lib/", some, 0, 0)
		}
	}
	return ops.Settled(bkllb.Scratch().File(a.Last, s.Named("Python %s of %s", r.Python.Version, r.Base.Python)), s)
}

// triplet is Debian's name of a platform in the paths of libraries.
func triplet(p ocispecs.Platform) string {
	if p.Architecture == "arm64" {
		return "aarch64-linux-gnu"
	}
	return "x86_64-linux-gnu"
}
