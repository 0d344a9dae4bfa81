package check

import (
	"encoding/json"
	"strings"
)

// Packages asks whether what is installed in an image works: every package that the project names can be imported, what is installed is what was to be installed, shared libraries are
// found, frameworks are of the build that the profile promises. The program runs as the image's user, in the image's environment.
type Packages struct {
	Root       string      `json:"root"`   // of the image: "/"
	Python     string      `json:"python"` // the environment's interpreter, absolute; "" = python3 or python of PATH
	Installed  []Package   `json:"installed,omitempty"`
	Found      bool        `json:"found,omitempty"`      // nobody knows what was to be installed: it is what is there
	Modules    []Module    `json:"modules,omitempty"`    // what the project's own files import of packages
	Programs   []Program   `json:"programs,omitempty"`   // what the image's configuration runs
	Frameworks []Framework `json:"frameworks,omitempty"` // what is promised of them
	GPU        bool        `json:"gpu,omitempty"`        // the image is made for an accelerator
	Skip       []string    `json:"skip,omitempty"`       // modules that are not imported, sorted; "a" stands for a.b too
	Lacking    []string    `json:"lacking,omitempty"`    // shared libraries, by file names, that may lack: "libcuda.so.1"; sorted
	Unmet      []string    `json:"unmet,omitempty"`      // packages, normalized names, whose being missing or of another version than others require is wanted; sorted
	// Loose are packages, normalized names, whose own requirements nobody holds: the project wants them without what they require. Those of packages that are not among Installed
	// (a base's own) are not held either.
	Loose   []string `json:"loose,omitempty"`
	Timeout float64  `json:"timeout"` // seconds for all
	Memory  int64    `json:"memory"`  // bytes that the imports may hold
}

// Package is one that is to be installed.
type Package struct {
	Name    string `json:"name"`              // normalized (PEP 503)
	Version string `json:"version,omitempty"` // "" = only its build knows
	Direct  bool   `json:"direct,omitempty"`  // the project names it: it has to import
	// Extras are those that the project asks for of it, so that what they require has to be there.
	Extras []string `json:"extras,omitempty"`
}

// Module is a module, or what may be one, that a file of the project imports.
type Module struct {
	Name string `json:"name"` // "requests"
	File string `json:"file"` // of the project
	Line int    `json:"line"` // of the first import in it
}

// Program is a program that the image's configuration runs.
type Program struct {
	Name string `json:"name"` // as it stands there: a path, or a name that PATH finds
	Dir  string `json:"dir"`  // the working directory, for a relative path
	For  string `json:"for"`  // "command", "entrypoint", "healthcheck"
}

// Frameworks are those that the program can ask which build they are.
var Frameworks = []string{"jax", "onnxruntime", "tensorflow", "torch"}

// Framework is a promise about a package: of torch its CUDA, say. A package that is not installed breaks none.
type Framework struct {
	Name string `json:"name"` // torch, tensorflow, onnxruntime, jax
	// Want is the accelerator: "cpu", "cuda", "rocm", "xpu".
	Want string `json:"want"`
	CUDA string `json:"cuda,omitempty"` // "12.6" of torch: its version; "" = any
}

// Kind says what is wrong.
type Kind string

// The kinds.
const (
	Import    Kind = "import"    // a module of a package cannot be imported
	Library   Kind = "library"   // a shared library that a file of a package needs is not found
	Missing   Kind = "missing"   // a package is not installed
	Version   Kind = "version"   // a package is installed in another version than the lock's
	Twice     Kind = "twice"     // a package is installed more than once
	Conflict  Kind = "conflict"  // a package requires what is not there, or another version
	Promise   Kind = "promise"   // a framework is another build than the profile promises
	NoProgram Kind = "program"   // a program of the image's configuration is not there
	NoModule  Kind = "module"    // a module that a file of the project imports is not there
	Resources Kind = "resources" // the imports took too long, or too much memory
	Python    Kind = "python"    // the interpreter does not run
	Service   Kind = "service"   // the image's service failed its check
)

// Fault is one thing that is wrong.
type Fault struct {
	Kind     Kind   `json:"kind"`
	Package  string `json:"package,omitempty"` // normalized name
	Module   string `json:"module,omitempty"`
	File     string `json:"file,omitempty"` // of an image, absolute; of NoModule: of the project
	Line     int    `json:"line,omitempty"`
	Library  string `json:"library,omitempty"` // the file name that is not found: "libGL.so.1"
	Program  string `json:"program,omitempty"`
	For      string `json:"for,omitempty"`      // of a program, see Program.For
	Requires string `json:"requires,omitempty"` // of Conflict: what Package requires, as its metadata says it
	There    string `json:"there,omitempty"`    // the version, or what there is in place of what was promised
	Want     string `json:"want,omitempty"`     // what was promised
	Text     string `json:"text,omitempty"`     // the last words of what failed: "ImportError: …"
	Output   string `json:"output,omitempty"`   // the end of what it printed, at most 4 KiB; of Service the last 50 lines, at most 16 KiB
	// Hints say what to do, where only the check knows it.
	Hints []string `json:"hints,omitempty"`
	// Raised is the exception's type with its module's name where it is not a builtin: "ModuleNotFoundError".
	Raised string `json:"raised,omitempty"`
}

// Hint adds what to do, and returns f.
func (f *Fault) Hint(text string) *Fault {
	f.Hints = append(f.Hints, text)
	return f
}

// Report is how a check ended.
type Report struct {
	Faults []Fault  `json:"faults,omitempty"`
	Notes  []string `json:"notes,omitempty"` // what could not be checked here, for people
	// Imported counts the modules that were imported, Libraries the files whose libraries were looked for.
	Imported  int     `json:"imported,omitempty"`
	Libraries int     `json:"libraries,omitempty"`
	GPUs      int     `json:"gpus,omitempty"`    // devices that a framework has found and computed on
	Seconds   float64 `json:"seconds,omitempty"` // that the check took
	// Healthy and Stopped are seconds that a service took to answer its health check, and to end after its signal.
	Healthy float64 `json:"healthy,omitempty"`
	Stopped float64 `json:"stopped,omitempty"`
}

// Answer begins the line on which the program writes a Report as JSON, the last that it prints.
const Answer = "mlbuild-check: "

// Line returns the report as the program prints it.
func (r Report) Line() string { return Answer + r.JSON() }

// JSON returns the report as JSON on one line.
func (r Report) JSON() string {
	data, _ := json.Marshal(r) //nolint:errchkjson // texts, numbers and lists of them always encode
	return string(data)
}

// ReadAnswer returns the report in what the program printed, false where there is none. What looks like one inside of the report itself, as a service's log may, is none.
func ReadAnswer(output string) (r Report, ok bool) {
	for at := strings.LastIndex(output, Answer); at >= 0; at = strings.LastIndex(output[:at], Answer) {
		line, _, _ := strings.Cut(output[at+len(Answer):], "\n")
		var found Report
		if json.Unmarshal([]byte(line), &found) == nil {
			return found, true
		}
	}
	return r, false
}

// The program's exit codes beside 0, all is well.
const (
	Failed = 1 // the report has faults
	Broken = 2 // the check itself could not run
)

// Run asks whether an image's service works. The program runs as the first process of the container, as the image's user, in its environment.
type Run struct {
	Command []string `json:"command"` // of the image, the entrypoint first
	Dir     string   `json:"dir"`     // the working directory
	Health  *Health  `json:"health,omitempty"`
	Start   float64  `json:"start"` // seconds in which the service has to be ready
	// Ports are the image's TCP ports. Where there is no health check one of them has to listen; none = it is enough that the command runs, or ended with 0 where Ends. None may listen on
	// loopback alone.
	Ports    []int     `json:"ports,omitempty"`
	Requests []Request `json:"requests,omitempty"`
	Signal   string    `json:"signal"`         // that stops it: "SIGTERM", or a number
	Grace    float64   `json:"grace"`          // seconds that it may take to end then
	Exit     []int     `json:"exit,omitempty"` // exit codes with which it may end then, beside 0 and 128 + the signal's number
	Ends     bool      `json:"ends,omitempty"` // the command is no service: it has to end by itself, with 0, within Start
	Timeout  float64   `json:"timeout"`        // seconds for all
	// Writable are directories that the service must be able to write to.
	Writable []string `json:"writable,omitempty"`
	// Protected are directories that it must not be able to write to, where it does not run as root: those of the system and of the installed packages. One that is not there is none.
	Protected []string `json:"protected,omitempty"`
	// Secrets are files with values that no message may show, absolute.
	Secrets []string `json:"secrets,omitempty"`
}

// Health is the image's health check (docker image-spec HEALTHCHECK), in seconds.
type Health struct {
	Test          []string `json:"test"` // without CMD and CMD-SHELL: the words of a command
	Interval      float64  `json:"interval"`
	Timeout       float64  `json:"timeout"`
	StartPeriod   float64  `json:"start_period"`
	StartInterval float64  `json:"start_interval"`
	Retries       int      `json:"retries"`
}

// Request is a request that the service has to answer as it says.
type Request struct {
	Name    string          `json:"name"` // for people: "POST /predict"
	Method  string          `json:"method"`
	URL     string          `json:"url"`               // "http://127.0.0.1:8000/predict"
	Headers [][2]string     `json:"headers,omitempty"` // name and value
	Body    []byte          `json:"body,omitempty"`
	Status  int             `json:"status"`         // 0 = 200 to 299
	JSON    json.RawMessage `json:"json,omitempty"` // the answer has this in it: objects may have more, lists are the same; nil = anything
	Text    string          `json:"text,omitempty"` // the answer has this text in it
	Timeout float64         `json:"timeout"`
}
