package runner

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"

	"github.com/mlbuild/mlbuild/llb/step"
)

// leak is a secret's value where it would be kept.
type leak struct{ place, id string }

func (l leak) Error() string {
	return fmt.Sprintf("%s: %s holds the value of the secret %q", step.LeakCode, l.place, l.id)
}

// The shortest value that is looked for, in bytes: shorter ones stand in many files by chance. profiles.CheckSecretValues has the same.
const shortest = 6

// needle is one form of a secret's value.
type needle struct {
	id   string
	text []byte
}

// needles reads the secrets and returns what to look for: each value without the white space around it, and the same in base64.
func needles(secrets []step.Secret) ([]needle, error) {
	var all []needle
	for _, s := range secrets {
		data, err := os.ReadFile(s.File)
		if s.Optional && os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("secret %q: %w", s.ID, err)
		}
		value := bytes.TrimSpace(data)
		if len(value) < shortest {
			continue
		}
		whole := value[:len(value)/3*3] // what follows would change the last characters
		all = append(all, needle{s.ID, value}, needle{s.ID, []byte(base64.StdEncoding.EncodeToString(whole))})
	}
	return all, nil
}

// scanner is a writer that looks for needles in all that is written to it, also across two writes.
type scanner struct {
	needles []needle
	tail    []byte
	found   string // id of the first secret that was found
}

// Write implements io.Writer.
func (s *scanner) Write(p []byte) (int, error) {
	longest := 0
	s.tail = append(s.tail, p...)
	for _, n := range s.needles {
		if s.found == "" && bytes.Contains(s.tail, n.text) {
			s.found = n.id
		}
		longest = max(longest, len(n.text))
	}
	if keep := max(longest-1, 0); len(s.tail) > keep {
		s.tail = append(s.tail[:0], s.tail[len(s.tail)-keep:]...)
	}
	return len(p), nil
}

// holds returns the id of the secret whose value is in the text, "" if none is.
func holds(needles []needle, text string) string {
	s := scanner{needles: needles}
	_, _ = s.Write([]byte(text))
	return s.found
}
