package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"strings"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// attribute is one key=value of a flag.
type attribute struct{ key, value string }

// attributes reads "type=registry,ref=…", the syntax of docker's flags: CSV, so that a value with a comma can stand in quotes. A field
// without "=" has an empty key. Keys are lower case.
func attributes(flag, text string) ([]attribute, error) {
	r := csv.NewReader(strings.NewReader(text))
	fields, err := r.Read()
	if err != nil {
		var bad *csv.ParseError
		if errors.As(err, &bad) {
			err = bad.Err
		}
		return nil, fault.New(fault.Usage, "%s %q: %w", flag, text, err)
	}
	all := make([]attribute, len(fields))
	for i, field := range fields {
		k, v, ok := strings.Cut(field, "=")
		if !ok {
			k, v = "", field
		}
		all[i] = attribute{strings.ToLower(strings.TrimSpace(k)), v}
	}
	return all, nil
}

// loneValue reports whether a flag was given the short form: one value without a key.
func loneValue(all []attribute) bool { return len(all) == 1 && all[0].key == "" }

func unknownAttribute(flag, text string, a attribute) *fault.Fault {
	if a.key == "" {
		return fault.New(fault.Usage, "%s %q: %q is not key=value", flag, text, a.value)
	}
	return fault.New(fault.Usage, "%s %q: there is no key %q", flag, text, a.key)
}

func isTrue(v string) (bool, error) {
	switch strings.ToLower(v) {
	case "true", "1", "":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false", v)
}
