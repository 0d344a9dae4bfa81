package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/platforms"
	"github.com/spf13/cobra"

	"github.com/mlbuild/mlbuild/builder"
	"github.com/mlbuild/mlbuild/llb/helper"
	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/recipe"
)

func llbCommand(e *env) *cobra.Command {
	flags := &planFlags{}
	cmd := &cobra.Command{
		Use:   "llb [DIR]",
		Short: "Print the LLB definition of one profile, as \"buildctl build\" reads it",
		Long: `Print the LLB definition of one profile on one platform to stdout. The command that builds it is printed to stderr, because the definition refers to
two local directories: the project's, and that of the program that unpacks wheels. The definition makes the image's layers; the image's config is not
part of it.`,
		Example: "  mlbuild llb --profile gpu | buildctl build --local …\n  mlbuild llb | buildctl debug dump-llb",
		Args:    atMostOneDir,
		RunE:    func(cmd *cobra.Command, args []string) error { return flags.llb(cmd.Context(), e, cmd, args) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&flags.project.target, "target", "", "`stage` to print (default runtime)")
	f.BoolVar(&flags.locked, "locked", false, "refuse to resolve: the profile needs a lock that fits")
	f.StringVar(&flags.checks, "checks", string(builder.CheckAll), checksHelp)
	flags.add(cmd)
	addCompletion(cmd)
	return cmd
}

func (p *planFlags) llb(ctx context.Context, e *env, cmd *cobra.Command, args []string) error {
	if isTerminal(e.stdout) {
		return fault.New(fault.Output, "the definition is binary and is not written to a terminal").
			Hint("pipe it: mlbuild llb | buildctl build …; or look at it: mlbuild llb | buildctl debug dump-llb")
	}
	plans, s, err := p.plans(ctx, e, cmd, args, true)
	if s != nil {
		defer s.close()
	}
	if err != nil {
		return err
	}
	plan := plans[0]
	dir, err := writeHelpers(e, s.daemon.Platforms[0], platforms.Format(plan.Graph.Platform))
	if err != nil {
		return err
	}
	data, err := plan.Graph.Definition.Marshal()
	if err != nil {
		return fault.New(fault.Internal, "encode the definition: %w", err)
	}
	tellPlanned(s, plan)
	s.end(e)
	fmt.Fprintln(e.stderr, strings.Join(p.buildctl(e, s, dir), " "))
	if _, err := raw(e.stdout).Write(data); err != nil {
		return fault.New(fault.Output, "cannot write the definition: %w", err)
	}
	return nil
}

// buildctl is the command that builds the definition.
func (p *planFlags) buildctl(e *env, s *session, helperDir string) []string {
	line := []string{"buildctl", "--addr", quoted(s.daemon.Addr), "build",
		"--local", quoted(ops.ProjectLocal + "=" + s.project.dir), "--oci-layout", quoted(ops.HelperStore + "=" + helperDir)}
	if above := s.request.Above(); above != nil {
		line = append(line, "--local", quoted(ops.AboveLocal+"="+filepath.Join(s.project.dir, strings.Repeat("../", above.Levels()))))
	}
	if s.request.CA != nil {
		path := p.daemon.ca
		if path == "" {
			path = e.get("SSL_CERT_FILE")
		}
		line = append(line, "--secret", quoted("id="+ops.CASecret+",src="+path))
	}
	_, proxies := s.request.Proxy.WithoutPasswords()
	for _, name := range sortedKeys(proxies) {
		variable := name
		if e.get(name) == "" {
			variable = strings.ToLower(name)
		}
		line = append(line, "--secret", quoted("id="+ops.ProxySecret(name)+",env="+variable))
	}
	for _, secret := range p.inputs.secrets {
		line = append(line, "--secret", quoted(secret))
	}
	codec := cmp.Or(projectCompression(s.request.Variants), recipe.Zstd)
	return append(line, "--output", fmt.Sprintf("type=oci,dest=image.tar,compression=%s,source-date-epoch=%d", codec, s.request.Epoch.Unix()))
}

// writeHelpers puts the helper programs into an OCI layout of their own, so that buildctl can send them: for the daemon's own platform, and those that run on images for theirs.
func writeHelpers(e *env, worker, image string) (string, error) {
	p, err := platforms.Parse(worker)
	if err != nil {
		return "", fault.New(fault.DaemonVersion, "the daemon's platform %q: %w", worker, err)
	}
	worker = p.OS + "/" + p.Architecture
	state, _ := stateDirs(e)
	dir := filepath.Join(state, "helper")
	blobs := filepath.Join(dir, "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		return "", fault.New(fault.Output, "cannot make %s: %w", dir, pathCause(err)).Hint("MLBUILD_STATE_DIR names another directory")
	}
	for _, program := range [][2]string{{helper.Wheels, worker}, {helper.Packages, worker}, {helper.Steps, worker}, {helper.Steps, image}, {helper.Checks, image}} {
		if err := writeProgram(blobs, program[0], program[1]); err != nil {
			return "", err
		}
	}
	return dir, nil
}

func writeProgram(blobs, name, platform string) error {
	program, err := helper.Binary(name, platform)
	if err != nil {
		return err
	}
	sum, err := helper.Digest(name, platform)
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(blobs, strings.TrimPrefix(sum, "sha256:")), program)
}

// quoted writes a word for a shell.
func quoted(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\n'\"\\$`&|;<>()*?[]#~!{}") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
