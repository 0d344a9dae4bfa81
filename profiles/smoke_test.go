package profiles

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlbuild/mlbuild/profiles/recipe"
)

// smokeOf resolves a project with a section smoke.
func smokeOf(t *testing.T, sel Selection, files map[string]string) *recipe.Smoke {
	t.Helper()
	files["main.py"], files["requirements.txt"] = "", "flask\n"
	r, err := resolveDir(project(t, files), sel)
	if err != nil {
		t.Fatal(err)
	}
	return r.Smoke
}

const smokeApp = "app: {ports: [9000/udp, 8000], healthcheck: {http: /health}}\n"

func TestSmokeDefaults(t *testing.T) {
	for yaml, want := range map[string]*recipe.Smoke{
		"":                          nil,
		"smoke: false\n":            nil,
		"smoke: true\n":             {Start: 60, Stop: 10},
		"smoke: {}\n":               {Start: 60, Stop: 10},
		"smoke: {ends: true}\n":     {Start: 60, Stop: 10, Ends: true},
		"smoke: {network: false}\n": {Start: 60, Stop: 10},
		"smoke: true\nmodels: [{url: 'https://models.example/a.bin', sha256: " + strings.Repeat("a", 64) + ", to: /models/a.bin}]\n": {Start: 120, Stop: 10},
	} {
		if diff := cmp.Diff(want, smokeOf(t, Selection{}, yamlFile(smokeApp+yaml))); diff != "" {
			t.Errorf("%s: %s", yaml, diff)
		}
	}
}

func TestSmokeRequests(t *testing.T) {
	files := yamlFile(smokeApp + `args: {WORD: hi}
secrets: [key]
smoke:
  start: 90
  stop: 2m
  exit: [3, 0, 3]
  env: {MODEL: small}
  secrets: [key]
  command: [python, main.py, --smoke]
  requests:
    - /ready?deep=1
    - post: /predict
      json: {text: "${WORD}", n: 1, f: 1.50, t: true, none: null, "": [1, {a: <b>}, [], {}]}
      headers: {X-Key: "1"}
      status: 201
      expect: {label: positive, scores: [0.5, 1000.0]}
      timeout: 5s
      port: 8001
    - {put: /text, body: "a: b", text: ok, headers: {content-type: text/yaml}}
    - {post: /image, file: tests/cat.png}
`)
	files["tests/cat.png"] = "\x89PNG\x00\xff"
	got := smokeOf(t, Selection{}, files)
	want := &recipe.Smoke{
		Start: 90, Stop: 120, Exit: []int{0, 3}, Command: []string{"python", "main.py", "--smoke"}, Env: []recipe.Pair{{Name: "MODEL", Value: "small"}},
		Secrets: []recipe.StepSecret{{ID: "key", File: "/run/secrets/key"}},
		Requests: []recipe.SmokeRequest{
			{Method: "GET", Path: "/ready?deep=1", Port: 8000, Timeout: 10},
			{
				Method: "POST", Path: "/predict", Port: 8001, Timeout: 5, Status: 201,
				Headers: []recipe.Pair{{Name: "Content-Type", Value: "application/json"}, {Name: "X-Key", Value: "1"}},
				Body:    `{"text":"hi","n":1,"f":1.50,"t":true,"none":null,"":[1,{"a":"<b>"},[],{}]}`, Expect: []byte(`{"label":"positive","scores":[0.5,1000.0]}`),
			},
			{Method: "PUT", Path: "/text", Port: 8000, Timeout: 10, Body: "a: b", Text: "ok", Headers: []recipe.Pair{{Name: "content-type", Value: "text/yaml"}}},
			{Method: "POST", Path: "/image", Port: 8000, Timeout: 10, Body: "\x89PNG\x00\xff", File: "tests/cat.png", Headers: []recipe.Pair{{Name: "Content-Type", Value: "image/png"}}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestSmokeOfAProfile: a profile's keys go over the top level's, and false takes the check away.
func TestSmokeOfAProfile(t *testing.T) {
	files := yamlFile(smokeApp + "smoke: {start: 5s, requests: [/a]}\nprofiles:\n  cpu: {smoke: {start: 7s}}\n  big: {extends: cpu, smoke: false}\n")
	if got := smokeOf(t, Selection{}, files); got.Start != 7 || len(got.Requests) != 1 {
		t.Errorf("got %+v", got)
	}
	if got := smokeOf(t, Selection{Profile: "big"}, files); got != nil {
		t.Errorf("got %+v", got)
	}
}

func TestFaultsOfSmoke(t *testing.T) {
	smoke := func(lines string) map[string]string {
		files := yamlFile(lines)
		files["main.py"], files["tests/big.bin"], files["tests/.env"], files["tests/request.json"] = "", strings.Repeat("x", 1<<20+1), "A=b", "{}"
		return files
	}
	runFaults(t, []faultCase{
		{"kind", smoke("smoke: maybe\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:8: smoke must be true, false or a mapping"}},
		{"unknown key", smoke("smoke: {begin: 5s}\n"), Selection{}, []string{`E-SPEC mlbuild.yaml:1:9: unknown key "begin" in smoke`}},
		{"nothing to wait for", smoke("smoke: true\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:8: smoke cannot know when the service is ready | ends: true"}},
		{"only udp", smoke("smoke: true\napp: {ports: [53/udp]}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:8: smoke cannot know"}},
		{"times", smoke("app: {ports: [8000]}\nsmoke: {start: 2h, stop: soon, requests: [{get: /, timeout: 0}]}\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:2:16: smoke.start is 2h, it may be 1h at most", `E-SPEC mlbuild.yaml:2:26: smoke.stop "soon" is not a time`, `E-SPEC mlbuild.yaml:2:61: timeout "0" is not a time`}},
		{"network", smoke("app: {ports: [8000]}\nsmoke: {network: true}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:2:18: the service check has no network | 127.0.0.1"}},
		{"ends", smoke("smoke: {ends: true, requests: [/x]}\napp: {ports: [80]}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:1:32: smoke has ends: true"}},
		{"command", smoke("app: {ports: [8000]}\nsmoke: {command: python x.py, exit: [x]}\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:2:18: smoke.command must be a list of words", "E-SPEC mlbuild.yaml:2:38: an item of smoke.exit must be a whole number"}},
		{"exit", smoke("app: {ports: [8000]}\nsmoke: {exit: 300}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:2:15: an exit code of smoke.exit is 300"}},
		{"requests", smoke("app: {ports: [8000]}\nsmoke: {requests: {get: /}}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:2:19: smoke.requests must be a list of requests"}},
		{"a request", smoke("app: {ports: [8000]}\nsmoke:\n  requests:\n    - {path: /x}\n    - {get: /, post: /}\n"), Selection{}, []string{
			`E-SPEC mlbuild.yaml:4:8: unknown key "path" in smoke.requests`, "E-SPEC mlbuild.yaml:5:22: a request has one method, and this has get and post"}},
		{"what a request says", smoke("app: {ports: [8000]}\nsmoke:\n  requests:\n    - {get: http://x/}\n    - {json: {}}\n    - {get: /, status: 20, port: 0}\n"), Selection{}, []string{
			`E-SPEC mlbuild.yaml:4:13: "http://x/" is not the path of a URL`, "E-SPEC mlbuild.yaml:5:7: a request of smoke has no method",
			"E-SPEC mlbuild.yaml:6:24: status is 20", "E-SPEC mlbuild.yaml:6:34: port is 0"}},
		{"no port", smoke("app: {healthcheck: {command: [python, x.py]}}\nsmoke: {requests: [/x]}\n"), Selection{}, []string{"E-SPEC mlbuild.yaml:2:20: a request of smoke needs a port | port: 8000"}},
		{"bodies", smoke("app: {ports: [8000]}\nsmoke:\n  requests:\n    - {get: /, json: {}}\n    - {post: /, json: {}, body: x}\n    - {head: /, expect: {}}\n"), Selection{}, []string{
			"E-SPEC mlbuild.yaml:4:7: a GET has no body", "E-SPEC mlbuild.yaml:5:7: a request has one body", "E-SPEC mlbuild.yaml:6:7: an answer to HEAD has no body"}},
		{"files", smoke("app: {ports: [8000]}\nsmoke:\n  requests:\n    - {post: /, file: tests/requst.json}\n    - {post: /, file: ../x}\n    - {post: /, file: tests/big.bin}\n    - {post: /, file: tests/.env}\n    - {post: /, file: tests}\n"), Selection{}, []string{
			"E-CONTEXT mlbuild.yaml:4:23: the request file tests/requst.json does not exist | tests/request.json", `E-CONTEXT mlbuild.yaml:5:23: the request file "../x" is outside the project`,
			"E-CONTEXT mlbuild.yaml:6:23: the request file tests/big.bin is larger than 1 MiB", "E-SECRET-LEAK mlbuild.yaml:7:23: the request file tests/.env is named as one that holds secrets | public",
			"E-CONTEXT mlbuild.yaml:8:23: the request file tests cannot be read"}},
		{"headers", smoke("app: {ports: [8000]}\nsmoke:\n  requests:\n    - {get: /, headers: {\"a b\": x, X: \"a\\nb\", x: c}}\n"), Selection{}, []string{
			`E-SPEC mlbuild.yaml:4:26: "a b" cannot name a header`, "E-SPEC mlbuild.yaml:4:39: the header X holds a line break", "E-SPEC mlbuild.yaml:4:47: the header x is given twice"}},
		{"secrets", smoke("app: {ports: [8000]}\nsmoke: {env: {TOKEN: ghp_" + strings.Repeat("a", 36) + "}, requests: [{get: /, headers: {Authorization: ghp_" + strings.Repeat("b", 36) + "}}]}\n"), Selection{}, []string{
			"E-SECRET-LEAK mlbuild.yaml:2:22: smoke holds a GitHub token", "E-SECRET-LEAK mlbuild.yaml:2:110: smoke holds a GitHub token"}},
		{"undeclared secret", smoke("app: {ports: [8000]}\nsecrets: [key]\nsmoke: {secrets: [{id: kay, env: KEY}]}\n"), Selection{}, []string{`E-SECRET mlbuild.yaml:3:24: the secret "kay" is used here and not declared | "key"`}},
	})
}

// TestSecretInSmoke: the value of a secret stands in nothing that the daemon's records keep.
func TestSecretInSmoke(t *testing.T) {
	r := &recipe.Recipe{Smoke: &recipe.Smoke{Requests: []recipe.SmokeRequest{{Method: "POST", Path: "/x", Body: "abc hunter22 def"}}}}
	err := CheckSecretValues(r, map[string][]byte{"key": []byte("hunter22\n")})
	if err == nil || !strings.Contains(err.Error(), "body of POST /x of smoke") || strings.Contains(err.Error(), "hunter") {
		t.Errorf("got %v", err)
	}
}
