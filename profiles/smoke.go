package profiles

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/files"
	"github.com/mlbuild/mlbuild/profiles/lazyregexp"
	"github.com/mlbuild/mlbuild/profiles/recipe"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// The times of a service check, in seconds. A user sees them in docs/mlbuild-yaml.md.
const (
	smokeStart       = 60
	smokeStartModels = 120 // an image with models reads them first
	smokeStop        = 10  // docker stop waits as long
	smokeAnswer      = 10
	smokeMost        = 3600
)

// What the bodies of requests may have, in bytes: they travel with the graph.
const (
	maxBody   = 1 << 20
	maxBodies = 4 << 20
)

// smokeQuestion is what the service check is decided by, beside the key smoke.
type smokeQuestion struct {
	app    recipe.App
	models bool // the image has some
	public []string
	named  appSpec // the app as the project names it
}

// servicePort is the port of the health check, or the first TCP port that app.ports names; 0 = there is none.
func servicePort(report *yamldoc.Report, s appSpec) int {
	h := s.healthcheck
	if h == nil {
		h = &healthSpec{}
	}
	return int(healthPort(report.Fork(), h, s.ports)) // what is wrong with it is told where it stands
}

// resolveSmoke decides how the service is tried; nil = it is not.
func resolveSmoke(t files.Tree, s *smokeSpec, q smokeQuestion) *recipe.Smoke {
	if s == nil {
		return nil
	}
	start := float64(smokeStart)
	if q.models {
		start = smokeStartModels
	}
	r := &recipe.Smoke{
		Start: readWithin(t.Report, s.start, "smoke.start", start), Stop: readWithin(t.Report, s.stop, "smoke.stop", smokeStop),
		Ends: s.ends, Command: yamldoc.Values(s.command), Env: recipe.Over(nil, readVariables(t.Report, s.env)), Exit: exitCodes(t.Report, s.exit),
	}
	notePath(t.Report, "smoke.env", r.Env)
	for _, secret := range s.secrets {
		r.Secrets = append(r.Secrets, stepSecret(t.Report, secret))
	}
	slices.SortFunc(r.Secrets, func(a, b recipe.StepSecret) int { return strings.Compare(a.ID+a.Env+a.File, b.ID+b.Env+b.File) })
	if s.command != nil && len(s.command) == 0 {
		t.Specf(s.at, "smoke.command has no words")
	}
	bodies, port := 0, servicePort(t.Report, q.named)
	for _, request := range s.requests {
		one := smokeRequest(t, request, port, q.public)
		bodies += len(one.Body)
		r.Requests = append(r.Requests, one)
	}
	if bodies > maxBodies {
		t.Specf(s.at, "the bodies of smoke.requests have %d bytes, the limit is 4 MiB for all of them", bodies)
	}
	checkReadiness(t.Report, s, q.app)
	return r
}

// checkReadiness refuses a check that could not know when the service is ready, and one that could not ask it.
func checkReadiness(report *yamldoc.Report, s *smokeSpec, a recipe.App) {
	tcp := slices.ContainsFunc(a.Ports, func(p string) bool { return strings.HasSuffix(p, "/tcp") })
	switch {
	case s.ends && len(s.requests) > 0:
		report.Specf(s.requests[0].at, "smoke has ends: true, and what ends by itself answers no requests").Hint("remove one of the two")
	case !s.ends && a.Healthcheck == nil && !tcp:
		report.Specf(s.at, "smoke cannot know when the service is ready: there is no app.healthcheck, and app.ports names no TCP port").
			Hint("for example app: {ports: [8000], healthcheck: {http: /health}}").
			Hint("for a command that is no service and ends by itself: smoke: {ends: true}")
	}
}

// readWithin reads a time of the check, as seconds.
func readWithin(report *yamldoc.Report, s yamldoc.String, what string, fallback float64) float64 {
	if !s.Set {
		return fallback
	}
	seconds := readDuration(report, s, what)
	if seconds > smokeMost {
		report.Specf(s.At, "%s is %s, it may be 1h at most", what, s.Value)
	}
	return seconds
}

func exitCodes(report *yamldoc.Report, list []yamldoc.Number) []int {
	var codes []int
	for _, n := range list {
		codes = append(codes, int(numberBetween(report, n, "an exit code of smoke.exit", 0, 0, 255)))
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// requestPath is the path of a URL with its query, of what RFC 3986 allows there.
var (
	requestPath = lazyregexp.New(`^/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*$`)
	headerName  = lazyregexp.New("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
)

// smokeRequest decides one request. port is that of a request which names none; 0 = none is known.
func smokeRequest(t files.Tree, s requestSpec, port int, public []string) recipe.SmokeRequest {
	r := recipe.SmokeRequest{
		Method: s.method, Path: s.path.Value, Port: int(numberBetween(t.Report, s.port, "port", int64(port), 1, 65535)),
		Status: int(numberBetween(t.Report, s.status, "status", 0, 100, 599)), Expect: s.expect.value, Text: s.text.Value,
		Timeout: readWithin(t.Report, s.timeout, "timeout", smokeAnswer),
	}
	switch {
	case s.method == "":
		t.Specf(s.at, "a request of smoke has no method").Hint("for example {get: /health} or {post: /predict, json: {text: hello}}")
	case !requestPath.MatchString(s.path.Value):
		t.Specf(s.path.At, "%q is not the path of a URL", s.path.Value).Hint("for example %s: /health; what a path cannot have is written as %%20", strings.ToLower(s.method))
	}
	if r.Port == 0 {
		t.Specf(s.at, "a request of smoke needs a port, and app.ports names no TCP port").Hint("write port: 8000 beside it, or app.ports: [8000]")
	}
	if s.method == "HEAD" && (s.expect.value != nil || s.text.Set) {
		t.Specf(s.at, "an answer to HEAD has no body that expect or text could look into").Hint("write get: in place of head:")
	}
	var kind string
	r.Body, kind = requestBody(t, s, public)
	if s.file.Set {
		r.File = path.Clean(s.file.Value)
	}
	r.Headers = requestHeaders(t.Report, s.headers, kind)
	return r
}

// requestBody returns the body of a request and its media type, both "" for none.
func requestBody(t files.Tree, s requestSpec, public []string) (body, kind string) {
	given := 0
	for _, is := range []bool{s.json.value != nil, s.body.Set, s.file.Set} {
		if is {
			given++
		}
	}
	switch {
	case given > 1:
		t.Specf(s.at, "a request has one body: json, body or file")
	case given > 0 && (s.method == "GET" || s.method == "HEAD"):
		t.Specf(s.at, "a %s has no body", s.method).Hint("for example {post: %s, …}", s.path.Or("/predict"))
	case s.json.value != nil:
		return string(s.json.value), "application/json"
	case s.body.Set:
		return s.body.Value, "text/plain; charset=utf-8"
	case s.file.Set:
		return requestFile(t, s.file, public), mediaTypes[strings.ToLower(path.Ext(s.file.Value))]
	}
	return "", ""
}

// mediaTypes are those of what is sent to models, by the ends of file names.
var mediaTypes = map[string]string{
	".json": "application/json", ".csv": "text/csv", ".txt": "text/plain; charset=utf-8", ".xml": "application/xml", ".pdf": "application/pdf",
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp", ".bmp": "image/bmp", ".tiff": "image/tiff",
	".wav": "audio/wav", ".mp3": "audio/mpeg", ".flac": "audio/flac", ".ogg": "audio/ogg", ".mp4": "video/mp4",
}

// requestFile returns the bytes of a file of the project.
func requestFile(t files.Tree, s yamldoc.String, public []string) string {
	name, ok := t.Inside(s.Value, s.At, "request file")
	if !ok {
		return ""
	}
	if clean, secret := files.SecretFile(name); secret && !slices.Contains(public, clean) {
		t.Add(fault.New(fault.SecretLeak, "the request file %s is named as one that holds secrets, and the daemon's records keep what is sent", clean).In(s.At).
			Hint("if it holds none, write public: [%s] at the top level", clean))
		return ""
	}
	real, ok := t.Follow(name, s.At)
	if !ok {
		return ""
	}
	data, err := readUpTo(t.FS, real, maxBody)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		t.Add(t.Missing(name, s.At, "request file"))
	case err != nil:
		t.Add(fault.New(fault.Context, "the request file %s cannot be read: %w", name, err).In(s.At))
	case len(data) > maxBody:
		t.Add(fault.New(fault.Context, "the request file %s is larger than 1 MiB", name).In(s.At).Hint("a small one shows as well that the service works"))
	}
	return string(data)
}

// readUpTo reads a regular file, one byte beyond limit at most.
func readUpTo(fsys fs.FS, name string, limit int64) ([]byte, error) {
	if info, err := fs.Stat(fsys, name); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit+1))
}

// requestHeaders returns the headers sorted by name, with the body's media type where they name none.
func requestHeaders(report *yamldoc.Report, list []yamldoc.Pair, kind string) []recipe.Pair {
	var headers []recipe.Pair
	seen := map[string]bool{}
	for _, p := range list {
		name := strings.ToLower(p.Name.Value)
		switch {
		case !headerName.MatchString(p.Name.Value):
			report.Specf(p.Name.At, "%q cannot name a header", p.Name.Value)
		case seen[name]:
			report.Specf(p.Name.At, "the header %s is given twice", p.Name.Value)
		case strings.ContainsAny(p.Value.Value, "\r\n\x00"):
			report.Specf(p.Value.At, "the header %s holds a line break or a zero byte", p.Name.Value)
		}
		seen[name] = true
		headers = append(headers, recipe.Pair{Name: p.Name.Value, Value: p.Value.Value})
	}
	if kind != "" && !seen["content-type"] {
		headers = append(headers, recipe.Pair{Name: "Content-Type", Value: kind})
	}
	return recipe.Over(nil, headers)
}

// smokeLeaks looks for secrets in what the service check is told: the daemon's records keep it. Checks have keys that open nothing, so a name alone is no sign.
func smokeLeaks(report *yamldoc.Report, s *smokeSpec) {
	if s == nil {
		return
	}
	texts := slices.Clone(s.command)
	for _, p := range s.env {
		texts = append(texts, p.Value)
	}
	for _, r := range s.requests {
		texts = append(texts, r.body, yamldoc.String{Value: string(r.json.value), At: r.json.at})
		for _, p := range r.headers {
			texts = append(texts, p.Value)
		}
	}
	for _, text := range texts {
		if shape := yamldoc.ShapeOf(text.Value); shape != "" {
			report.Leakf(text.At, "smoke holds %s, which the daemon's records keep", shape).Hint("name it under smoke.secrets, and give it with --secret")
		}
	}
}

// smokeTexts returns every text of a service check that the daemon's records keep, under the name of its place.
func smokeTexts(s *recipe.Smoke) []recipe.Pair {
	if s == nil {
		return nil
	}
	places := []recipe.Pair{{Name: "command of smoke", Value: strings.Join(s.Command, " ")}}
	for _, p := range s.Env {
		places = append(places, recipe.Pair{Name: "variable " + p.Name + " of smoke", Value: p.Value})
	}
	for _, r := range s.Requests {
		who := r.Method + " " + r.Path + " of smoke"
		places = append(places, recipe.Pair{Name: "body of " + who, Value: r.Body})
		for _, p := range r.Headers {
			places = append(places, recipe.Pair{Name: "header " + p.Name + " of " + who, Value: p.Value})
		}
	}
	return places
}
