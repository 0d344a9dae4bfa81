package daemon

import (
	"errors"
	"slices"
	"testing"

	gatewaypb "github.com/moby/buildkit/frontend/gateway/pb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// told is a stream that tells some messages and then breaks.
type told struct {
	grpc.ClientStream
	messages []*gatewaypb.ExecMessage
}

// RecvMsg implements grpc.ClientStream.
func (s *told) RecvMsg(to any) error {
	if len(s.messages) == 0 {
		return errBroken
	}
	msg, _ := to.(*gatewaypb.ExecMessage)
	proto.Merge(msg, s.messages[0])
	s.messages = s.messages[1:]
	return nil
}

var errBroken = errors.New("the connection broke")

func started(id string) *gatewaypb.ExecMessage {
	return &gatewaypb.ExecMessage{ProcessID: id, Input: &gatewaypb.ExecMessage_Started{Started: &gatewaypb.StartedMessage{}}}
}

func exit(id string, code uint32) *gatewaypb.ExecMessage {
	return &gatewaypb.ExecMessage{ProcessID: id, Input: &gatewaypb.ExecMessage_Exit{Exit: &gatewaypb.ExitMessage{Code: code}}}
}

// TestEndOfProcesses: whatever the daemon tells first, and if the stream breaks, each process that has begun exits once and is done once after that.
func TestEndOfProcesses(t *testing.T) {
	for name, c := range map[string]struct{ messages, want []*gatewaypb.ExecMessage }{
		"in order":       {[]*gatewaypb.ExecMessage{started("a"), exit("a", 3), done("a")}, []*gatewaypb.ExecMessage{started("a"), exit("a", 3), done("a")}},
		"done too early": {[]*gatewaypb.ExecMessage{started("a"), done("a"), exit("a", 3)}, []*gatewaypb.ExecMessage{started("a"), exit("a", 3), done("a")}},
		"two": {
			[]*gatewaypb.ExecMessage{started("a"), started("b"), done("a"), done("b"), exit("b", 1), exit("a", 0)},
			[]*gatewaypb.ExecMessage{started("a"), started("b"), exit("b", 1), done("b"), exit("a", 0), done("a")},
		},
		"broken":                   {[]*gatewaypb.ExecMessage{started("a")}, []*gatewaypb.ExecMessage{started("a"), exit("a", gatewaypb.UnknownExitStatus), done("a")}},
		"broken after it was done": {[]*gatewaypb.ExecMessage{started("a"), done("a")}, []*gatewaypb.ExecMessage{started("a"), exit("a", gatewaypb.UnknownExitStatus), done("a")}},
	} {
		t.Run(name, func(t *testing.T) {
			p := &processes{ClientStream: &told{messages: c.messages}, live: map[string]bool{}}
			var got []*gatewaypb.ExecMessage
			for {
				msg := &gatewaypb.ExecMessage{}
				if err := p.RecvMsg(msg); err != nil {
					if !errors.Is(err, errBroken) {
						t.Errorf("the stream ends with %v", err)
					}
					break
				}
				if e := msg.GetExit(); e != nil {
					e.Error = nil
				}
				got = append(got, msg)
			}
			if !slices.EqualFunc(got, c.want, func(a, b *gatewaypb.ExecMessage) bool { return proto.Equal(a, b) }) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
