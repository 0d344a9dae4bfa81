package terminal

import (
	"encoding/json"
	"fmt"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// OnImage is a program on an image, with the user, environment and working directory of its config (OCI, JSON). Without args it is a shell; own takes the image's own
// entrypoint before the args, and its command where there are none.
func OnImage(ref gateway.Reference, config []byte, args []string, own bool) (Program, error) {
	var image ocispecs.Image
	if err := json.Unmarshal(config, &image); err != nil {
		return Program{}, fmt.Errorf("read the image's config: %w", err)
	}
	c := image.Config
	if own {
		if len(args) == 0 {
			args = c.Cmd
		}
		args = append(append([]string{}, c.Entrypoint...), args...)
	}
	return Program{
		Mounts:   []gateway.Mount{{Dest: pb.RootMount, MountType: pb.MountType_BIND, Ref: ref}},
		Platform: &pb.Platform{OS: image.OS, Architecture: image.Architecture, Variant: image.Variant},
		Network:  pb.NetMode_NONE, Args: args, Env: c.Env, User: c.User, Dir: c.WorkingDir,
	}, nil
}

// waits is what the first process of a container does: it reaps what is left to it, and waits.
const waits = "import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\nwhile True: signal.pause()"

// Beside returns the program beside a first process, which a Python of the image is; "" = there is none.
func (p Program) Beside(python string) Program {
	if python != "" {
		p.First = []string{python, "-I", "-S", "-c", waits}
	}
	return p
}
