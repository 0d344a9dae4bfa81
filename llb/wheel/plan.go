package wheel

import (
	"bytes"
	"cmp"
	"io"
	"path"
	"slices"
	"strings"
)

// file is one file to install: an entry of the wheel as it is, or contents that were made here.
type file struct {
	path    string // relative to the virtual environment
	mode    uint32
	size    int64
	hash    string // as RECORD writes it, "" if it says none; held against the contents while writing
	entry   *entry // nil: content is written
	content []byte
	from    string // entry that content was made of, "" = none
	part    int
}

// generated is a file made here.
func generated(path string, mode uint32, content []byte) *file {
	return &file{path: path, mode: mode, size: int64(len(content)), hash: hashOf(content), content: content}
}

// source is a wheel that is open for reading.
type source struct {
	r    io.ReaderAt
	size int64
	name string // file name
}

// plan is what a wheel becomes. It is made from the zip's directory and a few small files; the rest is read when it is
// written.
type plan struct {
	source
	options  Options
	rep      *report
	inflater *inflater
	filename Filename
	project  string // normalised
	name     string // as METADATA writes it
	version  string
	distInfo string
	entries  []*entry
	byName   map[string]*entry
	rows     map[string]Row
	files    []*file // sorted by path
	own      *file   // RECORD as it is installed, one of files
}

// newPlan reads and checks a wheel. The error holds every fault that could be found without the ones before it; contents
// are checked only while they are written.
func newPlan(src source, o Options) (*plan, error) {
	p := &plan{source: src, options: o, rep: &report{wheel: path.Base(src.name), strict: o.Strict}, inflater: newInflater()}
	if err := checkOptions(o); err != nil {
		return nil, err
	}
	var err error
	if p.filename, err = ParseFilename(src.name); err != nil {
		return nil, err
	}
	p.project = normalName(p.filename.Name)
	for _, step := range []func(){p.readEntries, p.readMetadata, p.placeFiles, p.prune, p.addGenerated} {
		if step(); p.rep.err() != nil {
			return nil, p.rep.err()
		}
	}
	return p, nil
}

// readEntries reads the zip's directory.
func (p *plan) readEntries() {
	entries, err := readZip(p.r, p.size, p.rep)
	if err != nil {
		p.rep.add("", "%w", err)
	}
	if p.rep.err() != nil {
		return
	}
	p.takeEntries(entries)
}

// takeEntries cleans the names of the entries, finds those that collide, and keeps the last of each name.
func (p *plan) takeEntries(entries []*entry) {
	names := make([]string, len(entries)) // without parts that mean nothing
	p.byName = make(map[string]*entry, len(entries))
	for i, e := range entries {
		e.name = cleanName(e.name)
		names[i] = e.name
		p.byName[e.name] = e
	}
	checkCollisions(names, nil, p.rep)
	p.entries = slices.DeleteFunc(entries, func(e *entry) bool { return p.byName[e.name] != e }) // of one name, the last counts
}

// readMetadata reads .dist-info: WHEEL, METADATA and RECORD.
func (p *plan) readMetadata() {
	if p.findInfo(); p.distInfo == "" {
		return
	}
	record := p.infoFile("RECORD", maxRecord, true)
	if p.rep.err() != nil {
		return
	}
	if p.readRecord(record); p.rep.err() != nil {
		return
	}
	var err error
	if data := p.infoFile("WHEEL", maxMetadata, true); data != nil {
		p.checkWheelFile(data)
	}
	if data := p.infoFile("METADATA", maxMetadata, true); data != nil {
		if p.name, p.version, err = checkMetadata(data, p.filename); err != nil {
			p.rep.add(p.distInfo+"/METADATA", "%w", err)
		}
	}
}

// findInfo finds .dist-info.
func (p *plan) findInfo() {
	var err error
	if p.distInfo, err = findDistInfo(p.entries, p.filename); err != nil {
		p.rep.add("", "%w", err)
		return
	}
	if stem := strings.TrimSuffix(p.distInfo, ".dist-info"); !isOf(stem, p.filename) {
		p.rep.flaw("", "%s does not belong to %s %s", p.distInfo, p.filename.Name, p.filename.Version)
	}
}

// readRecord reads RECORD and holds it against the entries.
func (p *plan) readRecord(text []byte) {
	before := len(p.rep.faults)
	rows := readRows(bytes.NewReader(text), func(err error) { p.rep.flaw(p.distInfo+"/RECORD", "%w", err) })
	if len(p.rep.faults) == before {
		p.rows = checkRecord(rows, p.entries, p.distInfo, p.rep)
	}
}

// infoFile reads a file of .dist-info; nil if it is missing or damaged, which is noted.
func (p *plan) infoFile(name string, limit int64, needed bool) []byte {
	name = p.distInfo + "/" + name
	e := p.byName[name]
	if e == nil {
		if needed {
			p.rep.add(name, "it is missing")
		}
		return nil
	}
	return p.read(e, limit)
}

// read returns the contents of an entry, checked against RECORD where that is read already.
func (p *plan) read(e *entry, limit int64) []byte {
	data, err := p.inflater.read(p.r, e, limit)
	if err != nil {
		p.rep.add(e.name, "%w", err)
		return nil
	}
	if row := p.rows[e.name]; row.Hash != "" && !isRecordFile(e.name, p.distInfo) {
		h, algorithm := newHashOf(row.Hash)
		h.Write(data)
		if err := sameHash(hashString(algorithm, h.Sum(nil)), row.Hash); err != nil {
			p.rep.flaw(e.name, "%w", err)
		}
	}
	return data
}

// placeFiles maps each entry to a file and makes the scripts of entry points.
func (p *plan) placeFiles() {
	points, errs := parseEntryPoints(p.infoFile("entry_points.txt", maxMetadata, false))
	made, more := scripts(points)
	for _, err := range append(errs, more...) {
		p.rep.add(p.distInfo+"/entry_points.txt", "%w", err)
	}
	pl := placer{f: p.filename, distInfo: p.distInfo, python: p.options.Python, points: map[string]bool{}}
	for _, f := range made {
		pl.points[path.Base(f.path)] = true
		if err := checkPlace(f.path, p.project); err != nil {
			p.rep.add(p.distInfo+"/entry_points.txt", "%w", err)
		}
	}
	for _, e := range p.entries {
		if !e.isDir() {
			p.placeEntry(e, pl)
		}
	}
	p.files = p.lastOf(append(p.files, made...))
}

// lastOf drops the files in whose place installers lay a later one: they lay down the root first, then .data, then the programs of entry points.
func (p *plan) lastOf(files []*file) []*file {
	slices.SortStableFunc(files, func(a, b *file) int { return cmp.Compare(p.turn(a), p.turn(b)) })
	last := make(map[string]*file, len(files))
	for _, f := range files {
		if last[f.path] != nil {
			p.rep.flaw(f.path, "it is there twice")
		}
		last[f.path] = f
	}
	return slices.DeleteFunc(files, func(f *file) bool { return last[f.path] != f })
}

// turn is when a file is laid down.
func (p *plan) turn(f *file) int {
	switch {
	case f.entry == nil && f.from == "":
		return 2
	case path.Join(sitePackages(p.options.Python), cmp.Or(f.from, f.source())) == f.path:
		return 0
	}
	return 1
}

func (p *plan) placeEntry(e *entry, pl placer) {
	at, err := pl.of(e.name)
	if err == nil && at.path != "" {
		err = checkPlace(at.path, p.project)
	}
	if err != nil {
		p.rep.add(e.name, "%w", err)
		return
	}
	switch {
	case at.path == "":
	case at.script:
		p.files = append(p.files, p.scriptFile(e, at.path))
	default:
		p.checkStartup(e, at.path)
		p.files = append(p.files, p.entryFile(e, at.path, modeOf(e)))
	}
}

// modeOf keeps whether an entry is executable, as pip does, and nothing else of its mode. A link is not.
func modeOf(e *entry) uint32 {
	if kind := e.mode & typeMask; e.mode&0o111 != 0 && (kind == 0 || kind == typeFile) {
		return modeExec
	}
	return modeFile
}

func (p *plan) entryFile(e *entry, at string, mode uint32) *file {
	return &file{path: at, mode: mode, size: e.size, hash: p.rows[e.name].Hash, entry: e}
}

// scriptFile is a file of the scripts scheme, rewritten if it asks for Python.
func (p *plan) scriptFile(e *entry, at string) *file {
	head := p.inflater.peek(p.r, e, int64(len(pythonLine)))
	if string(head) != pythonLine {
		return p.entryFile(e, at, modeExec)
	}
	text, err := rewriteScript(p.read(e, maxMetadata))
	if err != nil {
		p.rep.add(e.name, "%w", err)
	}
	made := generated(at, modeExec, text)
	made.from = e.name
	return made
}

// checkStartup holds files that run by themselves against the allow lists.
func (p *plan) checkStartup(e *entry, at string) {
	rel, ok := strings.CutPrefix(at, sitePackages(p.options.Python)+"/")
	if !ok || !isStartup(rel) {
		return
	}
	if e.size > maxStartup {
		p.rep.add(e.name, "%w", errLongStartup)
		return
	}
	data := p.read(e, maxStartup)
	if err := checkStartup(rel, p.project, hashOf(data), data, p.options.AllowPth); err != nil {
		p.rep.add(e.name, "%w", err)
	}
}

// addGenerated adds the installer's files, deals out the parts and writes RECORD.
func (p *plan) addGenerated() {
	info := path.Join(sitePackages(p.options.Python), p.distInfo)
	p.files = append(p.files, generated(info+"/INSTALLER", modeFile, []byte("mlbuild\n")))
	if p.options.Requested {
		p.files = append(p.files, generated(info+"/REQUESTED", modeFile, nil))
	}
	if p.options.DirectURL != nil {
		p.files = append(p.files, generated(info+"/direct_url.json", modeFile, p.options.DirectURL))
	}
	p.own = &file{path: info + "/RECORD", mode: modeFile}
	p.fillRecord()
	p.files = append(p.files, p.own)
	slices.SortFunc(p.files, byPath)
	names, told := make([]string, len(p.files)), map[string]bool{}
	site := sitePackages(p.options.Python)
	for i, f := range p.files {
		names[i] = f.path
		told[f.path] = f.entry != nil && path.Join(site, f.entry.name) == f.path
	}
	checkCollisions(names, told, p.rep)
	deal(p.files, p.options.Part.N)
}

func byPath(a, b *file) int { return cmp.Compare(a.path, b.path) }

// fillRecord writes the RECORD of the whole wheel as it is installed. Paths are relative to site-packages; its own row has
// neither hash nor size. A file whose hash is not known, which only part of a wheel can have, has none.
func (p *plan) fillRecord() {
	site := sitePackages(p.options.Python)
	rows := []Row{{Path: strings.TrimPrefix(p.own.path, site+"/"), Size: -1}}
	for _, f := range p.files {
		if f == p.own {
			continue
		}
		rel, inside := strings.CutPrefix(f.path, site+"/")
		if !inside {
			rel = "../../../" + f.path
		}
		rows = append(rows, Row{Path: rel, Hash: f.hash, Size: f.size})
	}
	*p.own = *generated(p.own.path, p.own.mode, writeRecord(rows))
}
