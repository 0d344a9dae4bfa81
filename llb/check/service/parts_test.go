package service

import (
	"bytes"
	"strings"
	"syscall"
	"testing"
)

func TestDiffers(t *testing.T) {
	for _, c := range []struct{ want, got, says string }{
		{`{}`, `{"a": 1}`, ""},
		{`{"a": {"b": [1, {"c": null}]}}`, `{"a": {"b": [1.0, {"c": null, "d": 1}], "x": 2}}`, ""},
		{`[]`, `[]`, ""},
		{`"ok"`, `"ok"`, ""},
		{`0.3`, `0.30000000000000004`, ""},
		{`9007199254740993`, `9007199254740992`, "$: expected 9007199254740993, got 9007199254740992"},
		{`1`, `true`, "$: expected 1, got true"},
		{`null`, `{}`, "$: expected null, got {}"},
		{`{"a": null}`, `{}`, "$.a: expected null, and there is no such key; there are: none"},
		{`{"label": "a"}`, `{"labels": ["a"], "b": 1}`, `$.label: expected "a", and there is no such key; there are: b, labels`},
		{`{"scores": [{"label": "a"}]}`, `{"scores": [{"label": "b"}]}`, `$.scores[0].label: expected "a", got "b"`},
		{`{"a b": [1]}`, `{"a b": [2]}`, `$["a b"][0]: expected 1, got 2`},
		{`{"s": [1, 2]}`, `{"s": [1, 2, 3]}`, "$.s: expected 2 items, got 3"},
		{`{"s": [1]}`, `{"s": {"0": 1}}`, `$.s: expected [1], got {"0":1}`},
		{`{"s": {}}`, `{"s": [<1>]}`, ""},
		{`"<a>"`, `"<b>"`, `$: expected "<a>", got "<b>"`},
	} {
		want, err := readJSON([]byte(c.want))
		if err != nil {
			t.Fatal(err)
		}
		got, err := readJSON([]byte(c.got))
		if err != nil {
			continue // no JSON
		}
		if says := differs("$", want, got); says != c.says {
			t.Errorf("%s in %s: got %q, want %q", c.want, c.got, says, c.says)
		}
	}
}

func TestReadJSONWantsOneValue(t *testing.T) {
	for _, text := range []string{"", "{} {}", "<html>", "{"} {
		if _, err := readJSON([]byte(text)); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}

func TestSignals(t *testing.T) {
	for name, want := range map[string]syscall.Signal{"SIGTERM": 15, "term": 15, "15": 15, "SIGINT": 2, "SIGUSR2": 12, "SIGSYS": 31, "SIGRTMIN": 34, "SIGRTMIN+3": 37, "SIGRTMAX-1": 63, "SIG": 0, "SIGNONE": 0, "65": 0, "0": 0, "SIGRTMAX+1": 0} {
		if got, ok := readSignal(name); ok != (want != 0) || ok && got != want {
			t.Errorf("%s: got %d, %v", name, got, ok)
		}
	}
	if signalName(15) != "SIGTERM" || signalName(37) != "37" {
		t.Error(signalName(15), signalName(37))
	}
}

func TestListenerLines(t *testing.T) {
	for line, want := range map[string]listener{
		"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 12345 1 0000000000000000 100 0 0 10 0":    {8080, true, "12345"},
		"   1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 12345 1":                                  {8080, false, "12345"},
		"   0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 7 1": {80, true, "7"},
		"   0: 0000000000000000FFFF00000100007F:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 7 1": {80, true, "7"},
		"   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 7 1": {80, false, "7"},
		"   1: 0100007F:1F90 0100007F:C000 01 00000000:00000000 00:00000000 00000000  1000        0 12345 1":                                  {},
		"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode":                                    {},
	} {
		if got, ok := readListener(line); ok != (want.port != 0) || ok && got != want {
			t.Errorf("%s: got %+v, %v", line, got, ok)
		}
	}
}

// TestMaskerAcrossWrites: a value that comes in parts is hidden, whatever the parts are.
func TestMaskerAcrossWrites(t *testing.T) {
	const text = "a s3cr3t-value s3cr3t-valu s3cr3t-values3cr3t-value line-one\nline-two end s3cr3t"
	for size := 1; size <= len(text); size++ {
		var out bytes.Buffer
		m := &masker{to: func(p []byte) { out.Write(p) }, values: secrets{[]byte("line-one\nline-two"), []byte("s3cr3t-value"), []byte("line-one"), []byte("line-two")}}
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			m.write([]byte(rest[:n]))
			rest = rest[n:]
		}
		m.flush()
		if got := out.String(); strings.Contains(got, "s3cr3t-value") || strings.Contains(got, "line-") || !strings.HasSuffix(got, " end s3cr3t") {
			t.Errorf("in parts of %d: %q", size, got)
		}
	}
}

func TestLastLines(t *testing.T) {
	text := strings.Repeat("first\n", 60) + strings.Repeat("y", 3000) + "\r\nlast \xff\n\n"
	got := strings.Split(lastLines([]byte(text)), "\n")
	if len(got) != endLines || got[49] != "last �" || got[48] != strings.Repeat("y", lineBytes)+"…" {
		t.Errorf("got %d lines, %q", len(got), got[len(got)-2:])
	}
	if long := lastLines(bytes.Repeat([]byte(strings.Repeat("z", 900)+"\n"), 60)); len(long) > endBytes+lineBytes {
		t.Errorf("got %d bytes", len(long))
	}
}
