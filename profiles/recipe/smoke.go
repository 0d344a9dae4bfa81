package recipe

import "encoding/json"

// Smoke is how the image's service is tried where the image was built, before anybody gets it. Nothing of it is in the image. It runs without network, loopback excepted.
type Smoke struct {
	Start    float64        `json:"start"`              // seconds until the service is ready, or the command has ended
	Stop     float64        `json:"stop"`               // seconds until it has ended after its stop signal
	Ends     bool           `json:"ends,omitempty"`     // the command is no service: it ends by itself, with 0
	Command  []string       `json:"command,omitempty"`  // in place of the image's entrypoint and command; nil = those
	Env      []Pair         `json:"env,omitempty"`      // over the image's, sorted by name
	Secrets  []StepSecret   `json:"secrets,omitempty"`  // sorted by id
	Exit     []int          `json:"exit,omitempty"`     // exit codes that are fine after the stop signal, beside 0 and 128 + the signal's number; sorted
	Requests []SmokeRequest `json:"requests,omitempty"` // in order of the file
}

// SmokeRequest is a request that the service has to answer as it says.
type SmokeRequest struct {
	Method  string          `json:"method"`            // GET, POST, …
	Path    string          `json:"path"`              // of the URL, with its query
	Port    int             `json:"port"`              // on 127.0.0.1
	Headers []Pair          `json:"headers,omitempty"` // sorted by name, Content-Type included
	Body    string          `json:"body,omitempty"`    // any bytes
	File    string          `json:"file,omitempty"`    // of the project, that Body was read from
	Status  int             `json:"status,omitempty"`  // of the answer; 0 = 200 to 299
	Expect  json.RawMessage `json:"expect,omitempty"`  // the answer has this in it: objects may have more keys, lists are as long; nil = anything
	Text    string          `json:"text,omitempty"`    // the answer has this text in it
	Timeout float64         `json:"timeout"`           // seconds
}

// StepSecrets lists what the project's own steps and the service check may see of secrets, each with who sees it, for people: "build step libfoo".
func (r *Recipe) StepSecrets() []NamedSecret {
	var all []NamedSecret
	for _, step := range r.Steps() {
		for _, secret := range step.Secrets {
			all = append(all, NamedSecret{step.Name, secret})
		}
	}
	if r.Smoke != nil {
		for _, secret := range r.Smoke.Secrets {
			all = append(all, NamedSecret{"service check", secret})
		}
	}
	return all
}

// NamedSecret is a secret with who sees it.
type NamedSecret struct {
	Who string
	StepSecret
}
