package service

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
)

// readJSON reads one value, numbers as they are written.
func readJSON(data []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one value")
	}
	return v, nil
}

// differs says where a value does not have what is wanted in it, "" where it has: objects may have more keys, lists are as long. path is where it stands: "$.scores[0]".
func differs(path string, want, got any) string {
	switch want := want.(type) {
	case map[string]any:
		return objectDiffers(path, want, got)
	case []any:
		have, ok := got.([]any)
		switch {
		case !ok:
			return unequal(path, want, got)
		case len(want) != len(have):
			return fmt.Sprintf("%s: expected %s, got %d", path, items(len(want)), len(have))
		}
		for i := range want {
			if wrong := differs(fmt.Sprintf("%s[%d]", path, i), want[i], have[i]); wrong != "" {
				return wrong
			}
		}
		return ""
	case json.Number:
		if have, ok := got.(json.Number); ok && sameNumber(want, have) {
			return ""
		}
		return unequal(path, want, got)
	}
	if want == got { // a text, true, false or null; what got is otherwise is of another type
		return ""
	}
	return unequal(path, want, got)
}

func objectDiffers(path string, want map[string]any, got any) string {
	have, ok := got.(map[string]any)
	if !ok {
		return unequal(path, want, got)
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		value, there := have[key]
		if !there {
			return fmt.Sprintf("%s: expected %s, and there is no such key; there are: %s", below(path, key), inWords(want[key]), keysOf(have))
		}
		if wrong := differs(below(path, key), want[key], value); wrong != "" {
			return wrong
		}
	}
	return ""
}

// roundingOff is by how much of themselves two numbers may differ: what computes with floating point may round elsewhere in another way.
const roundingOff = 1e-9

func sameNumber(a, b json.Number) bool {
	if a == b {
		return true
	}
	x, wrongX := a.Float64()
	y, wrongY := b.Float64()
	if wrongX != nil || wrongY != nil {
		return false
	}
	if whole := !strings.ContainsAny(string(a+b), ".eE"); whole {
		return false // as written they differ: 9007199254740993 is not 9007199254740992
	}
	return math.Abs(x-y) <= roundingOff*max(math.Abs(x), math.Abs(y))
}

func unequal(path string, want, got any) string {
	return fmt.Sprintf("%s: expected %s, got %s", path, inWords(want), inWords(got))
}

// inWords is a value as JSON, cut where it is long.
func inWords(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // what was decoded encodes
	return beginning(b.Bytes(), shownOfAnswer)
}

func items(n int) string {
	if n == 1 {
		return "1 item"
	}
	return fmt.Sprintf("%d items", n)
}

var plainKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

func below(path, key string) string {
	if plainKey.MatchString(key) {
		return path + "." + key
	}
	return fmt.Sprintf("%s[%q]", path, key)
}

func keysOf(object map[string]any) string {
	keys := slices.Sorted(maps.Keys(object))
	if len(keys) == 0 {
		return "none"
	}
	return beginning([]byte(strings.Join(keys, ", ")), shownOfAnswer)
}
