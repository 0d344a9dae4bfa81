package outline

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/moby/buildkit/solver/pb"

	"github.com/mlbuild/mlbuild/llb/ops"
	"github.com/mlbuild/mlbuild/llb/projectstep"
)

// What a step does.
const (
	DoesRun      = "run"      // a program of the image or of a tool runs
	DoesUnpack   = "unpack"   // mlbuild's own program writes files; no program of the image runs and there is no network
	DoesCopy     = "copy"     // files are written or copied
	DoesDownload = "download" // a file with a checksum, a git commit or an image
	DoesSend     = "send"     // files of the client
	DoesMerge    = "merge"    // layers are put over each other, or compared
)

// Step is one vertex of a graph as a person sees it.
type Step struct {
	Stage   string `json:"stage"`             // its progress group: "wheels"
	Name    string `json:"name"`              // as the progress shows it
	Does    string `json:"does"`              // download, unpack, copy, run, …
	Network bool   `json:"network,omitempty"` // it runs, and may reach the network
}

// Steps lists the steps of a definition, what they need first.
func Steps(def *pb.Definition) ([]Step, error) {
	var steps []Step
	for i, data := range def.Def {
		op := new(pb.Op)
		if err := op.UnmarshalVT(data); err != nil {
			return nil, fmt.Errorf("read operation %d: %w", i, err)
		}
		does := doing(op)
		if does == "" {
			continue
		}
		sum := sha256.Sum256(data)
		meta := def.Metadata["sha256:"+hex.EncodeToString(sum[:])]
		name := meta.GetDescription()["llb.customname"]
		if rest, ok := strings.CutPrefix(name, "["+meta.GetProgressGroup().GetName()+"] "); ok {
			name = rest
		}
		steps = append(steps, Step{
			Stage: meta.GetProgressGroup().GetName(), Name: name, Does: does,
			Network: does == DoesRun && op.GetExec().Network != pb.NetMode_NONE,
		})
	}
	return steps, nil
}

// doing says what an operation does, "" for the last of a definition and for the mlbuild program that is sent along.
func doing(op *pb.Op) string {
	switch o := op.Op.(type) {
	case *pb.Op_Exec:
		if program := o.Exec.Meta.Args[0]; program == "/"+ops.HelperFile || program == "/"+projectstep.StepFile {
			return DoesUnpack
		}
		return DoesRun
	case *pb.Op_File:
		return DoesCopy
	case *pb.Op_Merge, *pb.Op_Diff:
		return DoesMerge
	case *pb.Op_Source:
		scheme, _, _ := strings.Cut(o.Source.Identifier, "://")
		switch scheme {
		case "local":
			return DoesSend
		case "oci-layout":
			return ""
		}
		return DoesDownload
	}
	return ""
}
