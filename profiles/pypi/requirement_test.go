package pypi

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// said writes what was read of a requirement on one line.
func said(q Requirement) string {
	text := fmt.Sprintf("%s %q %s", q.Name, q.Extras, q.Specifiers)
	if q.URL != "" {
		text += " @ " + q.URL
	}
	if q.Marker != nil {
		text += fmt.Sprint(" ; ", q.Holds(testEnvironment()))
	}
	return text
}

func TestParseRequirement(t *testing.T) {
	for text, want := range map[string]string{
		"numpy":                                  `numpy [] `,
		"Torch_Vision.x >= 2, <3":                `torch-vision-x [] >=2,<3`,
		"a[b,C_d] ~=1.0":                         `a ["b" "C_d"] ~=1.0`,
		"a [b] (>=1)":                            `a ["b"] >=1`,
		"a[]":                                    `a [] `,
		"a==1.0+cu126 ; sys_platform == 'linux'": `a [] ==1.0+cu126 ; true`,
		"a (==1.0+cu126); sys_platform == 'win32'":                           `a [] ==1.0+cu126 ; false`,
		"a;python_version<'3'":                                               `a []  ; false`,
		"a@https://files.example/a.whl":                                      `a []  @ https://files.example/a.whl`,
		"a[x] @ git+ssh://git@[::1]:2/a.git@v1#egg=a ; python_version > '3'": `a ["x"]  @ git+ssh://git@[::1]:2/a.git@v1#egg=a ; true`,
		"a @ ./libs/a[x]; python_version > '3'":                              `a []  @ ./libs/a ; true`,
	} {
		q, err := ParseRequirement(text)
		if err != nil || said(q) != want {
			t.Errorf("%s: %s, %v; want %s", text, said(q), err, want)
		}
	}
	for text, form := range map[string]bool{
		"": true, "flask 3": true, "=1": true, "-r x": true, "./a": true, "https://host/torch/x.whl": true, "a/b": true, "é": true, "a-": true,
		"a>=x": false, "a>=1.*": false, "a;x": false, "a @": false, "a(>1": false, "a==1 b": false,
	} {
		q, err := ParseRequirement(text)
		if err == nil || errors.Is(err, ErrNoRequirement) != form || (q.Name == "") != form {
			t.Errorf("%q: %q, %v", text, q.Name, err)
		}
	}
}

func TestParseLine(t *testing.T) {
	for text, want := range map[string]string{
		"./libs/tool[fast, b] ; python_version > '3'": ` ["fast" "b"]  @ ./libs/tool ; true`,
		"wheels/y-1.whl":                    ` []  @ wheels/y-1.whl`,
		"y-1.tar.gz[x]":                     ` ["x"]  @ y-1.tar.gz`,
		"file:///x.whl":                     ` []  @ file:///x.whl`,
		"https://files.example/torch/y.whl": ` []  @ https://files.example/torch/y.whl`,
		"git+https://h.example/torch.git#egg=t ; os_name == 'nt'": ` []  @ git+https://h.example/torch.git#egg=t ; false`,
		"git+ssh://git@[::1]:2222/b.git":                          ` []  @ git+ssh://git@[::1]:2222/b.git`,
		"y@./y.whl":                                               `y []  @ ./y.whl`,
		"y.z":                                                     `y-z [] `,
	} {
		q, err := ParseLine(text)
		if err != nil || said(q) != want {
			t.Errorf("%s: %s, %v; want %s", text, said(q), err, want)
		}
	}
	if q, err := ParseLine("./a b"); !errors.Is(err, ErrNoRequirement) {
		t.Errorf("%+v, %v", q, err)
	}
}

// TestPath: what is a file of the project is told from what is not.
func TestPath(t *testing.T) {
	for text, want := range map[string]string{
		"./libs/../a": "a", "a @ ./b/": "b", "../up": "../up", "/abs": "/abs", "file:///x.whl": "", "a @ file:///y": "", "numpy": "", "a @ https://h.example/a.whl": "",
	} {
		q, err := ParseLine(text)
		if err != nil || q.Path() != want || q.IsLocal() != (want != "" || strings.Contains(text, "file:")) {
			t.Errorf("%s: %q, %v", text, q.Path(), err)
		}
	}
}

// TestEdits: a requirement is changed at its place, and what stands around it stays.
func TestEdits(t *testing.T) {
	for text, want := range map[string]string{
		"tensorflow": "tf-cpu", "tensorflow==2.21.0": "tf-cpu==2.21.0", "tensorflow >= 2.20, < 3": "tf-cpu >= 2.20, < 3",
		"tensorflow[and-cuda]~=2.20": "tf-cpu~=2.20", "tensorflow [and-cuda] >2": "tf-cpu >2", "tensorflow(>2)": "tf-cpu(>2)",
		"TensorFlow>2; python_version < '3.12'": "tf-cpu>2; python_version < '3.12'", "tensorflow @ https://files.example/tf.whl": "", "./tensorflow": "",
	} {
		q, err := ParseLine(text)
		e, ok := q.Renamed("tf-cpu")
		if err != nil || ok != (want != "") || ok && Apply("x "+text, []Edit{e.In(2)}) != "x "+want {
			t.Errorf("%s: %v, %v", text, e, err)
		}
	}
	for text, want := range map[string]string{
		"./libs/tool[fast] ; python_version > '3'": "there[fast] ; python_version > '3'", "tool @ ./libs/tool": "tool @ there", "a.whl": "there",
	} {
		q, err := ParseLine(text)
		if got := Apply(text, []Edit{q.Moved("there")}); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
}

func TestParseLines(t *testing.T) {
	text := "# first\\\nA_b==1.0 \\\r\n  --hash=sha256:aa \\\n  --hash sha256:bb # why \\\ntorch>=2 ; python_version < '3' # torchvision\r\n\n--pre\n" +
		"-r more.txt\n-rnext.txt\n--requirement = 'with space.txt'\n-c=c.txt\n--extra-index-url https://torch.example/x --find-links=https://l.example/p\n" +
		"-e .[x]\n--no-binary a,b\nc#d \\\n# e \\\nflask 3\nx>=1.* --config-settings k=v\nlast \\\n"
	var got []string
	for _, l := range ParseLines(text) {
		s := fmt.Sprintf("%d+%d %q", l.Number, l.Count, l.Required.Text)
		for _, o := range l.Options {
			s += " " + o.Name + ":" + o.Value
		}
		if l.Err != nil {
			s += " " + l.Err.Error()
		}
		if !strings.HasPrefix(text[l.Offset:], l.Required.Text) && l.Required.Text != "" && !strings.Contains(text[l.Offset:], "\\") {
			t.Errorf("%q is not at %d", l.Required.Text, l.Offset)
		}
		got = append(got, s)
	}
	want := []string{
		`2+3 "A_b==1.0" --hash:sha256:aa --hash:sha256:bb`,
		`5+1 "torch>=2 ; python_version < '3'"`,
		`7+1 "" --pre:`,
		`8+1 "" --requirement:more.txt`, `9+1 "" --requirement:next.txt`, `10+1 "" --requirement:with space.txt`, `11+1 "" --constraint:c.txt`,
		`12+1 "" --extra-index-url:https://torch.example/x --find-links:https://l.example/p`,
		`13+1 "" --editable:.[x]`, `14+1 "" --no-binary:a,b`,
		`15+2 "c#d" "c#d": not a requirement`,
		`17+1 "flask 3" "flask 3": not a requirement`,
		`18+1 "x>=1.*" --config-settings:k=v >=1.*: .* only goes with == and !=`,
		`19+1 "last"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
