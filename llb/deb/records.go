package deb

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// recordDir holds the records of packages that were laid down without dpkg: <package> with the control paragraph and
// <package>.md5sums, as the distroless images have them and scanners read them. dpkg itself reads /var/lib/dpkg/status
// alone, so in the container it does not know these packages.
const recordDir = "/var/lib/dpkg/status.d"

// writeRecords writes the package's records, with the time of the directories.
func (w *writer) writeRecords(info Info) error {
	files := map[string]string{info.Package: status(info.Control)}
	if sums := w.sums(info.MD5Sums); sums != "" {
		files[info.Package+".md5sums"] = sums
	}
	for _, name := range []string{info.Package, info.Package + ".md5sums"} {
		text, ok := files[name]
		if !ok {
			continue
		}
		if err := w.record(name, text); err != nil {
			return fmt.Errorf("%s: %w", path.Join(recordDir, name), err)
		}
	}
	return nil
}

func (w *writer) record(name, text string) error {
	dir, err := w.links.Resolve(recordDir)
	if err != nil {
		return err
	}
	e := &entry{File: File{Path: path.Join(dir, name), Kind: Regular, Mode: 0o644}, time: w.options.DirTime}
	e.time = clamp(e.time)
	at := e.rel()
	if err := w.note(at, Regular); err != nil {
		return errors.New("the package has a file of this name")
	}
	if err := w.makeParents(at); err != nil {
		return err
	}
	bytes := w.done.Bytes
	defer func() { w.done.Bytes = bytes }() // the record is none of the package's files
	return w.regular(at, e, strings.NewReader(text))
}

// status puts the status that dpkg writes behind the first field, Package.
func status(control string) string {
	first, rest, _ := strings.Cut(control, "\n")
	return first + "\nStatus: install ok installed\n" + rest
}

// sums are the lines of md5sums whose files were written.
func (w *writer) sums(all string) string {
	if len(w.docs) == 0 {
		return all
	}
	var b strings.Builder
	for line := range strings.Lines(all) {
		if _, name, ok := strings.Cut(strings.TrimRight(line, "\n"), "  "); ok && w.docs["/"+name] {
			continue
		}
		b.WriteString(line)
	}
	return b.String()
}
