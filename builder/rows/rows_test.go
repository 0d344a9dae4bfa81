package rows

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	bkclient "github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
)

// moment is when an event was sent.
func moment(s *bkclient.SolveStatus, last time.Time) time.Time {
	for _, v := range s.Vertexes {
		for _, at := range []*time.Time{v.Started, v.Completed} {
			if at != nil && at.After(last) {
				last = *at
			}
		}
	}
	for _, p := range s.Statuses {
		if p.Timestamp.After(last) {
			last = p.Timestamp
		}
	}
	return last
}

// replay gives a board the events of a recorded build, and calls each after each.
func replay(t *testing.T, b *Board, profile, file string, each func(now time.Time)) time.Time {
	t.Helper()
	data, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var now time.Time
	for l := range bytes.Lines(data) {
		var s bkclient.SolveStatus
		if err := json.Unmarshal(l, &s); err != nil {
			t.Fatal(err)
		}
		now = moment(&s, now)
		b.Take(profile, &s, now)
		each(now)
	}
	return now
}

func never(time.Time) {}

// A first build has a row for each thing that went on, without digests and BuildKit's words, and every frame fits the terminal.
func TestFirstBuild(t *testing.T) {
	for _, width := range []int{20, 80, 200} {
		var b Board
		now := replay(t, &b, "cpu", "first.jsonl", func(now time.Time) {
			for _, l := range Frame(b.Rows(now), width, 24) {
				if utf8.RuneCountInString(l) > width || strings.Contains(l, "sha256:") || strings.Contains(l, "exporting") || strings.Contains(l, "linux/layer") {
					t.Errorf("%d columns: %q", width, l)
				}
			}
		})
		text := strings.Join(Frame(b.Rows(now), width, 0), "\n")
		t.Logf("%d columns:\n%s", width, text)
		for _, want := range []string{"✓ resolve 24 packages", "✓ download 24 packages, 78.8 MB", "✓ unpack 9 layers", "✓ check", "✓ write and push the image"} {
			if width >= 80 && !strings.Contains(text, want) {
				t.Errorf("%d columns: no %q", width, want)
			}
		}
	}
}

// A row that is done stays so, whatever of it could be done before its turn, and no row has words of the graph.
func TestNoRowBeginsAgain(t *testing.T) {
	for _, width := range []int{80, 200} {
		var b Board
		done, seen := map[kind]bool{}, map[string]bool{}
		replay(t, &b, "cpu", "first.jsonl", func(now time.Time) {
			rows := b.Rows(now)
			for _, r := range rows {
				if one := r.kind == unpack || r.kind == check; done[r.kind] && r.State != Done && one { // the others are in more than one graph
					t.Errorf("%q was done before", Text(r))
				}
				done[r.kind] = r.State == Done
			}
			for _, l := range Frame(rows, width, 0) {
				if strings.Contains(l, "(bin ") || strings.Contains(l, "docker.io") || strings.Contains(l, "linux/amd64") || strings.Contains(l, "pip: ") {
					t.Errorf("%d columns: %q", width, l)
				}
				seen[strings.TrimRight(l[:strings.LastIndex(l, " ")], " ")] = true
			}
		})
		for _, want := range []string{"▸ resolve packages, fetch uv 0.13.9", "▸ resolve 24 packages, look into 24 wheels", "▸ unpack 9 layers, 4 done, scikit-learn 1.9.1", "▸ download 24 packages, 78.8 MB, scipy 1.17.1", "▸ pull base image python:3.11-slim, 77.8 MB, unpack", "· check", "▸ check, run what is installed"} {
			if !seen[want] {
				t.Errorf("%d columns: no %q in\n%s", width, want, strings.Join(slices.Sorted(maps.Keys(seen)), "\n"))
			}
		}
	}
}

// What a row waits for is said in a line beside a profile's name in 80 columns.
func TestWaitsFit(t *testing.T) {
	for _, k := range rowKinds {
		if n := utf8.RuneCountInString(k.wait); n > 66 || n == 0 {
			t.Errorf("%s: %d characters: %s", k.title, n, k.wait)
		}
	}
}

// What has steps that nobody needed is done at the end.
func TestEnd(t *testing.T) {
	at := time.Unix(100, 0)
	b := one("[unpack] numpy", "", at, at.Add(time.Second))
	b.builds[0].order[0].kind = unpack
	b.builds[0].order = append(b.builds[0].order, &step{kind: unpack})
	if got := b.Rows(at); len(got) != 1 || got[0].State != Waiting || got[0].What != "unpack 2 layers" {
		t.Errorf("got %+v", got)
	}
	written := &step{kind: export, began: at, ended: at.Add(time.Second), worked: time.Second}
	b.builds[0].order = append(b.builds[0].order, written)
	if got := b.Rows(at); got[0].State != Done {
		t.Errorf("the image is written, and a row waits: %+v", got)
	}
	b.builds[0].order = b.builds[0].order[:2]
	if b.End(); b.Rows(at)[0].State != Done || b.Rows(at)[0].What != "unpack 1 layer" {
		t.Errorf("at the end: got %+v", b.Rows(at))
	}
}

// Looking up what is there already is no work; pulling a base, and unpacking, is.
func TestIdle(t *testing.T) {
	resolved := Row{kind: resolve, State: Done}
	for name, test := range map[string]struct {
		rows []Row
		want bool
	}{
		"nothing": {nil, true}, "looked up": {[]Row{resolved, {kind: base, State: Done}}, true}, "pulled": {[]Row{resolved, {kind: base, State: Done, Now: "77.8 MB"}}, false},
		"unpacked": {[]Row{resolved, {kind: unpack, State: Done}}, false}, "failed": {[]Row{{kind: resolve, State: Failed}}, false},
	} {
		if got := Idle(test.rows); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A build that has nothing to do has no row.
func TestNoop(t *testing.T) {
	var b Board
	now := replay(t, &b, "cpu", "noop.jsonl", never)
	if rows := b.Rows(now); len(rows) > 0 || !b.Complete() {
		t.Errorf("complete %v, rows %+v", b.Complete(), rows)
	}
}

// Of several profiles each row says whose it is.
func TestProfiles(t *testing.T) {
	var b Board
	b.Order([]string{"cpu", "gpu"})
	now := replay(t, &b, "gpu", "first.jsonl", never)
	if text := strings.Join(Frame(b.Rows(now), 80, 0), "\n"); !strings.Contains(text, "✓ gpu  unpack 9 layers") {
		t.Errorf("while nothing is known of the other: no profile in\n%s", text)
	}
	replay(t, &b, "cpu", "first.jsonl", never)
	text := strings.Join(Frame(b.Rows(now), 80, 0), "\n")
	for _, want := range []string{"✓ cpu  unpack 9 layers", "✓ gpu  unpack 9 layers"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Index(text, "✓ cpu") > strings.Index(text, "✓ gpu") {
		t.Errorf("not in the order of the command line:\n%s", text)
	}
}

// one is a board with one step.
func one(name, failed string, began, ended time.Time) *Board {
	v := &bkclient.Vertex{Digest: digest.FromString(name), Name: name, Started: &began, Error: failed}
	if !ended.IsZero() {
		v.Completed = &ended
	}
	var b Board
	b.Take("cpu", &bkclient.SolveStatus{Vertexes: []*bkclient.Vertex{v}}, began)
	return &b
}

func TestStates(t *testing.T) {
	at := time.Unix(100, 0)
	for name, test := range map[string]struct {
		failed string
		ended  time.Time
		want   string
	}{
		"failed":    {"exit code: 1", at.Add(time.Second), "✗ resolve packages failed: uv: resolve"},
		"cancelled": {"context canceled", at.Add(time.Second), "– resolve packages, cancelled"},
		"running":   {"", time.Time{}, "▸ resolve packages, uv: resolve"},
	} {
		b := one("[base] look up [resolve] uv: resolve", test.failed, at, test.ended)
		b.builds[0].order[0].name = "uv: resolve"
		if got := Frame(b.Rows(at.Add(3*time.Second)), 80, 24); len(got) != 1 || !strings.HasPrefix(got[0], test.want) {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// What takes long says why, once, below its row; a log says so at each beat.
func TestLongWait(t *testing.T) {
	at := time.Unix(100, 0)
	b := one("exporting to image", "", at, time.Time{})
	rows := b.Rows(at.Add(64 * time.Second))
	got := Frame(rows, 80, 24)
	if len(got) != 2 || !strings.HasSuffix(got[0], " 1m04s") || !strings.Contains(got[1], "new layers are compressed") {
		t.Errorf("got %q", got)
	}
	log := Log{Every: 15 * time.Second}
	var lines []string
	for s := range 65 {
		now := at.Add(time.Duration(s) * time.Second)
		lines = append(lines, log.Lines(b.Rows(now), now, false)...)
	}
	if len(lines) != 4 || !strings.HasPrefix(lines[0], "still: write the image, 15s (") {
		t.Errorf("got %q", lines)
	}
}

// The log of a build has each row once.
func TestLog(t *testing.T) {
	var b Board
	log := Log{Every: 15 * time.Second}
	var lines []string
	now := replay(t, &b, "cpu", "first.jsonl", func(now time.Time) { lines = append(lines, log.Lines(b.Rows(now), now, false)...) })
	lines = append(lines, log.Lines(b.Rows(now), now, true)...)
	t.Logf("%s", strings.Join(lines, "\n"))
	if len(lines) > 12 || !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "download 24 packages, 78.8 MB") }) {
		t.Errorf("got %q", lines)
	}
}

// What is told of downloads and pushes is as much as BuildKit says: a status that it begins to send of them is to be used.
func TestWhatBuildKitDoesNotSay(t *testing.T) {
	var b Board
	replay(t, &b, "cpu", "first.jsonl", never)
	pushed := false
	for _, s := range b.builds[0].order {
		for _, p := range s.parts {
			if s.kind == download || s.kind == export && p.total > 0 {
				t.Errorf("%s has the status %s, %d of %d", s.name, p.id, p.current, p.total)
			}
			pushed = pushed || p.id == "pushing layers"
		}
	}
	if !pushed {
		t.Error("the recorded build pushed nothing")
	}
}

// A push says which layer it is at, and how fast it is since it began.
func TestPush(t *testing.T) {
	at := time.Unix(100, 0)
	b := one("exporting to image", "", at, time.Time{})
	vertex := digest.FromString("exporting to image")
	say := func(id string, current, total int64, done bool, now time.Time) {
		s := &bkclient.VertexStatus{ID: id, Vertex: vertex, Current: current, Total: total}
		if done {
			s.Completed = &now
		}
		b.Take("cpu", &bkclient.SolveStatus{Statuses: []*bkclient.VertexStatus{s}}, now)
	}
	look := func(want string, now time.Time) {
		t.Helper()
		got := Frame(b.Rows(now), 80, 0)
		if len(got) == 0 || strings.Join(strings.Fields(got[0]), " ") != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	say("exporting layers", 0, 0, false, at)
	look("▸ write the image, compress layers 9.0s", at.Add(9*time.Second))
	push := at.Add(10 * time.Second)
	say("exporting layers", 0, 0, true, push)
	say("pushing layers", 0, 0, false, push)
	look("▸ write and push the image, push layers 10s", push)
	for i, size := range []int64{100e6, 200e6, 2530e6} {
		say(isLayer+strings.Repeat("abc"[i:i+1], 64), 0, size, false, push)
	}
	look("▸ push layer 1 of 3, 2.83 GB 10s", push)
	say(isLayer+strings.Repeat("a", 64), 100e6, 100e6, true, push.Add(time.Second))
	say(isLayer+strings.Repeat("b", 64), 200e6, 200e6, true, push.Add(3*time.Second))
	look("▸ push layer 3 of 3, 300.0 MB of 2.83 GB, 100.0 MB/s 13s", push.Add(3*time.Second))
	end := push.Add(20 * time.Second)
	say("pushing layers", 0, 0, true, end)
	say("pushing manifest for registry.example/a:1", 0, 0, false, end)
	look("▸ write and push the image, push the manifest 30s", end)
	b.Take("cpu", &bkclient.SolveStatus{Vertexes: []*bkclient.Vertex{{Digest: vertex, Name: "exporting to image", Started: &at, Completed: &end}}}, end)
	look("✓ write and push the image, 3 layers, 2.83 GB 30s", end)
}

// A full terminal keeps what runs.
func TestHeight(t *testing.T) {
	all := []Row{{What: "a", State: Done}, {What: "b", State: Done}, {What: "c"}, {What: "d"}}
	got := Frame(all, 80, 4)
	if len(got) != 3 || !strings.HasPrefix(got[0], "✓ b") {
		t.Errorf("got %q", got)
	}
}

func TestCut(t *testing.T) {
	for name, want := range map[string]string{
		"[download] scikit_learn-1.9.1-cp311-cp311-manylinux_2_28_x86_64.whl (9.3 MB)":              "scikit-learn 1.9.1",
		"[base] docker.io/library/python:3.11-slim@sha256:" + strings.Repeat("a", 64) + ", to read": "python:3.11-slim",
		"[checks] try the service": "try the service",
	} {
		if got, _ := cut(name); got != want {
			t.Errorf("%s: got %q", name, got)
		}
	}
	if _, size := cut("[download] a-1-py3-none-any.whl (9.3 MB)"); size != 9_300_000 {
		t.Errorf("got %d bytes", size)
	}
}

// The timeline has a track for each row with what ran in it, and one for what a cache had.
func TestTracks(t *testing.T) {
	var b Board
	now := replay(t, &b, "cpu", "first.jsonl", never)
	tracks, downloads := b.Tracks("cpu", now), Track{}
	for _, tr := range tracks {
		if strings.HasPrefix(tr.What, "download") {
			downloads = tr
		}
		for _, bar := range tr.Bars {
			if bar.Ended.Before(bar.Began) || strings.Contains(bar.Name, "sha256:") {
				t.Errorf("%s: %+v", tr.What, bar)
			}
		}
	}
	if len(downloads.Bars) < 24 || downloads.What != "download 24 packages" || downloads.Cached != 0 || downloads.Why == "" {
		t.Errorf("%s has %d bars, %d cached", downloads.What, len(downloads.Bars), downloads.Cached)
	}
	if !slices.ContainsFunc(downloads.Bars, func(x Bar) bool { return x.Name == "scipy 1.17.1" && x.Bytes == 35_300_000 }) {
		t.Errorf("no scipy in %+v", downloads.Bars)
	}
	if others := b.Tracks("gpu", now); others != nil {
		t.Errorf("another profile has %d tracks", len(others))
	}
	var again Board
	now = replay(t, &again, "cpu", "noop.jsonl", never)
	tracks = again.Tracks("cpu", now)
	if len(tracks) != 1 || tracks[0].What != "resolve packages" || tracks[0].Cached != 3 || tracks[0].Bars != nil {
		t.Errorf("a build of nothing has %+v", tracks)
	}
}
