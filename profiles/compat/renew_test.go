package compat

import (
	"strings"
	"testing"

	"github.com/mlbuild/mlbuild/profiles/fault"
)

// TestRead: tables that contradict themselves are refused, with every contradiction.
func TestRead(t *testing.T) {
	for name, c := range map[string]struct {
		from, to string // in the program's tables
		want     []string
	}{
		"no month":            {`as_of: "2026-11"`, `as_of: yesterday`, []string{`as_of "yesterday" is no month`}},
		"a key too many":      {`as_of: "2026-11"`, "as_of: \"2026-11\"\nsurprise: 1", []string{`unknown field "surprise"`, "compat.yaml:3:1"}},
		"no YAML":             {`as_of: "2026-11"`, `as_of: [`, []string{"compat.yaml:"}},
		"rows do not ascend":  {`{version: "2.5", cuda: "11.2"`, `{version: "2.3", cuda: "11.2"`, []string{"the rows of tensorflow do not ascend: 2.4, 2.3, 2.6"}},
		"no range":            {`cudnn: "8.1", python: ["3.6", "3.9"]`, `cudnn: "8.1", python: ["3.9", "3.6"]`, []string{"python of tensorflow 2.5 is not a lowest and a highest version", "python of tensorflow 2.6"}},
		"a framework is lost": {"- name: lightgbm", "- name: lightgpm", []string{"the tables have no framework lightgbm"}},
		"a tag that is none":  {"builds: [", "builds: [cuda12, ", []string{"the tag cuda12 cannot be read back"}},
		"no image":            {`cudnn: cudnn8, ubuntu: ["18.04", "20.04"]`, `cudnn: cudnn8, ubuntu: []`, []string{"row 2 of nvidia_images has no cuda, no ubuntu or no cudnn"}},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.ReplaceAll(string(Text), c.from, c.to)
			if text == string(Text) {
				t.Fatalf("the tables do not have %s", c.from)
			}
			_, err := Read("compat.yaml", []byte(text))
			if !fault.Is(err, fault.Spec) {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nlacks %q", err, want)
				}
			}
		})
	}
}

// TestUse: a newer row counts from when it is there, and no longer than it is.
func TestUse(t *testing.T) {
	if _, known := MinDriver("13.9"); known {
		t.Fatal("the program knows CUDA 13.9")
	}
	tables, err := Read("new.yaml", []byte(strings.Replace(string(Text), "newest_driver_row: ", "newest_driver_row: \"13.9\" # ", 1)))
	if err != nil {
		t.Fatal(err)
	}
	Use(tables)
	t.Cleanup(func() { Use(nil) })
	if driver, known := MinDriver("13.9"); !known || driver != "580" {
		t.Errorf("driver %s, %v", driver, known)
	}
	Use(nil)
	if _, known := MinDriver("13.9"); known {
		t.Error("the program knows CUDA 13.9")
	}
}
