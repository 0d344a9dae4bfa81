package profiles

import (
	"encoding/json"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
	"github.com/mlbuild/mlbuild/profiles/yamldoc"
)

// smokeSpec is the section smoke. Of scriptSpec it has env and secrets.
type smokeSpec struct {
	scriptSpec
	start, stop yamldoc.String
	ends        bool
	command     []yamldoc.String
	exit        []yamldoc.Number
	requests    []requestSpec
}

type requestSpec struct {
	at           fault.Position
	method       string // GET, POST, …; "" = none is given
	path         yamldoc.String
	port, status yamldoc.Number
	headers      []yamldoc.Pair
	json, expect jsonSpec
	body, file   yamldoc.String
	text         yamldoc.String
	timeout      yamldoc.String
}

// jsonSpec is a value of the file as JSON. The zero value was not given.
type jsonSpec struct {
	value json.RawMessage
	at    fault.Position
}

// decodeSmoke reads the section; nil for false.
func decodeSmoke(d *yamldoc.Decoder, n *yamldoc.Node) *smokeSpec {
	s := &smokeSpec{}
	s.at = n.At
	if n.Kind == yamldoc.Boolean {
		on := true
		if d.Flag(&on, "smoke")(n); !on {
			return nil
		}
		return s
	}
	if n.Kind != yamldoc.Mapping {
		d.Wrong(n, "smoke", "true, false or a mapping")
		return nil
	}
	d.Mapping(n, "smoke", yamldoc.Fields{
		"start": d.String(&s.start, "smoke.start"), "stop": d.String(&s.stop, "smoke.stop"), "ends": d.Flag(&s.ends, "smoke.ends"),
		"command": decodeWords(d, &s.command, "smoke.command"), "env": d.Variables(&s.env, "smoke.env"),
		"secrets":  func(n *yamldoc.Node) { decodeStepSecrets(d, n, &s.scriptSpec, "smoke") },
		"exit":     func(n *yamldoc.Node) { s.exit = decodeNumbers(d, n, "smoke.exit") },
		"requests": func(n *yamldoc.Node) { s.requests = decodeRequests(d, n) },
		"network":  func(n *yamldoc.Node) { refuseNetwork(d, n) },
	})
	return s
}

// refuseNetwork says of smoke.network: true that there is none.
func refuseNetwork(d *yamldoc.Decoder, n *yamldoc.Node) {
	wanted := false
	if d.Flag(&wanted, "smoke.network")(n); wanted {
		d.Report.Specf(n.At, "the service check has no network: the same image has to pass today and tomorrow").
			Hint("give the service in smoke.env what it can do without others, or name a stand-in of them in smoke.command: 127.0.0.1 works")
	}
}

// decodeNumbers reads a whole number, or a list of them.
func decodeNumbers(d *yamldoc.Decoder, n *yamldoc.Node, what string) []yamldoc.Number {
	items := []*yamldoc.Node{n}
	if n.Kind == yamldoc.List {
		items, what = n.Items, "an item of "+what
	}
	var all []yamldoc.Number
	for _, item := range items {
		var one yamldoc.Number
		if d.Integer(&one, what)(item); one.Set {
			all = append(all, one)
		}
	}
	return all
}

// requestMethods are the keys that say the method and the path of a request.
var requestMethods = []string{"get", "head", "post", "put", "patch", "delete", "options"}

// decodeRequests reads a list of requests; a text is the path of a GET.
func decodeRequests(d *yamldoc.Decoder, n *yamldoc.Node) []requestSpec {
	if n.Kind != yamldoc.List {
		d.Wrong(n, "smoke.requests", "a list of requests").Hint("for example requests: [{get: /health}, {post: /predict, json: {text: hello}, expect: {label: positive}}]")
		return nil
	}
	var all []requestSpec
	for _, item := range n.Items {
		q := requestSpec{at: item.At}
		if item.Kind == yamldoc.Text {
			q.method = "GET"
			d.String(&q.path, "an item of smoke.requests")(item)
		} else {
			d.Mapping(item, "smoke.requests", requestFields(d, &q))
		}
		all = append(all, q)
	}
	return all
}

func requestFields(d *yamldoc.Decoder, q *requestSpec) yamldoc.Fields {
	keys := yamldoc.Fields{
		"port": d.Integer(&q.port, "port"), "status": d.Integer(&q.status, "status"), "headers": d.Pairs(&q.headers, "headers"),
		"json": decodeJSON(d, &q.json, "json"), "expect": decodeJSON(d, &q.expect, "expect"),
		"body": d.String(&q.body, "body"), "file": d.String(&q.file, "file"), "text": d.String(&q.text, "text"), "timeout": d.String(&q.timeout, "timeout"),
	}
	for _, key := range requestMethods {
		keys[key] = func(n *yamldoc.Node) {
			if q.method != "" {
				d.Report.Specf(n.At, "a request has one method, and this has %s and %s", strings.ToLower(q.method), key).Hint("write two requests")
			}
			q.method = strings.ToUpper(key)
			d.String(&q.path, key)(n)
		}
	}
	return keys
}

func decodeJSON(d *yamldoc.Decoder, to *jsonSpec, what string) func(*yamldoc.Node) {
	return func(n *yamldoc.Node) {
		to.at = n.At
		d.JSON(&to.value, what)(n)
	}
}
