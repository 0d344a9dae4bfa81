package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

var (
	// A command of mlbuild in an indented block, also behind another command, or in a code span.
	documentedLine = regexp.MustCompile("(?m)(?:^    (?:.* && |.*\\| )?|^    \\$ |`)mlbuild( [^`\n]*)")
	inQuotes       = regexp.MustCompile(`"[^"]*"|'[^']*'`)
	// What is not mlbuild's any more: a comment, a pipe, a redirection, another command; and what is no argument: an omission.
	behindCommand = regexp.MustCompile(`\s+#.*|\s*(\||&&|>|<|…|;).*`)
)

// documentedCommands are the command lines of mlbuild in a page, each as its words.
func documentedCommands(page string) (all [][]string) {
	for _, m := range documentedLine.FindAllStringSubmatch(page, -1) {
		line := behindCommand.ReplaceAllString(inQuotes.ReplaceAllString(m[1], "value"), "")
		if !strings.HasSuffix(line, `\`) {
			all = append(all, strings.Fields(line))
		}
	}
	return all
}

// TestDocumentedCommands: the commands that the pages show are ones that mlbuild takes, with flags that it has.
func TestDocumentedCommands(t *testing.T) {
	lines := 0
	for _, pattern := range []string{"README.md", "docs/*.md", "examples/*/README.md"} {
		pages, err := filepath.Glob("../../" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range pages {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			for _, words := range documentedCommands(string(text)) {
				lines++
				e, _, _ := testEnv()
				cmd, rest, err := newRoot(e, &generalFlags{}).Find(words)
				if err == nil {
					err = cmd.ParseFlags(rest)
				}
				var lacksValue *pflag.ValueRequiredError // a flag that is named by itself
				if err != nil && !errors.Is(err, pflag.ErrHelp) && !errors.As(err, &lacksValue) {
					t.Errorf("%s: mlbuild %s: %v", page, strings.Join(words, " "), err)
				}
			}
		}
	}
	if lines < 200 {
		t.Errorf("only %d command lines were found", lines)
	}
}
