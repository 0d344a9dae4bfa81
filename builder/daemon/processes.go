package daemon

import (
	"context"
	"maps"
	"slices"

	gatewaypb "github.com/moby/buildkit/frontend/gateway/pb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// processes is the stream by which a build talks to the processes of its containers, so that whoever waits for one hears its end. BuildKit's client (v0.33,
// frontend/gateway/grpcclient) waits without end for a process that is said to be done before its exit code is told, as the daemon does when a process ends while input for it
// is on its way (frontend/gateway/gateway.go, ExecProcess), and for one whose stream breaks.
type processes struct {
	grpc.ClientStream
	live map[string]bool          // that have begun and not ended; true = said to be done
	next []*gatewaypb.ExecMessage // to be told before the stream is asked again
}

// hearEnds is a grpc.StreamClientInterceptor.
func hearEnds(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	stream, err := streamer(ctx, desc, conn, method, opts...)
	if err != nil || method != gatewaypb.LLBBridge_ExecProcess_FullMethodName {
		return stream, err
	}
	return &processes{ClientStream: stream, live: map[string]bool{}}, nil
}

// RecvMsg implements grpc.ClientStream: the exit code of a process comes before its being done.
func (p *processes) RecvMsg(to any) error {
	msg, ok := to.(*gatewaypb.ExecMessage)
	if !ok {
		return p.ClientStream.RecvMsg(to)
	}
	for len(p.next) == 0 {
		got := &gatewaypb.ExecMessage{}
		if err := p.ClientStream.RecvMsg(got); err != nil {
			if len(p.live) == 0 {
				return err
			}
			p.broke(err)
			continue
		}
		p.heard(got)
	}
	proto.Reset(msg)
	proto.Merge(msg, p.next[0])
	p.next = p.next[1:]
	return nil
}

// heard takes a message of the daemon's.
func (p *processes) heard(msg *gatewaypb.ExecMessage) {
	id := msg.GetProcessID()
	isDone, begun := p.live[id]
	switch {
	case msg.GetStarted() != nil:
		p.live[id] = false
	case msg.GetDone() != nil && begun:
		p.live[id] = true
		return
	case msg.GetExit() != nil:
		delete(p.live, id)
		p.next = append(p.next, msg)
		if isDone {
			p.next = append(p.next, done(id))
		}
		return
	}
	p.next = append(p.next, msg)
}

// broke ends the processes of a stream that broke, with its error.
func (p *processes) broke(err error) {
	for _, id := range slices.Sorted(maps.Keys(p.live)) {
		p.next = append(p.next, &gatewaypb.ExecMessage{ProcessID: id, Input: &gatewaypb.ExecMessage_Exit{
			Exit: &gatewaypb.ExitMessage{Code: gatewaypb.UnknownExitStatus, Error: status.Convert(err).Proto()},
		}}, done(id))
	}
	clear(p.live)
}

func done(id string) *gatewaypb.ExecMessage {
	return &gatewaypb.ExecMessage{ProcessID: id, Input: &gatewaypb.ExecMessage_Done{Done: &gatewaypb.DoneMessage{}}}
}
