package ops

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
)

// Selection is files of the project that the client sends: files and directories by their names, without patterns ("." is all of it), and the patterns of .dockerignore for
// what lies below.
type Selection struct {
	Paths  []string `json:"paths"`
	Ignore []string `json:"ignore,omitempty"`
	Up     int      `json:"up,omitempty"` // how many directories above the project's that lies which Paths and Ignore are about
}

// describedFiles is the key of a vertex's description that holds its Selection as JSON. It stays on this side.
const describedFiles = "mlbuild.files"

// Name is under which local source a client offers a selection. The daemon keeps one transfer for each, and profiles that choose the same files share it.
func (s Selection) Name() string {
	text := strings.Join(s.Paths, "\x00") + "\x00\x00" + strings.Join(s.Ignore, "\x00")
	if s.Up > 0 {
		text += fmt.Sprintf("\x00\x00%d", s.Up)
	}
	sum := sha256.Sum256([]byte(text))
	return ProjectLocal + "-" + hex.EncodeToString(sum[:6])
}

// anySession is the session of graphs that are held against those of other sessions.
const anySession = "any"

// AnySession stands for every session, where files are sent by one or have been.
func (s Session) AnySession() Session {
	if s.ID != "" || s.Project != nil {
		return Session{ID: anySession}
	}
	return s
}

// Files sends a selection. The times of the files mean nothing (package builder/localfs): a step that looks at times is given Settled files.
//
// The source says by its name alone what is to be sent: names of many files would not fit into the headers of the daemon's request, and a name with a bracket would be a pattern
// there. TakeSelections has what the name stands for. Whoever sends the definition without mlbuild has the daemon's own ways.
func (s Session) Files(chosen Selection, name Constraints) bkllb.State {
	if s.Project != nil {
		return s.Project.choose(chosen, name)
	}
	if s.ID == "" {
		return bkllb.Local(chosen.directory(), chosen.asPatterns(name)...)
	}
	described, _ := json.Marshal(chosen) // strings alone
	return bkllb.Local(chosen.Name(), name, bkllb.SessionID(s.ID),
		bkllb.WithDescription(map[string]string{describedFiles: string(described)}))
}

// directory is the local source by which buildctl offers the directory that a selection is of.
func (s Selection) directory() string {
	if s.Up > 0 {
		return AboveLocal
	}
	return ProjectLocal
}

// asPatterns are the options by which buildctl sends a selection of the directory that it offers.
func (s Selection) asPatterns(name Constraints) []bkllb.LocalOption {
	opts := []bkllb.LocalOption{bkllb.SharedKeyHint(s.Name()), bkllb.LocalUniqueID("mlbuild"), name}
	if len(s.Ignore) > 0 {
		opts = append(opts, bkllb.ExcludePatterns(s.Ignore))
	}
	if !slices.Contains(s.Paths, ".") {
		opts = append(opts, bkllb.FollowPaths(s.Paths))
	}
	return opts
}

// SelectionOf returns the selection that a source of the client's files stands for, by the description of its vertex; ok says whether there is one.
func SelectionOf(md *pb.OpMetadata) (s Selection, ok bool, err error) {
	text, ok := md.GetDescription()[describedFiles]
	if !ok {
		return s, false, nil
	}
	return s, true, json.Unmarshal([]byte(text), &s)
}

// TakeSelections returns a definition as it is sent, and the selections that its local sources are named after, by these names. The given one stays as it is.
func TakeSelections(def *pb.Definition) (*pb.Definition, map[string]Selection, error) {
	sent := &pb.Definition{Def: def.Def, Source: def.Source, Metadata: maps.Clone(def.Metadata)}
	all := map[string]Selection{}
	for d, m := range def.Metadata {
		s, ok, err := SelectionOf(m)
		if err != nil {
			return nil, nil, fmt.Errorf("the selection of files of %s: %w", d, err)
		}
		if !ok {
			continue
		}
		all[s.Name()] = s
		m = m.CloneVT()
		delete(m.Description, describedFiles)
		sent.Metadata[d] = m
	}
	return sent, all, nil
}
