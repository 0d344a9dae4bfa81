package builder

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/mlbuild/mlbuild/builder/diagnose"
	"github.com/mlbuild/mlbuild/builder/limits"
	"github.com/mlbuild/mlbuild/builder/publish"
	"github.com/mlbuild/mlbuild/profiles/fault"
)

// explain turns an error of the build into faults. An output that cannot be written here is none of the daemon's.
func (m *imageBuild) explain(ctx context.Context, err error) error {
	if unwritten := m.publish.Written.Err(); unwritten != nil && m.ctx.Err() == nil {
		return unwritten
	}
	return m.failure(m.remote().Tagged()).Explain(m.daemon.Explain(ctx, err))
}

// failure is what is known of the build now that something in it failed. taken says that the tag named an image before.
func (m *imageBuild) failure(taken bool) diagnose.Build {
	known := m.failed(m.v.Profile, m.w)
	for _, c := range m.req.CacheTo {
		if dir, err := filepath.Abs(c.Attrs["dest"]); err == nil && c.Attrs["dest"] != "" {
			known.Here = append(known.Here, dir)
		}
	}
	if m.publish.Pushes() {
		known.Push = diagnose.Target{Ref: m.publish.Tags[0], Taken: taken, Ask: func() error {
			ctx, cancel := context.WithTimeoutCause(m.ctx, limits.Refusal, &limits.TimedOutError{What: "why the push was refused", For: limits.Refusal})
			defer cancel()
			return m.registry.MayPush(ctx, m.publish.Tags[0])
		}}
	}
	return known
}

// unkept says of what could not be left for later builds that they start from less than they could, and why. An error is that of a build that ended meanwhile.
func (m *imageBuild) unkept(ctx context.Context, p publish.Published) (notes []string, err error) {
	for _, u := range p.Unkept {
		why := m.failure(false).Explain(m.daemon.Explain(ctx, u.Err))
		if fault.Is(why, fault.DaemonLost) || fault.Is(why, fault.Cancelled) {
			return nil, why
		}
		first, _, _ := strings.Cut(fault.All(why)[0].Message, "\n")
		notes = append(notes, fmt.Sprintf("%s could not be written, and empty builders start from what it held before: %s; where tags are immutable or zstd is refused, except the tags buildcache-* from the rule, "+
			"or name another place with --cache-to, or none with --no-own-cache", u.Ref, first))
	}
	return notes, nil
}
