package wheel

import "slices"

// Listed is an entry of a wheel as the zip's directory lists it.
type Listed struct {
	Name string `json:"name"`
	Size int64  `json:"size"` // bytes, unpacked
	Mode uint32 `json:"mode"` // Unix mode with its type bits, 0 if the zip has none
}

// Look says of a wheel that is not at hand what its directory and its RECORD show: flaws, which Install puts right, and the faults for which it refuses the wheel, of the
// kind fault.WheelUnsafe. Contents are not known, so a wheel may pass here and fail there.
func Look(filename string, listed []Listed, record []byte) (flaws []string, err error) {
	p := &plan{options: Options{Python: "3"}, rep: &report{wheel: filename}}
	if p.filename, err = ParseFilename(filename); err != nil {
		return nil, err
	}
	p.project = normalName(p.filename.Name)
	entries := make([]*entry, len(listed))
	for i, l := range listed {
		entries[i] = &entry{name: l.Name, size: l.Size, packed: l.Size, mode: l.Mode}
		checkEntry(entries[i], p.rep)
	}
	read := func() {
		for _, name := range []string{"WHEEL", "METADATA", "RECORD"} {
			if p.byName[p.distInfo+"/"+name] == nil {
				p.rep.add(p.distInfo+"/"+name, "it is missing")
			}
		}
		p.readRecord(record)
	}
	for _, step := range []func(){func() { p.takeEntries(entries) }, p.findInfo, read, p.checkPlaces} {
		if step(); p.rep.err() != nil {
			return nil, p.rep.err()
		}
	}
	return slices.Sorted(slices.Values(p.rep.flaws)), nil
}

// checkPlaces refuses entries that have no place, or that of something else.
func (p *plan) checkPlaces() {
	pl := placer{f: p.filename, distInfo: p.distInfo, python: p.options.Python}
	for _, e := range p.entries {
		if e.isDir() {
			continue
		}
		at, err := pl.of(e.name)
		if err == nil && at.path != "" {
			err = checkPlace(at.path, p.project)
		}
		if err != nil {
			p.rep.add(e.name, "%w", err)
		}
	}
}

// RunsAtStart reports whether a file of a project, by its path relative to site-packages, runs code at every start of Python that is not known to be harmless: Install refuses
// it unless Options.AllowPth names it.
func RunsAtStart(project, file string, data []byte) bool {
	return isStartup(file) && checkStartup(file, normalName(project), hashOf(data), data, nil) != nil
}

// Allows reports whether an item of Options.AllowPth names this file of a project.
func Allows(item, project, file string) bool { return sameStartup(item, normalName(project), file) }
