package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/goccy/go-yaml"
	"github.com/pelletier/go-toml/v2"

	"github.com/mlbuild/mlbuild/integration/testbed"
)

var (
	markdownFence = regexp.MustCompile("(?ms)^ *```.*?^ *```$|^<!--.*?-->$")
	markdownBlock = regexp.MustCompile("(?ms)^```(yaml|json|toml)\n(.*?)^```$")
	markdownCode  = regexp.MustCompile("`[^`\n]+`")
	markdownLink  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	markdownHead  = regexp.MustCompile(`(?m)^#{1,6} +(.+?)\s*$`)
	htmlLink      = regexp.MustCompile(`\b(?:href|src)="([^"]+)"`)
	htmlAnchor    = regexp.MustCompile(`\b(?:id|name)="([^"]+)"`)
)

// repositoryURL is where the site finds what lies outside of docs/.
const repositoryURL = "https://github.com/mlbuild/mlbuild/blob/main/"

// markdownPage is a page as its links need it, without code.
type markdownPage struct {
	links   []string // targets, as written
	anchors []string // of its headings, as GitHub makes them
}

func readMarkdown(t *testing.T, file string) markdownPage {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := markdownFence.ReplaceAllString(string(data), "")
	var p markdownPage
	for _, m := range markdownHead.FindAllStringSubmatch(text, -1) {
		p.anchors = append(p.anchors, headingAnchor(m[1]))
	}
	for _, m := range markdownLink.FindAllStringSubmatch(markdownCode.ReplaceAllString(text, ""), -1) {
		p.links = append(p.links, m[1])
	}
	return p
}

// headingAnchor is GitHub's name for a heading.
func headingAnchor(heading string) string {
	heading = markdownLink.ReplaceAllString(heading, "]")
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}

// markdownFiles are the pages that people read on GitHub.
func markdownFiles(t *testing.T) []string {
	t.Helper()
	files := []string{"../README.md", "../CHANGELOG.md"}
	for _, dir := range []string{"../docs", "../examples"} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if strings.HasSuffix(path, ".md") {
				files = append(files, filepath.ToSlash(path))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// TestDocsLinks: each relative link of the pages leads to a file of the repository, and to a heading where it names one.
func TestDocsLinks(t *testing.T) {
	links := 0
	for _, file := range markdownFiles(t) {
		for _, link := range readMarkdown(t, file).links {
			if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
				continue
			}
			links++
			path, anchor, _ := strings.Cut(link, "#")
			target := file
			if path != "" {
				target = filepath.Join(filepath.Dir(file), filepath.FromSlash(path))
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", file, link, err)
			} else if anchor != "" && strings.HasSuffix(target, ".md") && !slices.Contains(readMarkdown(t, target).anchors, anchor) {
				t.Errorf("%s links to %s: there is no such heading", file, link)
			}
		}
	}
	if links < 300 {
		t.Errorf("only %d links were found", links)
	}
}

// TestDocsBlocks: each block of YAML, JSON and TOML in the pages can be read.
func TestDocsBlocks(t *testing.T) {
	read := map[string]func(data []byte) error{
		"json": func(data []byte) error { return readAll(json.NewDecoder(bytes.NewReader(data))) },
		"toml": func(data []byte) error { return toml.Unmarshal(data, new(any)) },
		"yaml": func(data []byte) error { return readAll(yaml.NewDecoder(bytes.NewReader(data))) },
	}
	found := map[string]int{}
	for _, file := range markdownFiles(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range markdownBlock.FindAllSubmatch(data, -1) {
			language := string(m[1])
			found[language]++
			if err := read[language](m[2]); err != nil {
				t.Errorf("%s: %v in a block of %s:\n%s", file, err, language, m[2])
			}
		}
	}
	for language := range read {
		if found[language] == 0 {
			t.Errorf("no block of %s was found", language)
		}
	}
}

// readAll reads the documents of a stream.
func readAll(d interface{ Decode(value any) error }) error {
	for {
		if err := d.Decode(new(any)); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// TestDocsIndex: every page of docs/ can be reached from the index.
func TestDocsIndex(t *testing.T) {
	seen := map[string]bool{}
	var visit func(file string)
	visit = func(file string) {
		if _, err := os.Stat(file); err != nil || seen[file] {
			return // TestDocsLinks names a page that is not there
		}
		seen[file] = true
		for _, link := range readMarkdown(t, file).links {
			path, _, _ := strings.Cut(link, "#")
			target := filepath.ToSlash(filepath.Join(filepath.Dir(file), path))
			if strings.HasSuffix(path, ".md") && !strings.Contains(link, "://") && strings.HasPrefix(target, "../docs/") {
				visit(target)
			}
		}
	}
	visit("../docs/index.md")
	for _, file := range markdownFiles(t) {
		if strings.HasPrefix(file, "../docs/") && !seen[file] {
			t.Errorf("no link leads from docs/index.md to %s", file)
		}
	}
}

// TestDocsSite builds the site with warnings as errors, and follows every link of it that does not leave for elsewhere.
func TestDocsSite(t *testing.T) {
	if _, err := exec.LookPath("uv"); err != nil {
		if os.Getenv(testbed.RequireEnv) == "1" {
			t.Fatal(err)
		}
		t.Skipf("the site needs uv: %v", err)
	}
	site := filepath.Join(t.TempDir(), "site")
	if out, err := exec.CommandContext(t.Context(), "sh", "tools/site/build.sh", site).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	pages := sitePages(t, site)
	for _, file := range markdownFiles(t) {
		name, ok := strings.CutPrefix(file, "../docs/")
		if !ok {
			continue
		}
		name = strings.TrimSuffix(name, ".md") + ".html"
		if _, ok := pages[name]; !ok {
			t.Errorf("%s has no page", file)
		} else if name != "index.html" && !strings.Contains(pages["index.html"].text, `<li class="toctree-l1"><a class="reference internal" href="`+name+`">`) {
			t.Errorf("%s is not in the menu", file)
		}
	}
	for name, page := range pages {
		for _, m := range htmlLink.FindAllStringSubmatch(page.text, -1) {
			if why := deadLink(site, pages, name, m[1]); why != "" {
				t.Errorf("%s links to %s: %s", name, m[1], why)
			}
		}
	}
}

// sitePage is a page of the site, with the names that a link to it may have behind the #.
type sitePage struct {
	text    string
	anchors map[string]bool
}

// sitePages are the HTML files of a site by their paths in it.
func sitePages(t *testing.T, site string) map[string]sitePage {
	t.Helper()
	pages := map[string]sitePage{}
	err := fs.WalkDir(os.DirFS(site), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".html") || strings.HasPrefix(path, "_static/") {
			return err
		}
		data, err := os.ReadFile(filepath.Join(site, path))
		p := sitePage{text: string(data), anchors: map[string]bool{}}
		for _, m := range htmlAnchor.FindAllStringSubmatch(p.text, -1) {
			p.anchors[m[1]] = true
		}
		pages[path] = p
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// deadLink returns why a link of a page leads nowhere, "" if it does lead somewhere or to another site.
func deadLink(site string, pages map[string]sitePage, page, link string) string {
	if path, ok := strings.CutPrefix(link, repositoryURL); ok {
		path, _, _ = strings.Cut(path, "#")
		path, _, _ = strings.Cut(path, "?")
		if _, err := os.Stat(filepath.Join("..", path)); err != nil {
			return "the repository has no such file"
		}
		return ""
	}
	if strings.Contains(link, ":") {
		return ""
	}
	path, anchor, _ := strings.Cut(link, "#")
	path, _, _ = strings.Cut(path, "?")
	target := page
	if path != "" {
		target = filepath.ToSlash(filepath.Join(filepath.Dir(page), path))
	}
	if _, err := os.Stat(filepath.Join(site, target)); err != nil {
		return "the site has no such file"
	}
	if anchor == "" || !strings.HasSuffix(target, ".html") {
		return ""
	}
	if !pages[target].anchors[anchor] {
		return "there is no such heading"
	}
	return ""
}
