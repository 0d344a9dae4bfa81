package query

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/mlbuild/mlbuild/llb/llbtest"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

func TestUVPlatform(t *testing.T) {
	for _, c := range []struct{ platform, glibc, want string }{
		{"linux/amd64", "", "x86_64-manylinux_2_28"},
		{"linux/arm64", "", "aarch64-manylinux_2_28"},
		{"linux/arm64/v8", "2.36", "aarch64-manylinux_2_36"},
		{"linux/amd64", "nonsense", "x86_64-manylinux_2_28"},
		{"linux/amd64", "2.17", "x86_64-manylinux_2_17"},
		{"linux/amd64", "2.27", "x86_64-manylinux_2_17"},
		{"linux/amd64", "2.28", "x86_64-manylinux_2_28"},
		{"linux/amd64", "2.30", "x86_64-manylinux_2_28"},
		{"linux/amd64", "2.31", "x86_64-manylinux_2_31"},
		{"linux/arm64", "2.35", "aarch64-manylinux_2_35"},
		{"linux/amd64", "2.36", "x86_64-manylinux_2_36"},
		{"linux/amd64", "2.39", "x86_64-manylinux_2_39"},
		{"linux/amd64", "2.40", "x86_64-manylinux_2_40"},
		{"linux/arm64", "2.41", "aarch64-manylinux_2_40"},
	} {
		if got := UVPlatform(c.platform, c.glibc); got != c.want {
			t.Errorf("%s, glibc %q: got %s, want %s", c.platform, c.glibc, got, c.want)
		}
	}
}

func TestCompileArgs(t *testing.T) {
	r := requirements()
	r.Requires.Files = append(r.Requires.Files, recipe.File{Path: "torchaudio.txt"}, recipe.File{Path: "dev/two.txt", Top: true})
	r.Requires.Constraints = []recipe.File{{Path: "c.txt", Top: true}, {Path: "included.txt"}}
	r.Requires.Project.Extras, r.Requires.Project.Groups = []string{"serve"}, []string{"gpu"}
	r.Requires.Overrides, r.Requires.Strategy, r.Requires.FindLinks = []string{"numpy==1"}, "unsafe-best-match", []string{"https://links.example/a", "https://links.example/b"}
	r.Requires.Cooldown, r.Requires.Fresh = "7 days", []string{"flask"}
	r.Requires.Ages = map[string]string{"flask": "2026-01-01", "six": "2026-02-01", "idna": "false"}
	r.Requires.Prerelease, r.Requires.Resolution = "allow", "lowest-direct"
	r.Builder.Constraints = []recipe.File{{Path: "limits/builds.txt", Top: true}, {Path: "limits/more.txt"}}
	got := ResolveInputs{Direct: []string{"secretsauce", "torch"}, Upgrade: []string{"numpy", "torch"}}.compileArgs(r)
	want := []string{
		"pyproject.toml", "project/requirements.txt", "project/dev/two.txt", "--constraints", "project/c.txt",
		"--build-constraints", "builds/limits/builds.txt",
		"project/pyproject.toml", "--extra", "serve", "--group", "project/pyproject.toml:gpu",
		"--overrides", "overrides.txt", "--index-strategy", "unsafe-best-match", "--find-links", "https://links.example/a", "--find-links", "https://links.example/b",
		"--exclude-newer", "7 days", "--exclude-newer-package", "flask=false", "--exclude-newer-package", "torch=false",
		"--exclude-newer-package", "idna=false", "--exclude-newer-package", "six=2026-02-01", "--prerelease", "allow", "--resolution", "lowest-direct",
		"--python-version", "3.11", "--upgrade-package", "numpy", "--upgrade-package", "torch",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("arguments (-want +got):\n%s", d)
	}
}

func TestPlatformArgument(t *testing.T) {
	one, two := ResolveInputs{Platforms: []string{"linux/amd64"}, Glibc: "2.36"}, ResolveInputs{Platforms: []string{"linux/amd64", "linux/arm64"}}
	if got := one.glibcArgs(llbtest.Recipe()); got != "--python-platform=x86_64-manylinux_2_36" {
		t.Errorf("one platform: %q", got)
	}
	if got := two.glibcArgs(llbtest.Recipe()); got != "--universal" {
		t.Errorf("two platforms: %q", got)
	}
}

func TestResolutionStep(t *testing.T) {
	g := resolution(t, func(r *recipe.Recipe, in *ResolveInputs) {
		*r = *requirements()
		in.Previous, in.Nonce, in.Worker = "lock-version = '1.0'\n", "n1", ocispecs.Platform{OS: "linux", Architecture: "arm64"}
		in.Tool.Config.Platform = in.Worker
		in.Network = ops.Network{CA: true}
	})
	v := g.Named("uv: resolve the requirements of cpu")
	want := []string{
		"CURL_CA_BUNDLE=" + ops.CAPath, "LANG=C.UTF-8", "MLBUILD_NONCE=n1", "PATH=/usr/local/bin:/usr/bin:/bin", "PIP_CERT=" + ops.CAPath,
		"REQUESTS_CA_BUNDLE=" + ops.CAPath, "SSL_CERT_FILE=" + ops.CAPath, "UV_CACHE_DIR=/cache", "UV_NO_PROGRESS=1", "UV_PYTHON_DOWNLOADS=never",
	}
	if d := cmp.Diff(want, llbtest.Sorted(v.Op.GetExec().Meta.Env)); d != "" {
		t.Errorf("variables (-want +got):\n%s", d)
	}
	if v.Op.Platform.Architecture != "arm64" || v.Op.GetExec().Meta.Cwd != "/src" {
		t.Errorf("runs on %v in %s", v.Op.Platform, v.Op.GetExec().Meta.Cwd)
	}
	for _, dest := range []string{"/src", "/uv"} {
		if m := llbtest.Mount(v, dest); m == nil || !m.Readonly {
			t.Errorf("mount %s: %v", dest, m)
		}
	}
	if m := llbtest.Mount(v, "/cache"); m.GetCacheOpt().GetID() != "mlbuild/uv/"+ops.UVVersion+"/arm64" || m.CacheOpt.Sharing != pb.CacheSharingOpt_SHARED {
		t.Errorf("uv's cache: %v", m)
	}
	var files []string
	for _, a := range g.Named("the project's requirements").Op.GetFile().Actions {
		if f := a.GetMkfile(); f != nil {
			files = append(files, f.Path)
		}
	}
	wantFiles := []string{"/previous.toml", "/project/pyproject.toml", "/project/requirements.txt", "/pyproject.toml"}
	if d := cmp.Diff(wantFiles, files); d != "" {
		t.Errorf("files (-want +got):\n%s", d)
	}
	last, out := g.ByDigest[g.Output], llbtest.Mount(v, "/out")
	if last.Digest != v.Digest || out.Input != -1 {
		t.Errorf("the result is %s with output %v", last.Name, out)
	}
}

func TestPinnedUV(t *testing.T) {
	g := resolution(t, nil)
	args := g.Named("pip: bring uv").Op.GetExec().Meta.Args
	for _, need := range []string{"--require-hashes", "--no-deps", ":all:", "--target"} {
		if !strings.Contains(strings.Join(args, " "), need) {
			t.Errorf("pip runs without %s: %q", need, args)
		}
	}
	data := string(g.Named("pin uv").Op.GetFile().Actions[0].GetMkfile().Data)
	if !strings.HasPrefix(data, "uv=="+ops.UVVersion+" ") || strings.Count(data, "--hash=sha256:") != 2 {
		t.Errorf("requirement: %s", data)
	}
}

func TestIndexSecretNames(t *testing.T) {
	for index, want := range map[string]string{"corp": "CORP", "my-index": "MY_INDEX", "a1.b": "A1_B", "Ünï": "_N_"} {
		if got := ops.EnvName(index); got != want {
			t.Errorf("%s: got %s, want %s", index, got, want)
		}
	}
	g := resolution(t, func(r *recipe.Recipe, _ *ResolveInputs) {
		r.Requires.Indexes = []recipe.Index{{Name: "z-index", URL: "https://z.example", Secret: "zs"}, {Name: "open", URL: "https://o.example"},
			{Name: "a", URL: "https://a.example", Secret: "as"}}
	})
	var got []string
	for _, s := range g.Named("uv: resolve").Op.GetExec().Secretenv {
		got = append(got, s.Name+" "+s.ID)
	}
	if d := cmp.Diff([]string{"MLBUILD_INDEX_A mlbuild-index-a", "MLBUILD_INDEX_Z_INDEX mlbuild-index-z-index"}, llbtest.Sorted(got)); d != "" {
		t.Errorf("secrets (-want +got):\n%s", d)
	}
}

// TestResolveScript runs the script with a uv that writes down how it was called.
func TestResolveScript(t *testing.T) {
	llbtest.Shell(t, ResolveInputs{}.script())
	llbtest.Shell(t, ResolveInputs{Base: []Installed{{}}}.script())
	dir := t.TempDir()
	uv := filepath.Join(dir, "uv")
	fake := "#!/bin/sh\nprintf '%s\\n' \"$#\" \"$@\" >>" + dir + "/calls\nenv | grep -E '^(UV|MLBUILD)_INDEX' | sort >" + dir + "/env\n"
	if err := os.WriteFile(uv, []byte(fake), 0o755); err != nil {
		t.Fatal(err)
	}
	matched := filepath.Join(dir, "project", "with space")
	if err := errors.Join(os.MkdirAll(matched, 0o755), os.WriteFile(filepath.Join(matched, "a.txt"), nil, 0o644),
		os.WriteFile(filepath.Join(dir, "previous.toml"), []byte("previous"), 0o644)); err != nil {
		t.Fatal(err)
	}
	script := strings.NewReplacer("/uv/bin/uv", uv, "/out/", dir+"/").Replace(ResolveInputs{}.script())
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-euc", script, "sh", "--universal", "pyproject.toml\nproject/with space/*.txt")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "MLBUILD_INDEX_CORP=me:pa:ss $HOME'\"", "MLBUILD_INDEX_TOKEN=__token__:t0ken")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := "pip\ncompile\npyproject.toml\nproject/with space/*.txt\n--format\npylock.toml\n"
	calls := llbtest.ReadFile(t, dir, "calls")
	if first, _, _ := strings.Cut(calls, "--output-file"); !strings.HasSuffix(first, want) {
		t.Errorf("uv was called with:\n%s", calls)
	}
	if strings.Count(calls, "\n--universal\n--no-header\n--quiet\n") != 2 || strings.Contains(calls, "--no-build") {
		t.Errorf("uv was called with:\n%s", calls)
	}
	wantEnv := "UV_INDEX_CORP_PASSWORD=pa:ss $HOME'\"\nUV_INDEX_CORP_USERNAME=me\nUV_INDEX_TOKEN_PASSWORD=t0ken\nUV_INDEX_TOKEN_USERNAME=__token__\n"
	if d := cmp.Diff(wantEnv, llbtest.ReadFile(t, dir, "env")); d != "" {
		t.Errorf("credentials (-want +got):\n%s", d)
	}
	if got := llbtest.ReadFile(t, dir, "pylock.toml"); got != "previous" {
		t.Errorf("the earlier lock is not where uv looks for it: %q", got)
	}
}

// TestResolveScriptAllowsBuilds: builds are asked; where one of them fails what uv cannot do without is allowed by name, then everything. An error that no
// other way mends is shown.
func TestResolveScriptAllowsBuilds(t *testing.T) {
	const wanted = "hint: Wheels are required for `docopt` because building from source is disabled for all packages"
	for _, c := range []struct{ name, uv, calls, says string }{
		{"named", "case \"$*\" in *build.txt*) ;; *) echo '" + wanted + "' >&2; exit 2 ;; esac", "all\nno-build\nno-build\nno-build\n", ""},
		{"nameless", "case \"$*\" in *--no-build*) echo 'error: Building source distributions is disabled' >&2; : > failed; exit 1 ;; *) [ -f failed ] || { echo 'error: Failed to build kit' >&2; exit 1; } ;; esac",
			"all\nno-build\nall\nall\n", ""},
		{"an older one will do", "case \"$*\" in *--no-build*) ;; *) echo 'error: Failed to build kit' >&2; exit 1 ;; esac", "all\nno-build\nno-build\n", ""},
		{"as it is", "echo 'DEBUG Calling `kit`' >&2", "all\nall\n", ""},
		{"hopeless", "echo 'error: No such package' >&2; exit 1", "all\n", "error: No such package\n"},
		{"forbidden by name", "echo '" + wanted + "' >&2; exit 1", "all\nno-build\n", wanted + "\n"},
		{"all are forbidden", "echo '" + wanted + "' >&2; exit 1", "all\nno-build\n", wanted + "\n"},
		{"another is forbidden", "for a; do case $a in */build.txt) if grep -q no-binary $a; then exit 0; fi ;; esac; done; echo '" + wanted + "' >&2; exit 2", "all\nno-build\nno-build\nno-build\n", ""},
		{"no source either", "case \"$*\" in *build.txt*) echo 'hint: Source distributions are required for `docopt` because using pre-built wheels is disabled' >&2 ;;" +
			"*) echo '" + wanted + "' >&2 ;; esac; exit 1", "all\nno-build\nno-build\n", wanted + "\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			uv := filepath.Join(dir, "uv")
			fake := "#!/bin/sh\ncase \"$*\" in *--no-build*) echo no-build ;; *) echo all ;; esac >> " + dir + "/calls\n" + c.uv + "\n"
			if err := os.WriteFile(uv, []byte(fake), 0o755); err != nil {
				t.Fatal(err)
			}
			script := strings.NewReplacer("/uv/bin/uv", uv, "/out/", dir+"/").Replace(ResolveInputs{}.script())
			cmd := exec.CommandContext(t.Context(), "/bin/sh", "-euc", script, "sh", "--universal", "pyproject.toml")
			cmd.Dir = dir
			if never := map[string]string{"forbidden by name": "docopt", "all are forbidden": ":all:", "another is forbidden": "other"}[c.name]; never != "" {
				if err := os.WriteFile(filepath.Join(dir, "build.txt"), []byte("--only-binary "+never+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			out, err := cmd.CombinedOutput()
			if (err != nil) != (c.says != "") || string(out) != c.says {
				t.Errorf("%v, it says %q", err, out)
			}
			if got := llbtest.ReadFile(t, dir, "calls"); got != c.calls {
				t.Errorf("uv was called: %q, want %q", got, c.calls)
			}
		})
	}
}

// TestResolveScriptReasons: the second run starts from the versions of the lock and from what uv has, and asks the indexes where that is not enough.
func TestResolveScriptReasons(t *testing.T) {
	const lock = "lock-version = '1.0'\n\n[[packages]]\nname = \"rich\"\nversion = \"1.0\"\n\n[[packages]]\nname = \"own\"\ndirectory = { path = \".\" }\n"
	for _, c := range []struct{ name, offline, calls string }{
		{"enough", ":", "asks lock\noffline rich==1.0\n"},
		{"not enough", "exit 2", "asks lock\noffline rich==1.0\nasks rich==1.0\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			uv := filepath.Join(dir, "uv")
			fake := "#!/bin/sh\ncd " + dir + "\ncase \"$*\" in *--format*) echo asks lock >> calls; cp given pylock.toml ;;\n" +
				"*--offline*) echo offline $(cat via.txt) >> calls; " + c.offline + " ;;\n*) echo asks $(cat via.txt) >> calls ;; esac\n"
			if err := errors.Join(os.WriteFile(uv, []byte(fake), 0o755), os.WriteFile(filepath.Join(dir, "given"), []byte(lock), 0o644)); err != nil {
				t.Fatal(err)
			}
			script := strings.NewReplacer("/uv/bin/uv", uv, "/out/", dir+"/").Replace(ResolveInputs{}.script())
			cmd := exec.CommandContext(t.Context(), "/bin/sh", "-euc", script, "sh", "--universal", "pyproject.toml")
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%v, it says %q", err, out)
			}
			if got := llbtest.ReadFile(t, dir, "calls"); got != c.calls {
				t.Errorf("uv was called: %q, want %q", got, c.calls)
			}
		})
	}
}

// TestResolveScriptStops: with "stop" the first build that would have to be asked ends the step, with an empty lock; without one it is as ever.
func TestResolveScriptStops(t *testing.T) {
	for _, c := range []struct{ name, uv, calls, lock string }{
		{"named", "case \"$*\" in *build.txt*) ;; *) echo 'hint: Wheels are required for `docopt` because building from source is disabled for all packages' >&2; exit 2 ;; esac", "x\nx\n", ""},
		{"nameless", "case \"$*\" in *--no-build*) echo 'error: Building source distributions is disabled' >&2; exit 1 ;; esac", "x\nx\n", ""},
		{"asked", "echo 'DEBUG Calling `setuptools.build_meta.get_requires_for_build_wheel()`' >&2", "x\n", ""},
		{"asked in vain", "echo 'DEBUG Calling `setuptools.build_meta.get_requires_for_build_wheel()`' >&2; exit 1", "x\n", ""},
		{"no build", ":", "x\nx\n", "previous"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			uv := filepath.Join(dir, "uv")
			if err := errors.Join(os.WriteFile(uv, []byte("#!/bin/sh\necho x >> "+dir+"/calls\n"+c.uv+"\n"), 0o755), os.WriteFile(filepath.Join(dir, "previous.toml"), []byte("previous"), 0o644)); err != nil {
				t.Fatal(err)
			}
			script := strings.NewReplacer("/uv/bin/uv", uv, "/out/", dir+"/").Replace(ResolveInputs{}.script())
			cmd := exec.CommandContext(t.Context(), "/bin/sh", "-euc", script, "sh", "--universal", "pyproject.toml", "stop")
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%v, it says %q", err, out)
			}
			if got := llbtest.ReadFile(t, dir, "calls"); got != c.calls || llbtest.ReadFile(t, dir, "pylock.toml") != c.lock {
				t.Errorf("uv was called: %q, want %q; the lock is %q", got, c.calls, llbtest.ReadFile(t, dir, "pylock.toml"))
			}
		})
	}
}

// TestAskerOfBuilds: uv runs in the image with the project's Python, git with it, and comes from the tool image.
func TestAskerOfBuilds(t *testing.T) {
	const image = "docker.io/library/python:3.11-slim@sha256:4444444444444444444444444444444444444444444444444444444444444444"
	g := resolution(t, func(r *recipe.Recipe, in *ResolveInputs) {
		in.Asker = llbtest.Base(image, 4)
		r.Requires.Packages = append(r.Requires.Packages, "kit @ git+https://git.example/kit.git@v1")
	})
	dump := llbtest.Dump(g)
	if strings.Count(dump, image) == 0 || strings.Count(dump, "docker.io/library/python:3-slim@") == 0 {
		t.Errorf("the images are not both there:\n%s", dump)
	}
}

// TestResolutionGolden compares the whole graph as text. Run with -update after a wanted change and read the difference.
func TestResolutionGolden(t *testing.T) {
	g := resolution(t, func(_ *recipe.Recipe, in *ResolveInputs) { in.Network = ops.Network{CA: true} })
	llbtest.CompareGolden(t, "resolution.golden", llbtest.Dump(g))
}

// TestSecretsAreNamesOnly: ids do, values cannot, because no function here is given them.
func TestSecretsAreNamesOnly(t *testing.T) {
	g := resolution(t, nil)
	var got []string
	for _, v := range g.Kinds("exec") {
		for _, s := range v.Op.GetExec().Secretenv {
			got = append(got, v.Name+" "+s.Name+"="+s.ID)
			if s.Optional {
				t.Errorf("%s is optional: a missing secret would pass unnoticed", s.ID)
			}
		}
		for _, m := range v.Op.GetExec().Mounts {
			if m.MountType == pb.MountType_SECRET {
				t.Errorf("%s has a credential as the file %s beside the variable", v.Name, m.Dest)
			}
		}
	}
	if d := cmp.Diff([]string{"[resolve] uv: resolve the requirements of cpu MLBUILD_INDEX_CORP=mlbuild-index-corp"}, got); d != "" {
		t.Errorf("secrets (-want +got):\n%s", d)
	}
}

func TestNamesAndGroups(t *testing.T) { llbtest.CheckNames(t, resolution(t, nil)) }

// TestNetworkSteps: what asks indexes is told of the CA and the proxy.
func TestNetworkSteps(t *testing.T) {
	for _, n := range []ops.Network{{}, {CA: true, Proxy: ops.Proxy{HTTP: "http://p.example", No: "localhost"}}} {
		resolve := resolution(t, func(_ *recipe.Recipe, in *ResolveInputs) { in.Network = n })
		in := resolveInputs()
		in.Network = n
		def, err := Inspection(llbtest.Recipe(), llbtest.Wheels(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []llbtest.Vertex{resolve.Named("uv: resolve"), resolve.Named("pip: bring uv"), llbtest.Decode(t, def).Named("look into 8 wheels")} {
			llbtest.CheckNetwork(t, v, n, ops.PythonCA)
		}
	}
}
