package deb

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"
)

// Limits on the control part, in bytes. The largest of Debian 12 has 3 MB, most of it md5sums.
const (
	maxControl     = 64 << 20
	maxControlFile = 32 << 20
)

// scriptNames are the maintainer scripts, and config, which debconf runs.
var scriptNames = []string{"preinst", "postinst", "prerm", "postrm", "config"}

// readControl returns the files of the control part by name. Directories other than the root do not occur.
func (a *archive) readControl() (map[string]string, error) {
	in, err := a.control.unpacked()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.control.name, err)
	}
	defer in.Close()
	files := map[string]string{}
	t := tar.NewReader(io.LimitReader(in, maxControl))
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s is damaged: %w", a.control.name, err)
		}
		if err := readControlFile(files, h, t); err != nil {
			return nil, fmt.Errorf("%s: %q: %w", a.control.name, h.Name, err)
		}
	}
}

func readControlFile(files map[string]string, h *tar.Header, r io.Reader) error {
	name := path.Clean(h.Name)
	switch {
	case h.Typeflag == tar.TypeDir && name == ".", h.Typeflag == tar.TypeXGlobalHeader:
		return nil
	case h.Typeflag != tar.TypeReg || strings.Contains(name, "/") || name == ".":
		return errors.New("only regular files may stand there")
	case h.Size > maxControlFile:
		return fmt.Errorf("it has %d bytes, more than the %d that are allowed", h.Size, maxControlFile)
	}
	if _, ok := files[name]; ok {
		return errors.New("it is there twice")
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("it is damaged: %w", err)
	}
	files[name] = string(data)
	return nil
}

// field is a field of a control paragraph.
type field struct{ name, value string }

// parseParagraph reads one paragraph of deb-control(5): continuation lines start with a space or tab and stay as they are.
func parseParagraph(text string) ([]field, error) {
	var fields []field
	seen := map[string]bool{}
	for line := range strings.Lines(strings.Trim(text, "\n")) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.TrimSpace(line) == "":
			return nil, errors.New("it holds an empty line")
		case line[0] == ' ' || line[0] == '\t':
			if len(fields) == 0 {
				return nil, errors.New("it starts with a continuation line")
			}
			fields[len(fields)-1].value += "\n" + line
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || !fieldName.MatchString(name) {
			return nil, fmt.Errorf("the line %.80q is no field", line)
		}
		key := strings.ToLower(name)
		if seen[key] {
			return nil, fmt.Errorf("the field %s is there twice", name)
		}
		seen[key] = true
		fields = append(fields, field{name, strings.TrimSpace(value)})
	}
	return fields, nil
}

// Forms of the values that become part of paths and records (Debian policy 5.1, 5.6.1, 5.6.8, 5.6.12).
var (
	fieldName    = regexp.MustCompile(`^[!-,./-9;-~][!-9;-~]*$`)
	packageName  = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]{1,127}$`)
	versionForm  = regexp.MustCompile(`^([0-9]+:)?[0-9A-Za-z][0-9A-Za-z.+~:-]{0,255}$`)
	architecture = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
)

// checkParagraph wants the fields without which a package is none.
func checkParagraph(fields []field) error {
	for _, want := range []struct {
		name string
		form *regexp.Regexp
	}{{"Package", packageName}, {"Version", versionForm}, {"Architecture", architecture}} {
		if value := valueOf(fields, want.name); !want.form.MatchString(value) {
			return fmt.Errorf("the field %s is missing or malformed: %.80q", want.name, value)
		}
	}
	return nil
}

// valueOf returns the value of a field, "" if it is missing. Names are compared without case.
func valueOf(fields []field, name string) string {
	for _, f := range fields {
		if strings.EqualFold(f.name, name) {
			return f.value
		}
	}
	return ""
}
